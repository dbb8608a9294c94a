# SPDX-License-Identifier: Apache-2.0
"""A robot's sensors as far as recorder and synchronisation notice them: `python -m bench.streams
stress|everyday|numeric`.

Counts what it sends; on SIGINT it prints the count of each topic as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from array import array
from typing import Any

import rclpy
from geometry_msgs.msg import WrenchStamped
from rclpy.node import Node
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
    colour = CompressedImage(format="jpeg", data=_bytes(100_000))
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
    rclpy.init()
    node = Node("sensors")
    load = {"stress": stress, "everyday": everyday, "numeric": numeric}[sys.argv[1]]()
    publishers = [ros.publisher(node, endpoint) for endpoint, _, _ in load]
    sent = [0] * len(load)
    start = time.perf_counter()
    try:
        while rclpy.ok():
            elapsed = time.perf_counter() - start
            stamp = node.get_clock().now().to_msg()
            for i, (_, message, rate) in enumerate(load):
                if sent[i] < elapsed * rate:
                    message.header.stamp = stamp
                    publishers[i].publish(message)
                    sent[i] += 1
            time.sleep(0.0005)
    except (KeyboardInterrupt, rclpy.exceptions.ROSInterruptException):
        pass
    print(json.dumps({endpoint.name: count for (endpoint, _, _), count in zip(load, sent)}))


if __name__ == "__main__":
    main()
