# SPDX-License-Identifier: Apache-2.0
"""The demonstration's story, told to a made-up system on a made-up clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from humanoid_bringup import demo
from humanoid_bringup.demo import (
    ACTIVE,
    E_STOP,
    GO_HOME,
    HOLD,
    RESET_SCENE_POSE,
    SOFT_STOP,
    Collected,
    Settings,
    World,
)
from humanoid_bringup.story import Act, Answer, Call, DemoFailed, Runner, Say

SETTINGS = Settings(
    episodes=2,
    operator="scripted",
    scene="parcel_sorting",
    seed=7,
    task="parcel_sorting",
    instruction="Put each parcel into its bin.",
    has_goal=True,
    ready_limit=60.0,
    call_limit=10.0,
    stall_limit=20.0,
    episode_limit=30.0,
    rest=0.5,
    planned=False,
    redo=0,
)


@dataclass
class System:
    """The workspace as far as the demonstration sees it: half of real time, an operator who works for five seconds."""

    world: World = field(default_factory=World)
    scale: float = 0.5
    works: float = 5.0
    succeeds: bool = True
    calls: list[tuple[str, dict]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    each_tick: Callable[[System, float], None] = lambda system, steady: None
    refuse: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    motion: Answer | None = None
    started_ns: int = -1
    episodes: int = 0

    def ready(self) -> System:
        world = self.world
        world.services = {service.name for service in demo.SERVICES}
        world.now_ns, world.joint_states, world.safety, world.retargeting, world.recorder = 1, 1, HOLD, True, True
        world.streams = {"joint_states": 5, "camera/head": 5}
        return self

    def advance(self, period: float) -> None:
        world = self.world
        world.now_ns += round(period * self.scale * 1e9) if world.now_ns else 0
        if self.started_ns >= 0:
            passed = (world.now_ns - self.started_ns) * 1e-9
            world.held = 0.2 < passed < self.works
            if self.succeeds and passed > self.works - 1.0 and not world.task_done:
                world.event("task_done", "")

    def call(self, call: Call) -> Answer | None:
        name = call.endpoint.name
        self.calls.append((name, call.fields))
        if name in self.silent:
            return None
        if name in self.refuse:
            return Answer(False, self.refuse[name])
        if name == "safety/engage":
            if self.world.safety != E_STOP:  # that one is latched
                self.world.safety = ACTIVE if call.fields["data"] else HOLD
        elif name == "operator/start":
            self.started_ns = self.world.now_ns
        elif name == "operator/stop":
            self.started_ns, self.world.held = -1, False
        elif name == "safety/reset":
            self.world.safety = HOLD
        elif name == "scene/reset":
            self.started_ns = -1
        elif name == "recorder/start":
            self.episodes += 1
            return Answer(True, "", {"episode_id": f"e{self.episodes}", "path": f"out/e{self.episodes}"})
        return Answer(True, "", {})


def run(system: System, settings: Settings = SETTINGS, longest: float = 600.0) -> list[Collected]:
    """Run the story to its end, twenty looks a second."""
    collected: list[Collected] = []
    story = demo.collect(settings, system.world, collected)
    runner = Runner(story, system.world, settings.stall_limit, settings.call_limit)
    steady = 100.0
    while not runner.done:
        steady += 0.05
        assert steady < 100.0 + longest, "the story does not end"
        system.advance(0.05)
        system.each_tick(system, steady - 100.0)
        todo = runner.tick(steady)
        while todo:
            action = todo.pop(0)
            if isinstance(action, Say):
                system.said.append(action.words)
                continue
            if isinstance(action, Act):
                system.calls.append((action.name, action.fields))
                system.world.motion = system.motion
                continue
            assert not todo, "a call is the last thing to do"
            answer = system.call(action)
            todo = runner.answer(answer, steady) if answer else []
    return collected


def test_two_episodes_in_the_right_order():
    system = System().ready()
    collected = run(system)
    one = ["scene/reset", "recorder/start", "safety/engage", "operator/start", "safety/engage", "recorder/stop"]
    assert [name for name, _ in system.calls] == one * 2
    assert [fields["seed"] for name, fields in system.calls if name == "scene/reset"] == [7, 8]
    assert [fields["data"] for name, fields in system.calls if name == "safety/engage"] == [True, False] * 2
    assert [fields["outcome"] for name, fields in system.calls if name == "recorder/stop"] == [demo.SUCCESS] * 2
    started = dict(system.calls)["recorder/start"]
    assert started["tags"] == {"seed": "8", "operator": "scripted"}
    assert [c.outcome for c in collected] == [demo.SUCCESS] * 2
    assert collected[0].seconds == pytest.approx(5.0 + 2 * 0.5, abs=0.3)
    assert "[2/2] success" in system.said[-1]
    assert "2 of 2 episodes collected" in demo.summary(collected, 2)


HOME = {"planning_time": 0.0452, "duration": 2.5, "clearance": 0.0318}


def test_it_goes_home_by_planned_motions_before_each_episode_and_at_the_end():
    system = System(motion=Answer(True, "", HOME)).ready()
    system.world.actions = {GO_HOME, RESET_SCENE_POSE}
    collected = run(system, replace(SETTINGS, planned=True))
    work = ["recorder/start", "safety/engage", "operator/start", "safety/engage", "recorder/stop"]
    home = ["safety/engage", RESET_SCENE_POSE, "safety/engage"]
    assert [name for name, _ in system.calls] == (home + work) * 2 + ["safety/engage", GO_HOME, "safety/engage"]
    assert [fields["seed"] for name, fields in system.calls if name == RESET_SCENE_POSE] == [7, 8]
    started = dict(system.calls)["recorder/start"]
    assert started["tags"]["home_planned_in"] == "45 ms"
    assert started["tags"]["home_clearance"] == "32 mm"
    assert "planned in 45 ms" in system.said[-1]
    assert len(collected) == 2
    assert system.world.safety == HOLD


@pytest.mark.parametrize("motion", [Answer(False, "timed out"), None])
def test_it_goes_on_where_a_planned_motion_fails_or_never_ends(motion):
    system = System(motion=motion).ready()
    system.world.actions = {GO_HOME, RESET_SCENE_POSE}
    collected = run(system, replace(SETTINGS, planned=True))
    assert [c.outcome for c in collected] == [demo.SUCCESS] * 2
    assert [fields["seed"] for name, fields in system.calls if name == "scene/reset"] == [7, 8]
    assert "timed out" in system.said[-1] if motion else "not there after 30 s" in system.said[-1]
    assert "home_clearance" not in dict(system.calls)["recorder/start"]["tags"]


def test_it_goes_on_where_nobody_plans():
    system = System().ready()
    assert len(run(system, replace(SETTINGS, planned=True))) == 2
    assert any("without planned motions" in words for words in system.said)


def test_it_waits_until_everything_is_there_and_says_what_is_missing():
    def appear(system: System, steady: float) -> None:
        if steady > 25.0 and not system.calls:
            system.ready()

    system = System(each_tick=appear)
    run(system)
    waiting = [words for words in system.said if words.startswith("still waiting")]
    assert len(waiting) == 2
    assert "no service scene/reset" in waiting[0]
    assert "is the twin active?" in waiting[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda w: w.services.discard("operator/start"), "no service operator/start"),
        (lambda w: setattr(w, "joint_states", 0), "no joint_states"),
        (lambda w: setattr(w, "retargeting", False), "no teleop/status"),
        (lambda w: setattr(w, "recorder", False), "no recorder/status"),
        (lambda w: setattr(w, "safety", -1), "no safety/status"),
        (lambda w: setattr(w, "safety", SOFT_STOP), "not in HOLD"),
        (lambda w: (setattr(w, "safety", E_STOP), w.reasons.append("button")), "emergency stop: button"),
        (lambda w: w.reasons.append("no heartbeat of the station yet"), "no heartbeat of the station yet"),
    ],
)
def test_what_never_comes_ends_it_with_its_name(spoil, words):
    system = System().ready()
    spoil(system.world)
    with pytest.raises(DemoFailed, match=words):
        run(system)
    assert system.calls == []


def test_a_silent_stream_is_named_and_does_not_stop_it():
    system = System().ready()
    system.world.streams["camera/head"] = 0
    assert len(run(system)) == 2
    assert any("going on without messages of camera/head" in words for words in system.said)


def test_commands_are_not_waited_for():
    system = System().ready()
    system.world.streams["joint_commands"] = 0
    run(system)
    assert not any("without" in words for words in system.said)


def test_task_that_is_not_done_is_a_failure_and_the_next_episode_follows():
    system = System(succeeds=False).ready()
    collected = run(system)
    assert [c.outcome for c in collected] == [demo.FAILURE] * 2
    assert "not done" in collected[0].note
    assert "FAILURE" in system.said[-1]


def test_parcel_that_is_dropped_after_all_takes_the_success_back():
    world = World()
    world.event("task_done", "")
    assert world.task_done
    world.event("lifted", "parcel_1")
    assert not world.task_done


def test_motion_capture_has_no_goal_and_succeeds_by_ending():
    system = System(succeeds=False).ready()
    settings = replace(SETTINGS, has_goal=False, operator="motion", task="motion_capture")
    assert [c.outcome for c in run(system, settings)] == [demo.SUCCESS] * 2


def test_operator_who_never_finishes_is_stopped_in_simulated_time():
    system = System(works=1e9, succeeds=False).ready()
    collected = run(system)
    assert "operator/stop" in [name for name, _ in system.calls]
    assert "not finished after 30 s" in collected[0].note
    assert collected[0].seconds == pytest.approx(31.0, abs=0.7)  # simulated, so twice as long on the wall


def test_emergency_stop_ends_the_episode_and_is_reset():
    def stop(system: System, steady: float) -> None:
        if system.episodes == 1 and system.world.held and system.world.safety == ACTIVE:
            system.world.safety, system.world.reasons = E_STOP, ["left_elbow is at 1.0, commanded 0.5"]

    system = System(each_tick=stop).ready()
    collected = run(system)
    names = [name for name, _ in system.calls]
    assert names.index("operator/stop") < names.index("safety/reset") < names.index("recorder/stop")
    assert [c.outcome for c in collected] == [demo.FAILURE, demo.SUCCESS]
    assert "left_elbow" in collected[0].note


def test_interrupted_episode_is_discarded_and_done_again():
    def stop(system: System, steady: float) -> None:
        if system.episodes == 1 and system.world.held and system.world.safety == ACTIVE:
            system.world.safety, system.world.reasons = SOFT_STOP, ["no joint states for 0.16 s"]

    system = System(each_tick=stop).ready()
    collected = run(system, replace(SETTINGS, redo=1))
    assert [c.outcome for c in collected] == [demo.SUCCESS] * 2
    assert [c.episode for c in collected] == ["e2", "e3"]
    assert [fields for name, fields in system.calls if name == "recorder/discard"] == [
        {"reason": "the limiter stopped: no joint states for 0.16 s"}
    ]
    assert [fields["seed"] for name, fields in system.calls if name == "scene/reset"] == [7, 7, 8]
    assert any("discarded" in words and "no joint states" in words for words in system.said)


def test_task_that_is_not_done_is_kept_and_not_repeated():
    system = System(succeeds=False).ready()
    collected = run(system, replace(SETTINGS, redo=3))
    assert len(collected) == 2
    assert "recorder/discard" not in [name for name, _ in system.calls]


def test_refused_recording_ends_it():
    system = System(refuse={"recorder/start": "disk is full"}).ready()
    with pytest.raises(DemoFailed, match="recorder/start refused: disk is full"):
        run(system)


def test_service_that_does_not_answer_ends_it():
    system = System(silent={"scene/reset"}).ready()
    with pytest.raises(DemoFailed, match="scene/reset did not answer within 10 s"):
        run(system)


def test_time_that_stands_still_ends_it():
    def halt(system: System, steady: float) -> None:
        if steady > 5.0:
            system.scale = 0.0

    with pytest.raises(DemoFailed, match="stands still"):
        run(System(each_tick=halt).ready())


def test_many_events_are_summed_up():
    def collide(system: System, steady: float) -> None:
        if system.world.held and len(system.world.events) < 7:
            system.world.event("collision", "left_elbow_link")

    system = System(each_tick=collide).ready()
    run(system)
    one = "collision left_elbow_link"
    assert any(words.endswith(f": {one}, {one}, {one}, {one} and 4 more") for words in system.said)  # and task_done


def test_progress_is_said_now_and_then():
    system = System(works=20.0).ready()
    system.world.recorded_bytes = 12_000_000
    run(system)
    lines = [words for words in system.said if "simulated at" in words and words.startswith("[1/2]")]
    assert 3 <= len(lines) <= 6  # 40 s on the wall, one each 10 s, one at the end
    assert "12 MB" in lines[0]
