# SPDX-License-Identifier: Apache-2.0
"""Stories that are told to a running system: a generator yields steps, the runner sees to it that every step ends.

A step says something, calls a service, starts an action, or waits. No ROS: whoever runs a story carries the steps out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from humanoid_core.endpoints import Endpoint
from humanoid_core.errors import HumanoidError

NANOSECONDS = 1_000_000_000


class DemoFailed(HumanoidError):
    """The demonstration cannot go on."""


class Clock(Protocol):
    """What the runner needs to know of the world: the time of the stamps; 0 before the first."""

    now_ns: int


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
class Act:
    """An action to start; what comes of it appears as `World.motion`, which is waited for with `Until`."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Until:
    """Wait; the story gets back whether the condition came true in time.

    Attributes:
        condition: What is waited for.
        limit: How long [s].
        clock: steady, or the time of the stamps (which the twin may slow down).
        progress: For the screen now and then while waiting; None: silence.
    """

    condition: Callable[[Any], bool]
    limit: float
    clock: Literal["steady", "stamps"] = "steady"
    progress: Callable[[Any], str] | None = None


Step = Say | Call | Act | Until
Story = Generator[Step, Any, None]


class Runner:
    """Carries a story out. Time is handed in.

    Args:
        story: What to do.
        world: What is known.
        stall_limit: Time of the stamps may stand still so long [s, steady].
        call_limit: Services must answer within this [s, steady].
        every: Between two lines of progress [s, steady].
    """

    def __init__(self, story: Story, world: Clock, stall_limit: float, call_limit: float, every: float = 10.0) -> None:
        self._story, self._world = story, world
        self._stall_limit, self._call_limit, self._every = stall_limit, call_limit, every
        self._step: Step | None = None
        self._since = 0.0
        self._since_ns = 0
        self._said = 0.0
        self._moved = (0, 0.0)
        self.done = False

    def answer(self, answer: Answer, steady: float) -> list[Say | Call | Act]:
        """Take a service's answer; gives what is to be done next.

        Raises:
            DemoFailed: whatever the story says.
        """
        if not isinstance(self._step, Call):
            raise DemoFailed(f"an answer to nothing: {answer}")
        return self._advance(answer, steady)

    def tick(self, steady: float) -> list[Say | Call | Act]:
        """Look at the world; gives what is to be done now: words for the screen, and at most one call at the end.

        Args:
            steady: Steady time [s].

        Raises:
            DemoFailed: a step took too long, or whatever the story says.
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

    def _advance(self, result: Any, steady: float) -> list[Say | Call | Act]:
        """On to the next step that takes time."""
        out: list[Say | Call | Act] = []
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
