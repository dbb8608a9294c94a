# SPDX-License-Identifier: Apache-2.0
"""Sensors: LiDAR decoding, on real captures where there are some; the cost of a camera's node; all sensors at once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from bench import sensors_all
from bench.report import BenchError, Figure
from bench.rig import REPOSITORY, Rig, node
from humanoid_core import endpoints, ros
from humanoid_sensors import pcap
from humanoid_sensors.lidar.cloud import Decoder
from humanoid_sensors.lidar.hesai import PandarQt64
from humanoid_sensors.lidar.livox import Mid360
from humanoid_sensors.lidar.ouster import Ouster
from humanoid_sensors.lidar.velodyne import Vlp16

sys.path.append(str(REPOSITORY / "src" / "humanoid_sensors" / "test"))

import lidar_packets

DOMAIN = 57
REPEATS = 8
ANGLES = REPOSITORY / "src" / "humanoid_sensors" / "config" / "pandar_qt64_angles.csv"


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    return {name: figure for part in PARTS.values() for name, figure in part(seconds).items()}


def _decoding(seconds: float) -> dict[str, Figure]:
    data = Path(os.environ.get("HUMANOID_SHARED_DATA", REPOSITORY.parent / "shared" / "data")) / "lidar"
    if not data.is_dir():
        raise BenchError(f"no captures in {data}: set HUMANOID_SHARED_DATA to their folder")
    return {
        f"decoding {name}, CPU": Figure(_speed(make, datagrams, length))
        for name, (make, datagrams, length) in _captures(data).items()
    }


def _one_camera(seconds: float) -> dict[str, Figure]:
    share, taken = _camera(seconds)
    return {
        "camera 640x480 at 30 Hz uncompressed, share of a core": Figure(share),
        "camera 640x480 at 30 Hz uncompressed, pictures taken per second": Figure(taken),
    }


def _all(seconds: float) -> dict[str, Figure]:
    """Three raw cameras, depth, LiDAR and joints at once, into one process."""
    sensors = sensors_all.run(seconds)
    slowest = min(1e-9 * one.taken * one.period / seconds for one in sensors.streams.values())
    return {
        "all sensors on, messages lost": Figure(sensors.lost),
        "all sensors on, slowest stream of its rate": Figure(100.0 * slowest),
        "all sensors on, taken": Figure(sum(one.size for one in sensors.streams.values()) / seconds / 1e6),
        "all sensors on, drivers' share of a core": Figure(
            100.0 * sum(share for name, share in sensors.cpu.items() if name != "sources")
        ),
    }


def _captures(data: Path) -> dict[str, tuple[Callable[[], Decoder], list[tuple[int, bytes]], float]]:
    """Decoder, (arrival, datagram) and length [s] of each."""
    scans = {
        name: [
            one
            for scan in lidar_packets.recorded_scans(data / folder)
            for one in lidar_packets.scan_datagrams(scan, room, sized)
        ]
        for name, folder, room, sized in (("vlp16", "velodyne_vlp16", 1206, False), ("qt64", "hesai_qt64", 1500, True))
    }
    ouster = data / "ouster"
    metadata = next(ouster.glob("*.json"))
    turns = [(one.stamp, one.payload) for one in pcap.read(next(ouster.glob("*.pcap")))]
    places = np.random.default_rng(0).uniform(-20, 20, (96, 3)).round(3)
    mid360 = [(i * 480_000, lidar_packets.mid360(places, i * 480_000, i)) for i in range(2083)]
    return {
        "Velodyne VLP-16, both echoes": (lambda: Vlp16("bench"), scans["vlp16"], 0.4),
        "Hesai PandarQT, both echoes": (lambda: PandarQt64("bench", ANGLES), scans["qt64"], 0.4),
        "Ouster OS-1-32, 1024x10": (_made_once(Ouster("bench", metadata)), turns, 0.1),
        "Livox Mid-360, made datagrams": (lambda: Mid360("bench"), mid360, 1.0),
    }


def _made_once(decoder: Decoder) -> Callable[[], Decoder]:
    """Of a decoder that computes its table of rays when it is made."""
    return lambda: decoder


def _speed(make: Callable[[], Decoder], datagrams: list[tuple[int, bytes]], length: float) -> float:
    """Recorded seconds per CPU second."""
    best = np.inf
    for _ in range(REPEATS):
        decoder = make()
        start = time.process_time()
        for arrival, datagram in datagrams:
            decoder.feed(datagram, arrival)
        decoder.flush()
        best = min(best, time.process_time() - start)
    return length / best


def _camera(seconds: float) -> tuple[float, float]:
    """Share of a core [%] of the camera's node with a subscriber for raw pictures, and pictures that it got [1/s]."""
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(REPOSITORY / "config" / "transport" / "fastdds.xml")
    config = str(REPOSITORY / "src" / "humanoid_sensors" / "config" / "camera.yaml")
    image = endpoints.CAMERA_COLOR.at(camera="head")
    with Rig({"camera": node("humanoid_sensors.camera_node", config=config)}, DOMAIN) as rig:
        taken: list[float] = []
        ros.subscribe(rig.node, image, lambda _: taken.append(time.monotonic()), raw=True)
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            client = rig.node.create_client(ChangeState, "camera/change_state")
            rig.until(client.service_is_ready, "the camera's node")
            request = ChangeState.Request()
            request.transition.id = transition
            done = client.call_async(request)
            rig.until(done.done, "its transition")
        rig.until(lambda: len(taken) > 30, "pictures")
        before, begin, first = rig.cpu()["camera"], time.monotonic(), len(taken)
        rig.spin(seconds)
        length = time.monotonic() - begin
        return 100.0 * (rig.cpu()["camera"] - before) / length, (len(taken) - first) / length


PARTS: dict[str, Callable[[float], dict[str, Figure]]] = {"decoding": _decoding, "camera": _one_camera, "all": _all}
