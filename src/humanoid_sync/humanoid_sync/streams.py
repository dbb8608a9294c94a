# SPDX-License-Identifier: Apache-2.0
"""What is aligned, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Policy = Literal["nearest", "previous", "linear", "slerp", "window"]


@dataclass(frozen=True)
class Stream:
    """One stream of a robot.

    Attributes:
        name: As it stands in `sync/frame`.
        topic: Relative to the robot's namespace. For images that of the camera_info, which carries the same stamp.
        type: "package/msg/Name"; the message must begin with a std_msgs/Header (or see `stamp`).
        rate: Expected rate [Hz].
        policy: nearest: the sample whose stamp is nearest. previous: the newest that is not later. linear: the two
            around, values in between; slerp: likewise, with quaternions on the great circle. window: all since the
            instant before, without values.
        tolerance: A sample further away than this does not count [s].
        max_gap: Two samples further apart than this are a gap [s]; what is interpolated across one is flagged.
        max_age: A sample older than the instant by more than this does not count [s]; 0: `tolerance` decides. For a
            window, how far it reaches back; 0: to the instant before.
        latency: Subtracted from each stamp, where a device stamps late [s].
        clock: Name of the device's clock, one of the plan's; "" where stamps are host time.
        values: Whether frames carry the aligned values; only of numeric types.
        wait: Whether a frame waits for this stream, up to the deadline.
        stamp: Where the stamp stands. header: std_msgs/Header first. microseconds: a uint64 first, as PX4 has it.
    """

    name: str
    topic: str
    type: str
    rate: float
    policy: Policy
    tolerance: float
    max_gap: float
    max_age: float = 0.0
    latency: float = 0.0
    clock: str = ""
    values: bool = False
    wait: bool = True
    stamp: Literal["header", "microseconds"] = "header"

    def __post_init__(self) -> None:
        if not self.name or not self.topic:
            raise ValueError("name and topic must not be empty")
        if self.rate <= 0 or self.tolerance <= 0 or self.max_gap <= 0 or self.max_age < 0:
            raise ValueError("rate, tolerance and max_gap must be above 0, max_age not below")
        if self.max_gap < 1.0 / self.rate:
            raise ValueError(f"{self.name}: max_gap {self.max_gap} s is below the period of {self.rate} Hz")
        if self.policy == "nearest" and self.tolerance < 0.5 / self.rate:
            raise ValueError(
                f"{self.name}: tolerance {self.tolerance} s cannot hold at {self.rate} Hz: half a period is more"
            )
        if self.policy in ("linear", "slerp") and not self.values:
            raise ValueError(f"{self.name}: policy {self.policy} interpolates values, so values must be true")
        if not abs(self.latency) <= 2.0:
            raise ValueError(f"{self.name}: latency {self.latency} s is no fixed latency: at most 2 s")


@dataclass(frozen=True)
class Clock:
    """A device's clock.

    Attributes:
        pairs: Where pairs of device stamp and arrival come from. topic: `<topic>/clock` of each stream on this clock,
            stamped by the driver. streams: the streams' own messages, stamp and arrival.
        wraps: Device time after which its counter begins anew [s]; 0: never.
        tick: Resolution of its stamps, where it is coarse [s].
    """

    pairs: Literal["topic", "streams"] = "topic"
    wraps: float = 0.0
    tick: float = 0.0

    def __post_init__(self) -> None:
        if self.wraps < 0 or not 0 <= self.tick <= 1.0:
            raise ValueError(f"wraps {self.wraps} s, tick {self.tick} s: must not be below 0, tick at most 1")


@dataclass(frozen=True)
class Limits:
    """What is worth a warning.

    Attributes:
        rate: Less than this share of the expected rate [1].
        silence: No message for longer [s].
        missing: More than this share of the last frames without the stream [1].
        late: More than this share of the last messages came after their frame was due [1].
        skew: 95th percentile of the distance from the instant, in tolerances [1].
        uncertainty: Of the clock [s].
        step_shown: How long a clock's step is told [s].
    """

    rate: float = 0.8
    silence: float = 1.0
    missing: float = 0.05
    late: float = 0.05
    skew: float = 1.0
    uncertainty: float = 0.002
    step_shown: float = 10.0


@dataclass(frozen=True)
class Plan:
    """All streams of one robot.

    Attributes:
        rate: Frames per second, where no master is named [Hz].
        deadline: A frame is published this long after its instant at the latest [s].
        streams: What is aligned.
        clocks: Device clocks by name.
        master: Stream whose samples are the instants, or "" for a fixed rate.
        host_tolerance: A stamp in host time may be this far in the future [s].
        host_latency: ... and this old on arrival [s]; beyond it the clock is called uncertain.
        limits: What is worth a warning.
    """

    rate: float
    deadline: float
    streams: list[Stream]
    clocks: dict[str, Clock] = field(default_factory=dict)
    master: str = ""
    host_tolerance: float = 0.005
    host_latency: float = 0.5
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0.1 <= self.rate <= 1000.0:
            raise ValueError(f"rate {self.rate} Hz, expected 0.1 to 1000")
        if self.deadline <= 0:
            raise ValueError(f"deadline {self.deadline} s, expected above 0")
        names = [stream.name for stream in self.streams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"stream {', '.join(twice)} stands twice")
        if self.master and self.master not in names:
            raise ValueError(f"master {self.master!r} is none of {', '.join(names)}")
        for stream in self.streams:
            if stream.clock and stream.clock not in self.clocks:
                known = ", ".join(self.clocks) or "none"
                raise ValueError(f"{stream.name}: clock {stream.clock!r} is none of the clocks: {known}")
