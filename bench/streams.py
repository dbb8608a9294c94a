# SPDX-License-Identifier: Apache-2.0
"""A robot's sensors as far as recorder and synchronisation notice them: `python -m bench.streams
stress|everyday|numeric`.

Counts what it sends; on SIGINT it writes the count of each topic as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import rclpy
from geometry_msgs.msg import WrenchStamped
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, JointState, PointCloud2

from humanoid_core import endpoints, ros
from humanoid_core.endpoints import Endpoint
from humanoid_interfaces.msg import TactileArray

CAMERAS = ("head", "left_wrist", "right_wrist")
JOINTS = JointState(name=[f"joint_{i}" for i in range(43)], position=[0.0] * 43, velocity=[0.0] * 43, effort=[0.0] * 43)
Load = list[tuple[Endpoint, Any, float]]  # topic, message, rate [Hz]


def _bytes(count: int) -> array:
    return array("B", os.urandom(count))


def stress() -> Load:
    """Three raw cameras and 1 kHz joints: 84 MB/s."""
    image = Image(height=480, width=640, encoding="rgb8", step=1920, data=_bytes(640 * 480 * 3))
    load: Load = [(endpoints.CAMERA_COLOR.at(camera=camera), image, 30.0) for camera in CAMERAS]
    return [*load, (endpoints.JOINT_STATES, JOINTS, 1000.0)]


def numeric() -> Load:
    """What synchronisation listens to."""
    load: Load = [(endpoints.JOINT_STATES, JOINTS, 500.0), (endpoints.IMU.at(place="data"), Imu(), 200.0)]
    return load + [(endpoints.CAMERA_COLOR_INFO.at(camera=camera), CameraInfo(), 30.0) for camera in CAMERAS]


def everyday() -> Load:
    """JPEG and depth cameras, LiDAR, tactile, wrenches, 500 Hz joints and commands: 22 MB/s."""
    colour = CompressedImage(format="jpeg", data=_bytes(118_000))
    depth = CompressedImage(format="16UC1; compressedDepth png", data=_bytes(210_000))
    cloud = PointCloud2(height=1, width=20_000, point_step=16, row_step=320_000, data=_bytes(320_000))
    load = numeric()
    for camera in CAMERAS:
        load.append((endpoints.CAMERA_COLOR_COMPRESSED.at(camera=camera), colour, 30.0))
    load.append((endpoints.CAMERA_DEPTH_COMPRESSED.at(camera="head"), depth, 30.0))
    load.append((endpoints.LIDAR_POINTS, cloud, 10.0))
    load.append((endpoints.JOINT_COMMANDS, JOINTS, 500.0))
    for side in ("left", "right"):
        load.append((endpoints.WRENCH.at(place=f"{side}_wrist"), WrenchStamped(), 200.0))
        for finger in ("thumb", "index", "middle", "palm"):
            place = endpoints.TACTILE.at(place=f"{side}_{finger}")
            load.append((place, TactileArray(values=[0.0] * 12), 100.0))
    return load


def main() -> None:
    """Publish one of the loads until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("load", choices=sorted(LOADS))
    parser.add_argument("--best-effort", action="store_true", help="offer no more than best effort")
    parser.add_argument("--wait", action="store_true", help="send nothing before every topic has a subscription")
    parser.add_argument("--counts", type=Path, help="write the counts to this file")
    options = parser.parse_args()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # else SIGINT breaks off the message being sent
    node = Node("sensors")
    load = LOADS[options.load]()
    if options.best_effort:
        load = [(replace(e, qos=replace(e.qos, reliable=False)), message, rate) for e, message, rate in load]
    publishers = [ros.publisher(node, endpoint) for endpoint, _, _ in load]
    sent = [0] * len(load)
    try:
        while options.wait and not all(publisher.get_subscription_count() for publisher in publishers):
            time.sleep(0.05)
        start = time.perf_counter()
        while rclpy.ok():
            elapsed = time.perf_counter() - start
            stamp = node.get_clock().now().to_msg()
            for i, (_, message, rate) in enumerate(load):
                if sent[i] < elapsed * rate:
                    message.header.stamp = stamp
                    publishers[i].publish(message)
                    sent[i] += 1
            time.sleep(0.0005)
    except KeyboardInterrupt:
        pass
    counts = json.dumps({endpoint.name: count for (endpoint, _, _), count in zip(load, sent)})
    if options.counts:
        options.counts.write_text(counts)
    time.sleep(1.0 if options.wait else 0.0)  # what is on its way is sent again as long as its publisher lives


LOADS = {"stress": stress, "everyday": everyday, "numeric": numeric}

if __name__ == "__main__":
    main()
