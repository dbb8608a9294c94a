# SPDX-License-Identifier: Apache-2.0
"""The limiter's states and watchdogs. Time is handed in; nothing here reads a clock."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """As in SafetyStatus."""

    HOLD = 0
    ACTIVE = 1
    SOFT_STOP = 2
    E_STOP = 3


class StateMachine:
    """HOLD -> ACTIVE -> SOFT_STOP -> HOLD, and E_STOP from everywhere, latched.

    Attributes:
        state: The state.
        causes: Why it is in it, plain words.
    """

    def __init__(self) -> None:
        self.state = State.HOLD
        self.causes: list[str] = ["started"]

    def engage(self, obstacles: list[str]) -> str:
        """Ask to follow a source.

        Args:
            obstacles: What speaks against it.

        Returns:
            "" if ACTIVE now, otherwise why not.
        """
        if self.state is State.ACTIVE:
            return ""
        if self.state is State.E_STOP:
            return f"emergency stop: {', '.join(self.causes)}; reset first"
        if self.state is State.SOFT_STOP:
            return f"still stopping: {', '.join(self.causes)}"
        if obstacles:
            return ", ".join(obstacles)
        self.state, self.causes = State.ACTIVE, ["engaged"]
        return ""

    def soft_stop(self, cause: str) -> None:
        """Stop at the limits, then hold; only where it moves or may move."""
        if self.state is State.ACTIVE:
            self.state, self.causes = State.SOFT_STOP, [cause]
        elif self.state is State.SOFT_STOP and cause not in self.causes:
            self.causes.append(cause)

    def emergency_stop(self, cause: str) -> None:
        """Stop at the limits and stay, until reset."""
        if self.state is not State.E_STOP:
            self.state, self.causes = State.E_STOP, [cause]
        elif cause not in self.causes:
            self.causes.append(cause)

    def settle(self, still: bool) -> None:
        """End a soft stop once every joint stands."""
        if self.state is State.SOFT_STOP and still:
            self.state = State.HOLD

    def reset(self, obstacles: list[str]) -> str:
        """Leave E_STOP for HOLD.

        Args:
            obstacles: Causes that are still there.

        Returns:
            "" if done, otherwise why not.
        """
        if self.state is not State.E_STOP:
            return ""
        if obstacles:
            return ", ".join(obstacles)
        self.state, self.causes = State.HOLD, ["reset"]
        return ""


class Watchdog:
    """Something that must be heard of.

    Args:
        name: In words.
        deadline: Silence allowed [s].
    """

    def __init__(self, name: str, deadline: float) -> None:
        self.name = name
        self.deadline = deadline
        self._heard: float | None = None

    def beat(self, now: float) -> None:
        """It was heard of, at a steady time [s]."""
        self._heard = now

    def age(self, now: float) -> float:
        """Silence so far [s]; infinite before the first sign of life."""
        return float("inf") if self._heard is None else now - self._heard

    def late(self, now: float) -> bool:
        """Whether the deadline is past."""
        return self.age(now) > self.deadline

    def complaint(self, now: float) -> str:
        """In words, for reasons."""
        age = self.age(now)
        return f"no {self.name} yet" if age == float("inf") else f"no {self.name} for {age:.2f} s"


class Stopwatch:
    """Steady time in the robot's seconds: where the twin runs slower than real time, deadlines stretch with it."""

    def __init__(self) -> None:
        self._scale = 1.0
        self._now = 0.0
        self._steady: float | None = None

    def set_scale(self, scale: float, steady: float) -> None:
        """Set how many simulated seconds pass in a steady one, kept within 0.02 and 1: no deadline gets shorter."""
        self.at(steady)
        if scale == scale:  # not NaN
            self._scale = min(max(scale, 0.02), 1.0)

    def at(self, steady: float) -> float:
        """Robot's steady time at a steady time [s]; never goes back."""
        if self._steady is not None:
            self._now += max(0.0, steady - self._steady) * self._scale
        self._steady = steady if self._steady is None else max(steady, self._steady)
        return self._now
