# SPDX-License-Identifier: Apache-2.0
"""What is aligned, and how: config/sync/*.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from humanoid_core.config import load

Policy = Literal["nearest", "previous", "linear", "slerp", "window"]


@dataclass(frozen=True)
class Stream:
    """One stream of a robot.

    Attributes:
        name: As it stands in `sync/frame`.
        topic: Relative to the robot's namespace. For images that of the camera_info, which carries the same stamp.
        type: "package/msg/Name"; the message must begin with a std_msgs/Header.
        rate: Expected rate [Hz].
        policy: nearest: the sample whose stamp is nearest. previous: the newest that is not later. linear: the two
            around, values in between; slerp: likewise, with quaternions on the great circle. window: all since the
            instant before, without values.
        tolerance: A sample further away than this does not count [s]; for previous, how old it may be.
        max_gap: Two samples further apart than this are a gap [s]; what is interpolated across one is flagged.
        latency: Subtracted from each stamp, where a device stamps late [s].
        clock: Name of the device's clock, whose samples come on `<topic>/clock`; "" where stamps are host time.
        values: Whether frames carry the aligned values; only of numeric types.
        wait: Whether a frame waits for this stream, up to the deadline.
    """

    name: str
    topic: str
    type: str
    rate: float
    policy: Policy
    tolerance: float
    max_gap: float
    latency: float = 0.0
    clock: str = ""
    values: bool = False
    wait: bool = True

    def __post_init__(self) -> None:
        if not self.name or not self.topic:
            raise ValueError("name and topic must not be empty")
        if self.rate <= 0 or self.tolerance <= 0 or self.max_gap <= 0:
            raise ValueError("rate, tolerance and max_gap must be above 0")
        if self.max_gap < 1.0 / self.rate:
            raise ValueError(f"max_gap {self.max_gap} s is below the period of {self.rate} Hz")
        if self.policy == "nearest" and self.tolerance < 0.5 / self.rate:
            raise ValueError(f"tolerance {self.tolerance} s cannot hold at {self.rate} Hz: half a period is more")
        if self.policy in ("linear", "slerp") and not self.values:
            raise ValueError(f"policy {self.policy} interpolates values, so values must be true")


@dataclass(frozen=True)
class Plan:
    """The whole file.

    Attributes:
        rate: Frames per second, where no master is named [Hz].
        master: Stream whose samples are the instants, or "" for a fixed rate.
        deadline: A frame is published this long after its instant at the latest [s].
        host_tolerance: A stamp in host time may be this far in the future [s].
        host_latency: ... and this old on arrival [s]; beyond it the clock is called uncertain.
        streams: What is aligned.
    """

    rate: float
    deadline: float
    streams: list[Stream]
    master: str = ""
    host_tolerance: float = 0.005
    host_latency: float = 0.5

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


def load_plan(path: str | Path) -> Plan:
    """Read a plan.

    Raises:
        ConfigError: naming file and key.
    """
    return load(Plan, path)
