# SPDX-License-Identifier: Apache-2.0
"""When a clip is where: standing ready, engaged and waiting for the robot to join, moving, finished."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where the playback is.

    Attributes:
        time: In the clip [s].
        engaged: Whether the dead-man is held.
        phase: ready, joining, moving or finished.
    """

    time: float
    engaged: bool
    phase: str


@dataclass(frozen=True)
class Playback:
    """A clip's course in time: the person stands in the first pose, engages, lets the robot join, moves, and lets go.

    Attributes:
        duration: Of the clip [s].
        speed: Seconds of the clip per second.
        loop: Begin again at the end, each time letting go and engaging anew, since the first pose may be far from the
            last.
        engage_after: From the start until the dead-man is held [s].
        join: From then until the person moves [s].
    """

    duration: float
    speed: float
    loop: bool
    engage_after: float
    join: float

    def at(self, elapsed: float) -> Place:
        """The place `elapsed` [s] after the start."""
        wait = self.engage_after + self.join
        moving = self.duration / self.speed
        if self.loop:
            elapsed %= wait + moving
        if elapsed < self.engage_after:
            return Place(0.0, False, "ready")
        if elapsed < wait:
            return Place(0.0, True, "joining")
        if elapsed < wait + moving:
            return Place((elapsed - wait) * self.speed, True, "moving")
        return Place(self.duration, False, "finished")
