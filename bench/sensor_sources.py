# SPDX-License-Identifier: Apache-2.0
"""What the all-sensors run needs besides our own drivers: joint states, and a Mid-360 that sends over UDP.

Every joint state is due at a multiple of its period and stamped with that, and none is left out, however late; so are
datagrams. Whoever takes them can count what it missed.
"""

from __future__ import annotations

import signal
import socket
import struct
import sys
import threading
import time

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from bench.rig import REPOSITORY
from bench.streams import JOINTS
from humanoid_core import convert, endpoints, ros

sys.path.append(str(REPOSITORY / "src" / "humanoid_sensors" / "test"))

import lidar_packets

JOINT_PERIOD = 2_000_000  # [ns]
DATAGRAM_PERIOD = 480_000  # [ns] of 96 points: 200000 points per second
_STAMP_AT, _COUNT_AT = 28, 7  # in a Mid-360's datagram


def main() -> None:
    """Send until SIGINT; argv: the LiDAR's UDP port."""
    port = int(sys.argv[1])
    done = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: done.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("sources")
    publisher = ros.publisher(node, endpoints.JOINT_STATES)
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    places = np.random.default_rng(0).uniform(-20, 20, (96, 3)).round(3)
    datagram = bytearray(lidar_packets.mid360(places, 0))
    begin = time.time_ns()
    joints = datagrams = 0
    while not done.is_set():
        elapsed = time.time_ns() - begin
        while joints * JOINT_PERIOD <= elapsed:
            JOINTS.header.stamp = convert.to_stamp(begin + joints * JOINT_PERIOD)
            publisher.publish(JOINTS)
            joints += 1
        while datagrams * DATAGRAM_PERIOD <= elapsed:
            struct.pack_into("<H", datagram, _COUNT_AT, datagrams & 0xFFFF)
            struct.pack_into("<Q", datagram, _STAMP_AT, begin + datagrams * DATAGRAM_PERIOD)
            line.sendto(datagram, ("127.0.0.1", port))
            datagrams += 1
        time.sleep(max(0.0, 1e-9 * (begin + joints * JOINT_PERIOD - time.time_ns())))
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
