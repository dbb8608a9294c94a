# SPDX-License-Identifier: Apache-2.0
"""What the pre-flight check looks for, and what it sees of it, no ROS."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from humanoid_core import endpoints
from humanoid_core.endpoints import Endpoint
from humanoid_description import Robot
from humanoid_sensors.listing import Sensor
from humanoid_sensors.tactile import layout


@dataclass(frozen=True)
class Stream:
    """A topic that should be there.

    Attributes:
        endpoint: Its name and type.
        rate: Expected [Hz]; 0: it must only be there.
        required: Whether its absence keeps the robot on the ground.
        stamped: Whether its messages begin with a std_msgs/Header.
    """

    endpoint: Endpoint
    rate: float = 0.0
    required: bool = True
    stamped: bool = True


@dataclass
class Seen:
    """What came of a stream.

    Attributes:
        publishers: How many there are.
        messages: How many came.
        size: All of them together [bytes].
        first: Stamp of the first [ns].
        last: Stamp of the last [ns].
        youngest: Least time from stamp to arrival [s]; negative: stamps of the future.
        oldest: Greatest.
    """

    publishers: int = 0
    messages: int = 0
    size: int = 0
    first: int = 0
    last: int = 0
    youngest: float = math.inf
    oldest: float = -math.inf

    def message(self, data: bytes, now: int, stamped: bool) -> None:
        """Count a serialized message that came at `now` [ns]."""
        stamp = now
        if stamped and len(data) >= 12:
            seconds, rest = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
            stamp = seconds * 10**9 + rest
        self.first = self.first if self.messages else stamp
        self.last = stamp
        self.messages += 1
        self.size += len(data)
        age = 1e-9 * (now - stamp)
        self.youngest, self.oldest = min(self.youngest, age), max(self.oldest, age)

    @property
    def rate(self) -> float:
        """[Hz] by stamps, so that a slow simulation is not a slow sensor."""
        span = 1e-9 * (self.last - self.first)
        return (self.messages - 1) / span if span > 0.0 else 0.0


@dataclass
class World:
    """Everything that was seen. `None` and empty: nothing of that kind came.

    Attributes:
        hardware: "twin" or "real".
        seen: By topic.
        calibrations: Width, height [px] and focal length [px] of each camera_info, by topic.
        urdf: Published robot description.
        joints: Names in joint_states.
        safety: State of the limiter.
        reasons: Why it is in that state.
        operator_age: Since the last heartbeat [s].
        robot_mode: As RobotStatus numbers it.
        robot_words: What the robot says of itself.
        robot_faults: Of the robot.
        services: Those that are ready.
        commanders: Publishers of joint_commands.
        diagnostics: (level 0 to 3, words) of each part that reports.
        warnings: Of time synchronisation.
        recorder: (in error, words).
        disk_free: Where episodes go [bytes].
        disk_needed: Below this no episode starts [bytes].
        shared_memory: What is wrong with it, in words.
        host_clock: (synchronised, greatest error [s]) as the kernel says.
        pressed: Seconds from the pressed stop to the limiter's E_STOP; NaN: it did not follow.
    """

    hardware: str = "real"
    seen: dict[str, Seen] = field(default_factory=dict)
    calibrations: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    urdf: str = ""
    joints: tuple[str, ...] = ()
    safety: int | None = None
    reasons: list[str] = field(default_factory=list)
    operator_age: float = math.inf
    robot_mode: int | None = None
    robot_words: str = ""
    robot_faults: list[str] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    commanders: int = 0
    diagnostics: dict[str, tuple[int, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    recorder: tuple[bool, str] | None = None
    disk_free: float = 0.0
    disk_needed: float = 0.0
    shared_memory: str = ""
    host_clock: tuple[bool, float] | None = None
    pressed: float | None = None


def expected_streams(robot: Robot, sensors: Mapping[str, Sensor] | None, without: Iterable[str] = ()) -> list[Stream]:
    """Streams of a robot.

    Args:
        robot: The robot; with the twin all of its sensors must be there.
        sensors: What config/sensors starts at a real robot: only that and the joints must be there. None: the twin.
        without: Beginnings of topics that are left out.
    """
    config, real = robot.config, sensors is not None
    streams = {
        one.endpoint.name: one
        for one in [
            Stream(endpoints.JOINT_STATES, config.joint_state_rate),
            Stream(endpoints.ROBOT_STATUS),
            Stream(endpoints.SAFETY_STATUS),
            Stream(endpoints.TF),
            *(Stream(endpoints.IMU.at(place=place), imu.rate, not real) for place, imu in config.imus.items()),
            *(Stream(endpoints.WRENCH.at(place=p), wrench.rate, not real) for p, wrench in config.wrenches.items()),
            *(Stream(endpoints.TACTILE.at(place=p), pad.rate, not real) for p, pad in config.tactile.items()),
            *([Stream(endpoints.LIDAR_POINTS, config.lidar.rate, not real)] if config.lidar else []),
            *([Stream(endpoints.AUDIO, config.microphone.rate, not real)] if config.microphone else []),
        ]
    }
    for name, camera in config.cameras.items():
        depth = camera.depth.rate if camera.depth else 0.0
        streams |= {one.endpoint.name: one for one in _camera(name, camera.color.rate, depth, not real)}
    for sensor in (sensors or {}).values():
        streams |= {one.endpoint.name: one for one in _sensor(sensor)}
    return [one for name, one in streams.items() if not name.startswith(tuple(without))]


def _camera(name: str, color: float, depth: float, required: bool) -> list[Stream]:
    ends = [(endpoints.CAMERA_COLOR_COMPRESSED, color), (endpoints.CAMERA_COLOR_INFO, color)]
    if depth:
        ends += [(endpoints.CAMERA_DEPTH_COMPRESSED, depth), (endpoints.CAMERA_DEPTH_INFO, depth)]
    return [Stream(end.at(camera=name), rate, required) for end, rate in ends]


def _sensor(sensor: Sensor) -> list[Stream]:
    """What a driver of config/sensors publishes."""
    given = sensor.parameters
    rate = float(given.get("expected_rate", 0.0))
    if sensor.node == "camera":
        each = float(given.get("rate", 30.0))
        return _camera(str(given["camera"]), each, each if given.get("depth") else 0.0, True)
    prefix, place = str(given.get("prefix", "")), str(given.get("place", ""))
    ends = {
        "lidar": lambda: [endpoints.LIDAR_POINTS],
        "imu": lambda: [endpoints.IMU.at(place=place)],
        "wrench": lambda: [endpoints.WRENCH.at(place=place)],
        "microphone": lambda: [endpoints.AUDIO],
        "tactile": lambda: [endpoints.TACTILE.at(place=prefix + pad) for pad in layout.load(given["layout"]).pads],
    }
    return [Stream(end, rate) for end in ends[sensor.node]()]
