# SPDX-License-Identifier: Apache-2.0
"""What the demonstration does, without ROS: `collect` tells the story, `Runner` sees to it that every step ends.

The story is a generator. It yields steps (wait for something, call a service, say something); the runner looks at what
is known of the running system, carries the steps out, and hands answers back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

from humanoid_core import endpoints
from humanoid_core.endpoints import Endpoint
from humanoid_core.errors import HumanoidError

HOLD, ACTIVE, SOFT_STOP, E_STOP = range(4)  # SafetyStatus
UNSURE, SUCCESS, FAILURE = range(3)  # StopEpisode
NANOSECONDS = 1_000_000_000
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


class DemoFailed(HumanoidError):
    """The demonstration cannot go on."""


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
    redo: int


@dataclass
class World:
    """What is known of the running system; the node keeps it up to date.

    Attributes:
        services: Names of those that are there.
        now_ns: Time of the stamps; 0 before the first.
        time_scale: Simulated seconds per second; 1 with a real robot.
        joint_states: Messages so far.
        retargeting: Whether it has said anything; at its first start it compiles for a while.
        safety: State of the limiter; -1 before its first message.
        reasons: Why it is in it.
        held: Whether the operator's dead-man is held.
        streams: Messages of each synchronised stream so far.
        recorded_bytes: Of the episode that is being recorded.
        task_done: Whether the scene says so.
        events: Of the scene, since they were last looked at.
    """

    services: set[str] = field(default_factory=set)
    now_ns: int = 0
    time_scale: float = 1.0
    joint_states: int = 0
    retargeting: bool = False
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


@dataclass(frozen=True)
class Say:
    """Something for the screen."""

    words: str


@dataclass(frozen=True)
class Call:
    """A service to call; the story gets an `Answer` back."""

    endpoint: Endpoint
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a service said."""

    success: bool
    message: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Until:
    """Wait; the story gets back whether the condition came true in time.

    Attributes:
        condition: What is waited for.
        limit: How long [s].
        clock: steady, or the time of the stamps (which the twin may slow down).
        progress: For the screen now and then while waiting; None: silence.
    """

    condition: Callable[[World], bool]
    limit: float
    clock: Literal["steady", "stamps"] = "steady"
    progress: Callable[[World], str] | None = None


@dataclass
class Collected:
    """One episode of the demonstration."""

    number: int
    episode: str
    path: str
    outcome: int
    seconds: float
    note: str


Step = Say | Call | Until
Story = Generator[Step, Any, None]


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
    for number in range(1, settings.episodes + 1):
        for left in range(settings.redo, -1, -1):
            if (yield from _episode(settings, world, number, collected, keep=left == 0)):
                break


def missing(world: World) -> list[str]:
    """What is not there yet, in words."""
    found = [f"no service {service.name}" for service in SERVICES if service.name not in world.services]
    if world.now_ns == 0:
        found.append("no time on /clock (is the twin active?)")
    if world.joint_states == 0:
        found.append("no joint_states")
    if not world.retargeting:
        found.append("no teleop/status (the retargeting compiles at its first start)")
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
    yield from _demand(settings, Call(endpoints.SCENE_RESET, {"scene": settings.scene, "seed": seed}))
    world.task_done = False
    world.events.clear()
    tags = {"seed": str(seed), "operator": settings.operator}
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
    yield from _ask(settings, Call(endpoints.SAFETY_ENGAGE, {"data": False}))
    if world.safety == E_STOP:
        yield from _ask(settings, Call(endpoints.SAFETY_RESET))
    if not (yield Until(lambda w: w.safety == HOLD, settings.call_limit)):
        note = note or f"the limiter does not come to rest: {', '.join(world.reasons)}"
    return note


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


class Runner:
    """Carries a story out. Time is handed in.

    Args:
        story: What to do.
        world: What is known.
        stall_limit: Time of the stamps may stand still so long [s, steady].
        call_limit: Services must answer within this [s, steady].
        every: Between two lines of progress [s, steady].
    """

    def __init__(self, story: Story, world: World, stall_limit: float, call_limit: float, every: float = 10.0) -> None:
        self._story, self._world = story, world
        self._stall_limit, self._call_limit, self._every = stall_limit, call_limit, every
        self._step: Step | None = None
        self._since = 0.0
        self._since_ns = 0
        self._said = 0.0
        self._moved = (0, 0.0)
        self.done = False

    def answer(self, answer: Answer, steady: float) -> list[Say | Call]:
        """Take a service's answer; gives what is to be done next.

        Raises:
            DemoFailed: see `collect`.
        """
        if not isinstance(self._step, Call):
            raise DemoFailed(f"an answer to nothing: {answer}")
        return self._advance(answer, steady)

    def tick(self, steady: float) -> list[Say | Call]:
        """Look at the world; gives what is to be done now: words for the screen, and at most one call at the end.

        Args:
            steady: Steady time [s].

        Raises:
            DemoFailed: a step took too long, or see `collect`.
        """
        if self.done:
            return []
        if self._step is None:
            self._moved = (self._world.now_ns, steady)
            return self._advance(None, steady)
        self._check_stall(steady)
        if isinstance(self._step, Call):
            if steady - self._since > self._call_limit:
                raise DemoFailed(f"{self._step.endpoint.name} did not answer within {self._call_limit:.0f} s")
            return []
        assert isinstance(self._step, Until)
        if self._step.condition(self._world):
            return self._advance(True, steady)
        passed = steady - self._since
        if self._step.clock == "stamps":
            passed = (self._world.now_ns - self._since_ns) / NANOSECONDS
        if passed >= self._step.limit:
            return self._advance(False, steady)
        if self._step.progress is not None and steady - self._said >= self._every:
            self._said = steady
            return [Say(self._step.progress(self._world))]
        return []

    def _advance(self, result: Any, steady: float) -> list[Say | Call]:
        """On to the next step that takes time."""
        out: list[Say | Call] = []
        while True:
            try:
                self._step = self._story.send(result)
            except StopIteration:
                self.done = True
                return out
            self._since, self._since_ns, self._said = steady, self._world.now_ns, steady
            if isinstance(self._step, Until):
                return out
            out.append(self._step)
            if isinstance(self._step, Call):
                return out
            result = None

    def _check_stall(self, steady: float) -> None:
        stamp, since = self._moved
        if self._world.now_ns != stamp or stamp == 0:
            self._moved = (self._world.now_ns, steady)
        elif steady - since > self._stall_limit:
            raise DemoFailed(f"time stands still at {stamp / NANOSECONDS:.3f} s: did the twin stop?")


def summary(collected: list[Collected], episodes: int) -> str:
    """The end of the demonstration in a few lines."""
    words = {UNSURE: "unsure", SUCCESS: "success", FAILURE: "failure"}
    lines = [f"{len(collected)} of {episodes} episodes collected"]
    lines += [f"  {c.number}  {words[c.outcome]:<8} {c.seconds:6.1f} s  {c.path}{_remark(c.note)}" for c in collected]
    return "\n".join(lines)
