# SPDX-License-Identifier: Apache-2.0
"""`ros2 topic`."""

import math
import statistics
from collections import deque
from typing import Any

import rclpy
from rclpy.qos import qos_profile_sensor_data
from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden
from rosbag2_py._qos import request_for

from . import _ros


def _list(args):
    with _ros.ros_node(args) as node:
        for name, types in sorted(node.get_topic_names_and_types()):
            if args.include_hidden_topics or not topic_or_service_is_hidden(name):
                print(f"{name} [{', '.join(types)}]" if args.show_types else name)


def _echo(args):
    limit = None if args.full_length else args.truncate_length
    with _ros.ros_node(args, discover=False) as node:
        done = rclpy.Future()

        def show(message: Any):
            if not done.done():
                print(_ros.to_yaml(message, limit), end="---\n")
            if args.once:
                done.set_result(True)

        kind = _ros.topic_type(node, args.topic_name, args.message_type)
        offers = [info.qos_profile for info in node.get_publishers_info_by_topic(args.topic_name)]
        node.create_subscription(kind, args.topic_name, show, request_for(args.topic_name, offers))
        rclpy.spin_until_future_complete(node, done)


def _hz(args):
    with _ros.ros_node(args, discover=False) as node:
        intervals: deque[float] = deque(maxlen=args.window)
        last = printed = None

        def count(_: Any):
            nonlocal last
            now = node.get_clock().now().nanoseconds * 1e-9
            if last is not None and now < last:
                intervals.clear()
            elif last is not None:
                intervals.append(now - last)
            last = now

        kind = _ros.topic_type(node, args.topic_name, timeout=math.inf)
        node.create_subscription(kind, args.topic_name, count, qos_profile_sensor_data, raw=True)
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.1)
            if printed is None or last is None or last < printed:
                printed = last
            elif last >= printed + 1.0 and intervals:
                printed = last
                mean, deviation = statistics.fmean(intervals), statistics.pstdev(intervals)
                print(
                    f"average rate: {1.0 / mean if mean > 0.0 else 0.0:.3f}\n\tmin: {min(intervals):.3f}s "
                    f"max: {max(intervals):.3f}s std dev: {deviation:.5f}s window: {len(intervals)}"
                )


def add_arguments(parser):
    """Declare the verbs."""
    verbs = _ros.verbs(parser)
    verb = _ros.add_verb(verbs, "list", "Output a list of available topics", _list)
    verb.add_argument("-t", "--show-types", action="store_true", help="Additionally show the topic type")
    verb.add_argument("--include-hidden-topics", action="store_true", help="Consider hidden topics as well")
    verb = _ros.add_verb(verbs, "echo", "Output messages from a topic", _echo)
    verb.add_argument("topic_name", help="Name of the ROS topic (e.g. '/chatter')")
    verb.add_argument("message_type", nargs="?", help="Type of the ROS message (e.g. 'std_msgs/msg/String')")
    verb.add_argument("--once", action="store_true", help="Print the first message received and then exit.")
    verb.add_argument("-f", "--full-length", action="store_true", help="Output all elements of arrays and strings")
    verb.add_argument("-l", "--truncate-length", type=int, default=128, help="Elements to keep (default: %(default)s)")
    verb = _ros.add_verb(verbs, "hz", "Print the average publishing rate to screen", _hz)
    verb.add_argument("topic_name", help="Name of the ROS topic (e.g. '/chatter')")
    verb.add_argument("-w", "--window", type=int, default=10000, help="Window size, in messages (default: %(default)s)")
