# SPDX-License-Identifier: Apache-2.0
"""What the demonstration does, without ROS: `collect` tells the story of some episodes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from humanoid_bringup.story import NANOSECONDS, Act, Answer, Call, DemoFailed, Say, Step, Story, Until
from humanoid_core import endpoints

HOLD, ACTIVE, SOFT_STOP, E_STOP = range(4)  # SafetyStatus
UNSURE, SUCCESS, FAILURE = range(3)  # StopEpisode
_SHOWN = 4  # events of the scene in one line of progress
_BREATH = 5.0  # [s, steady] before an interrupted episode is done again: a busy machine gets time to settle
COMMANDED = ("joint_commands", "joint_targets")  # nobody commands before the robot is engaged

SERVICES = (
    endpoints.SCENE_RESET,
    endpoints.SAFETY_ENGAGE,
    endpoints.RECORDER_START,
    endpoints.RECORDER_STOP,
    endpoints.RECORDER_DISCARD,
    endpoints.OPERATOR_START,
    endpoints.OPERATOR_STOP,
)
GO_HOME, RESET_SCENE_POSE = "go_home", "reset_scene_pose"  # actions of humanoid_planning


@dataclass(frozen=True)
class Settings:
    """What to collect.

    Attributes:
        episodes: How many.
        operator: scripted or motion.
        scene: Name of the scene.
        seed: Of the first episode's scene; the next ones count up.
        task: Name recorded with the episodes.
        instruction: What the robot is told.
        has_goal: Whether the scene's events tell when the task is done.
        ready_limit: Waiting for the whole system [s, steady].
        call_limit: Waiting for the answer of a service [s, steady].
        stall_limit: Simulated time may stand still so long [s, steady].
        episode_limit: Longest episode [s, time of the stamps].
        rest: Recorded before the operator starts and after it has finished [s, time of the stamps].
        planned: Whether the robot goes home by planned motions before each episode and at the end.
        redo: How often an episode that was interrupted (by the limiter, by its length) is discarded and done again.
    """

    episodes: int
    operator: str
    scene: str
    seed: int
    task: str
    instruction: str
    has_goal: bool
    ready_limit: float
    call_limit: float
    stall_limit: float
    episode_limit: float
    rest: float
    planned: bool
    redo: int


@dataclass
class World:
    """What is known of the running system; the node keeps it up to date.

    Attributes:
        services: Names of those that are there.
        actions: Likewise.
        motion: What came of the planned motion that was started last; None: nothing yet.
        now_ns: Time of the stamps; 0 before the first.
        time_scale: Simulated seconds per second; 1 with a real robot.
        joint_states: Messages so far.
        retargeting: Whether it has said anything; at its first start it compiles for a while.
        recorder: Whether it has said anything: it does so once it is active.
        safety: State of the limiter; -1 before its first message.
        reasons: Why it is in it.
        held: Whether the operator's dead-man is held.
        streams: Messages of each synchronised stream so far.
        recorded_bytes: Of the episode that is being recorded.
        task_done: Whether the scene says so.
        events: Of the scene, since they were last looked at.
    """

    services: set[str] = field(default_factory=set)
    actions: set[str] = field(default_factory=set)
    motion: Answer | None = None
    now_ns: int = 0
    time_scale: float = 1.0
    joint_states: int = 0
    retargeting: bool = False
    recorder: bool = False
    safety: int = -1
    reasons: list[str] = field(default_factory=list)
    held: bool = False
    streams: dict[str, int] = field(default_factory=dict)
    recorded_bytes: int = 0
    task_done: bool = False
    events: list[str] = field(default_factory=list)

    def event(self, kind: str, what: str) -> None:
        """Take an event of the scene."""
        if kind != "reset":  # ours, and said already
            self.events.append(f"{kind} {what}".strip())
        if kind in {"reset", "lifted", "dropped"}:
            self.task_done = False
        elif kind == "task_done":
            self.task_done = True


@dataclass
class Collected:
    """One episode of the demonstration."""

    number: int
    episode: str
    path: str
    outcome: int
    seconds: float
    note: str


def collect(settings: Settings, world: World, collected: list[Collected]) -> Story:
    """The demonstration: wait for the system, then collect the episodes.

    Args:
        settings: What to collect.
        world: Kept up to date by whoever runs the story.
        collected: Episodes are appended as they are finished.

    Raises:
        DemoFailed: it cannot go on, and why.
    """
    yield Say("waiting for the twin, the limiter, the recorder and the operator")
    if not (yield Until(lambda w: not missing(w), settings.ready_limit, progress=_waiting)):
        raise DemoFailed(f"not ready after {settings.ready_limit:.0f} s: {'; '.join(missing(world))}")
    flowing = Until(
        lambda w: bool(w.streams) and not silent(w),
        settings.call_limit,
        progress=lambda w: f"still waiting for {_waiting_for(w)}",
    )
    if not (yield flowing):
        yield Say(f"going on without {_waiting_for(world)}")
    if settings.planned and not (yield Until(lambda w: {GO_HOME, RESET_SCENE_POSE} <= w.actions, settings.call_limit)):
        yield Say("going on without planned motions: is humanoid_planning there?")
    for number in range(1, settings.episodes + 1):
        for left in range(settings.redo, -1, -1):
            if (yield from _episode(settings, world, number, collected, keep=left == 0)):
                break
    yield from _planned(settings, world, "at the end", GO_HOME, {})


def missing(world: World) -> list[str]:
    """What is not there yet, in words."""
    found = [f"no service {service.name}" for service in SERVICES if service.name not in world.services]
    if world.now_ns == 0:
        found.append("no time on /clock (is the twin active?)")
    if world.joint_states == 0:
        found.append("no joint_states")
    if not world.retargeting:
        found.append("no teleop/status (the retargeting compiles at its first start)")
    if not world.recorder:
        found.append("no recorder/status (the recorder is not active)")
    if world.safety == -1:
        found.append("no safety/status")
    elif world.safety == E_STOP:
        found.append(f"the limiter is in emergency stop: {', '.join(world.reasons)}")
    elif world.safety != HOLD:
        found.append("the limiter is not in HOLD")
    else:
        found += [f"limiter: {reason}" for reason in world.reasons if reason.startswith("no ")]
    return found


def _episode(
    settings: Settings, world: World, number: int, collected: list[Collected], keep: bool
) -> Generator[Step, Any, bool]:
    """One episode, from setting up the scene to closing the bag.

    Returns:
        Whether it was kept: one that was interrupted is discarded unless `keep`.
    """
    head = f"[{number}/{settings.episodes}]"
    seed = settings.seed + number - 1
    motion = yield from _planned(settings, world, head, RESET_SCENE_POSE, {"scene": settings.scene, "seed": seed})
    if not motion:
        yield from _demand(settings, Call(endpoints.SCENE_RESET, {"scene": settings.scene, "seed": seed}))
    world.task_done = False
    world.events.clear()
    tags = {"seed": str(seed), "operator": settings.operator, **motion}
    start = {
        "task": settings.task,
        "instruction": settings.instruction,
        "operator_name": settings.operator,
        "scene": settings.scene,
        "tags": tags,
    }
    answer = yield from _demand(settings, Call(endpoints.RECORDER_START, start))
    episode, path = answer.values.get("episode_id", ""), answer.values.get("path", "")
    begun = world.now_ns
    yield Say(f"{head} recording {episode}: scene {settings.scene}, seed {seed}")
    note = yield from _work(settings, world, head, begun)
    seconds = (world.now_ns - begun) / NANOSECONDS
    if note and not keep:
        yield from _demand(settings, Call(endpoints.RECORDER_DISCARD, {"reason": note}))
        yield Say(f"{head} discarded after {seconds:.1f} s simulated, and again: {note}")
        yield Until(lambda w: False, _BREATH)
        return False
    success = not note and (world.task_done or not settings.has_goal)
    outcome = SUCCESS if success else FAILURE
    if not note and not success:
        note = "the operator finished, but the task is not done"
    size = world.recorded_bytes * 1e-6
    answer = yield from _demand(settings, Call(endpoints.RECORDER_STOP, {"outcome": outcome, "note": note}))
    collected.append(
        Collected(number, episode, answer.values.get("path", "") or path, outcome, seconds, note or answer.message)
    )
    word = "success" if success else f"FAILURE: {note}"
    yield Say(f"{head} {word}; {seconds:.1f} s simulated, {size:.1f} MB{_remark(answer.message)}")
    return True


def _work(settings: Settings, world: World, head: str, begun: int) -> Generator[Step, Any, str]:
    """From engaging to disengaging.

    Returns:
        What went wrong; empty if nothing did.
    """

    def progress(w: World) -> str:
        shown, more = w.events[:_SHOWN], len(w.events) - _SHOWN
        happened = f": {', '.join(shown)}{f' and {more} more' if more > 0 else ''}" if shown else ""
        w.events.clear()
        seconds = (w.now_ns - begun) / NANOSECONDS
        return f"{head} {seconds:.1f} s simulated at {w.time_scale:.2f} x, {w.recorded_bytes * 1e-6:.0f} MB{happened}"

    yield Until(lambda w: False, settings.rest, "stamps")
    yield from _demand(settings, Call(endpoints.SAFETY_ENGAGE, {"data": True}))
    if not (yield Until(lambda w: w.safety == ACTIVE, settings.call_limit)):
        raise DemoFailed(f"the limiter does not engage: {', '.join(world.reasons)}")
    yield from _demand(settings, Call(endpoints.OPERATOR_START))
    note = ""
    if not (yield Until(lambda w: w.held or w.safety != ACTIVE, settings.episode_limit, "stamps", progress)):
        note = "the operator never held the dead-man"
    else:
        over = yield Until(lambda w: not w.held or w.safety != ACTIVE, settings.episode_limit, "stamps", progress)
        if not over:
            note = f"not finished after {settings.episode_limit:.0f} s"
    if world.safety != ACTIVE:
        note = f"the limiter stopped: {', '.join(world.reasons)}"
    if note:
        yield from _ask(settings, Call(endpoints.OPERATOR_STOP))
    yield Until(lambda w: False, settings.rest, "stamps")
    yield Say(progress(world))
    trouble = yield from _release(settings, world)
    return note or trouble


def _release(settings: Settings, world: World) -> Generator[Step, Any, str]:
    """Disengage the limiter.

    Returns:
        What went wrong; empty if nothing did.
    """
    yield from _ask(settings, Call(endpoints.SAFETY_ENGAGE, {"data": False}))
    if world.safety == E_STOP:
        yield from _ask(settings, Call(endpoints.SAFETY_RESET))
    if not (yield Until(lambda w: w.safety == HOLD, settings.call_limit)):
        return f"the limiter does not come to rest: {', '.join(world.reasons)}"
    return ""


def _planned(
    settings: Settings, world: World, head: str, action: str, fields: dict[str, Any]
) -> Generator[Step, Any, dict[str, str]]:
    """Home by a planned motion. What goes wrong is said, and the demonstration goes on without.

    Returns:
        Figures of the motion, as tags of an episode; empty if there was none, or it did not end well.
    """
    if not settings.planned or action not in world.actions:
        return {}
    yield from _ask(settings, Call(endpoints.SAFETY_ENGAGE, {"data": True}))
    trouble, values = "", dict[str, Any]()
    if not (yield Until(lambda w: w.safety == ACTIVE, settings.call_limit)):
        trouble = f"the limiter does not engage: {', '.join(world.reasons)}"
    else:
        world.motion = None
        yield Act(action, fields)
        if not (yield Until(lambda w: w.motion is not None, settings.episode_limit, "stamps")) or world.motion is None:
            trouble = f"not there after {settings.episode_limit:.0f} s"
        elif not world.motion.success:
            trouble = world.motion.message or "no reason given"
        else:
            values = world.motion.values
    trouble = (yield from _release(settings, world)) or trouble
    if trouble:
        yield Say(f"{head}: not home by a planned motion: {trouble}")
        return {}
    clear = f"{1e3 * values['clearance']:.0f} mm" if values["clearance"] < 1.0 else "1 m or more"
    tags = {"home_planned_in": f"{1e3 * values['planning_time']:.0f} ms", "home_clearance": clear}
    yield Say(
        f"{head} home: planned in {tags['home_planned_in']}, moved for {values['duration']:.1f} s, clearance {clear}"
    )
    return tags


def _ask(settings: Settings, call: Call) -> Generator[Step, Any, Answer]:
    answer: Answer = yield call
    if not answer.success:
        yield Say(f"{call.endpoint.name}: {answer.message}")
    return answer


def _demand(settings: Settings, call: Call) -> Generator[Step, Any, Answer]:
    answer: Answer = yield call
    if not answer.success:
        raise DemoFailed(f"{call.endpoint.name} refused: {answer.message}")
    return answer


def _waiting(world: World) -> str:
    return "still waiting: " + "; ".join(missing(world))


def silent(world: World) -> list[str]:
    """Synchronised streams without a message, but for those that begin with the first episode."""
    return [name for name, count in world.streams.items() if not count and name not in COMMANDED]


def _waiting_for(world: World) -> str:
    return f"messages of {', '.join(silent(world))}" if world.streams else "sync/status"


def _remark(words: str) -> str:
    return f" ({words})" if words else ""


def summary(collected: list[Collected], episodes: int) -> str:
    """The end of the demonstration in a few lines."""
    words = {UNSURE: "unsure", SUCCESS: "success", FAILURE: "failure"}
    lines = [f"{len(collected)} of {episodes} episodes collected"]
    lines += [f"  {c.number}  {words[c.outcome]:<8} {c.seconds:6.1f} s  {c.path}{_remark(c.note)}" for c in collected]
    return "\n".join(lines)
