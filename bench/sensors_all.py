# SPDX-License-Identifier: Apache-2.0
"""All sensors on: three colour cameras, depth, LiDAR and 500 Hz joint states through our drivers, each in a process of
its own, to one that takes everything and counts what it misses by stamps."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from bench.rig import REPOSITORY, Rig, node
from bench.sensor_sources import DATAGRAM_PERIOD, JOINT_PERIOD
from humanoid_core import endpoints, ros
from humanoid_core.endpoints import Endpoint

DOMAIN = 59
CAMERAS = ("head", "left_wrist", "right_wrist")
_FRAME = round(1e9 / 30.0)  # [ns]
_SWEEP = 209 * DATAGRAM_PERIOD  # the first multiple of a datagram that is 100 ms or more


@dataclass
class Counted:
    """What came of a stream whose stamps stand at multiples of a period [ns]."""

    period: int
    taken: int = 0
    lost: int = 0
    size: int = 0
    _last: int | None = None

    def restart(self) -> None:
        """Count from the next message on."""
        self.taken = self.lost = self.size = 0
        self._last = None

    def message(self, data: bytes) -> None:
        """Count a serialized message that begins with a header."""
        stamp = int.from_bytes(data[4:8], "little") * 10**9 + int.from_bytes(data[8:12], "little")
        if self._last is not None:
            self.lost += max(0, round((stamp - self._last) / self.period) - 1)
        self._last = stamp
        self.taken += 1
        self.size += len(data)


@dataclass
class AllSensors:
    """A running set of sensors, taken by this process.

    Attributes:
        rig: Its processes.
        streams: By topic.
        lost_inside: What each driver says it lost between device and message.
        cpu: Share of a core of each process, once the run is over.
    """

    rig: Rig
    streams: dict[str, Counted]
    lost_inside: dict[str, int]
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Messages that were published and did not come, and whatever a driver lost before."""
        return sum(one.lost for one in self.streams.values()) + sum(self.lost_inside.values())


def _streams() -> dict[Endpoint, int]:
    color = {endpoints.CAMERA_COLOR.at(camera=camera): _FRAME for camera in CAMERAS}
    rest = {endpoints.LIDAR_POINTS: _SWEEP, endpoints.JOINT_STATES: JOINT_PERIOD}
    return {**color, endpoints.CAMERA_DEPTH.at(camera="head"): _FRAME, **rest}


@contextmanager
def all_sensors() -> Iterator[AllSensors]:
    """Start them, and wait until every stream comes; counting begins then."""
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(REPOSITORY / "config" / "transport" / "fastdds.xml")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    commands = {camera: _camera(camera, depth=camera == "head") for camera in CAMERAS}
    words = ("device:=LiDAR", "model:=livox_mid360", "frame:=lidar", "clock:=device", f"ports:=[{port}]")
    commands["lidar"] = _named(node("humanoid_sensors.lidar_node", *words), "lidar")
    commands["sources"] = ["-m", "bench.sensor_sources", str(port)]
    with Rig(commands, DOMAIN) as rig:
        streams = {end.name: Counted(period) for end, period in _streams().items()}
        inside: dict[str, int] = {}
        for end in _streams():
            ros.subscribe(rig.node, end, streams[end.name].message, raw=True)
        ros.subscribe(rig.node, endpoints.DIAGNOSTICS, lambda message: _heard(inside, message))
        for name in (*CAMERAS, "lidar"):
            _activate(rig, name)
        rig.until(lambda: all(one.taken > 5 for one in streams.values()), "every stream")
        for one in streams.values():
            one.restart()
        yield AllSensors(rig, streams, inside)


def _camera(name: str, depth: bool) -> list[str]:
    words = [f"device:={name}", f"camera:={name}", "source:=pattern", f"frame:={name}", f"depth:={str(depth).lower()}"]
    return _named(node("humanoid_sensors.camera_node", *words), name)


def _named(command: list[str], name: str) -> list[str]:
    return [*command, "-r", f"__node:={name}"]


def _activate(rig: Rig, name: str) -> None:
    client = rig.node.create_client(ChangeState, f"{name}/change_state")
    rig.until(client.service_is_ready, f"the node {name}")
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        request = ChangeState.Request()
        request.transition.id = transition
        done = client.call_async(request)
        rig.until(done.done, f"a transition of {name}")


def _heard(inside: dict[str, int], message: DiagnosticArray) -> None:
    for status in message.status:
        values = {pair.key: pair.value for pair in status.values}
        if "lost" in values:
            inside[status.name] = int(values["lost"])


def run(seconds: float, tell: Callable[[AllSensors, float], None] = lambda *_: None, each: float = 60.0) -> AllSensors:
    """All sensors on for some time; `tell` is called now and then.

    Raises:
        BenchError: a process ended, or a stream did not come.
    """
    with all_sensors() as sensors:
        before, passed = sensors.rig.cpu(), 0.0
        while passed < seconds:
            step = min(each, seconds - passed)
            sensors.rig.spin(step)
            passed += step
            tell(sensors, passed)
        after = sensors.rig.cpu()
        sensors.cpu = {name: (after[name] - before[name]) / seconds for name in after}
        return sensors
