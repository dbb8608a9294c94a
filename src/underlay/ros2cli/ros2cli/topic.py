# SPDX-License-Identifier: Apache-2.0
"""`ros2 topic`."""

import math
from collections import deque
from typing import Any

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.qos import qos_profile_sensor_data
from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden

from . import _ros


def _list(args):
    with _ros.ros_node(args) as node:
        topics = [
            (name, types)
            for name, types in sorted(node.get_topic_names_and_types())
            if args.include_hidden_topics or not topic_or_service_is_hidden(name)
        ]
    if args.count_topics:
        print(len(topics))
        return
    for name, types in topics:
        print(f"{name} [{', '.join(types)}]" if args.show_types else name)


def _info(args) -> str | None:
    end = "\n\n" if args.verbose else "\n"
    with _ros.ros_node(args, discover=False) as node:
        types = _ros.wait_for(lambda: dict(node.get_topic_names_and_types()).get(args.topic_name))
        if not types:
            return f"Unknown topic '{args.topic_name}'"
        _ros.wait_for(lambda: False, args.spin_time)  # the other end points
        print(f"Type: {types[0] if len(types) == 1 else types}", end=end)
        for label, infos in (
            ("Publisher", node.get_publishers_info_by_topic(args.topic_name)),
            ("Subscription", node.get_subscriptions_info_by_topic(args.topic_name)),
        ):
            print(f"{label} count: {len(infos)}", end=end)
            for info in infos if args.verbose else ():
                print(info, end=end)
    return None


def _csv(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(_csv(item) for item in value.values())
    return ",".join(_csv(item) for item in value) if isinstance(value, list) else str(value)


def _echo(args):
    options = {
        "limit": None if args.full_length else args.truncate_length,
        "no_arr": args.no_arr,
        "no_str": args.no_str,
    }
    with _ros.ros_node(args, discover=False) as node:
        done = rclpy.Future()

        def show(message: Any):
            try:
                for name in (args.field or "").split("."):
                    message = getattr(message, name) if name else message
            except AttributeError as exc:
                raise RuntimeError(f"Invalid field '{args.field}': {exc}") from exc
            if args.filter_expr and not eval(args.filter_expr, {"m": message}):
                return
            if args.once:
                done.set_result(True)
            if not hasattr(message, "get_fields_and_field_types"):
                print(message, end="\n---\n")
            elif args.csv:
                print(_csv(_ros.to_plain(message, **options)))
            else:
                print(_ros.to_yaml(message, args.flow_style, **options), end="---\n")

        kind = _ros.topic_type(node, args.topic_name, args.message_type)
        qos = _ros.subscription_qos(node, args.topic_name, args)
        node.create_subscription(kind, args.topic_name, show, qos, raw=args.raw)
        rclpy.spin_until_future_complete(node, done, timeout_sec=args.timeout)


def _hz(args):
    with _ros.ros_node(args, discover=False) as node:
        clock = Clock(clock_type=ClockType.SYSTEM_TIME) if args.wall_time else node.get_clock()
        intervals: deque[float] = deque(maxlen=args.window)
        last = printed = None

        def count(message: Any):
            nonlocal last
            if args.filter_expr and not eval(args.filter_expr, {"m": message}):
                return
            now = clock.now().nanoseconds * 1e-9
            if last is not None and now < last:
                intervals.clear()
            elif last is not None:
                intervals.append(now - last)
            last = now

        kind = _ros.topic_type(node, args.topic_name, timeout=math.inf)
        node.create_subscription(kind, args.topic_name, count, qos_profile_sensor_data, raw=not args.filter_expr)
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.1)
            if printed is None or last is None or last < printed:
                printed = last
            elif last >= printed + 1.0 and intervals:
                printed = last
                mean = sum(intervals) / len(intervals)
                deviation = math.sqrt(sum((x - mean) ** 2 for x in intervals) / len(intervals))
                print(
                    f"average rate: {1.0 / mean if mean > 0.0 else 0.0:.3f}\n\tmin: {min(intervals):.3f}s "
                    f"max: {max(intervals):.3f}s std dev: {deviation:.5f}s window: {len(intervals)}"
                )


def add_arguments(parser):
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")

    def add(name: str, text: str, main: Any):
        verb = verbs.add_parser(name, help=text, description=text)
        _ros.add_node_arguments(verb)
        verb.set_defaults(main=main)
        if name != "list":
            verb.add_argument("topic_name", help="Name of the ROS topic (e.g. '/chatter')")
        return verb

    verb = add("list", "Output a list of available topics", _list)
    verb.add_argument("-t", "--show-types", action="store_true", help="Additionally show the topic type")
    verb.add_argument("-c", "--count-topics", action="store_true", help="Only display the number of topics discovered")
    verb.add_argument("--include-hidden-topics", action="store_true", help="Consider hidden topics as well")
    verb = add("info", "Print information about a topic", _info)
    verb.add_argument("-v", "--verbose", action="store_true", help="Print all publishers and subscriptions with QoS")
    verb = add("echo", "Output messages from a topic", _echo)
    verb.add_argument("message_type", nargs="?", help="Type of the ROS message (e.g. 'std_msgs/msg/String')")
    _ros.add_qos_arguments(verb, "sensor_data")
    verb.add_argument("--once", action="store_true", help="Print the first message received and then exit.")
    verb.add_argument("--timeout", type=float, metavar="N", help="Set a timeout in seconds for waiting")
    verb.add_argument("--field", help="Echo a selected field of a message; '.' selects sub-fields")
    verb.add_argument("--csv", action="store_true", help="Output all fields separated by commas")
    verb.add_argument("-f", "--full-length", action="store_true", help="Output all elements of arrays and strings")
    verb.add_argument("-l", "--truncate-length", type=int, default=128, help="Elements to keep (default: %(default)s)")
    verb.add_argument("--no-arr", action="store_true", help="Don't print array fields of messages")
    verb.add_argument("--no-str", action="store_true", help="Don't print string fields of messages")
    verb.add_argument("--flow-style", action="store_true", help="Print collections in the block style")
    verb.add_argument("--raw", action="store_true", help="Echo the raw binary representation")
    verb.add_argument("--filter", dest="filter_expr", help="Python expression on m (the message)")
    verb = add("hz", "Print the average publishing rate to screen", _hz)
    verb.add_argument("-w", "--window", type=int, default=10000, help="Window size, in messages (default: %(default)s)")
    verb.add_argument("--filter", dest="filter_expr", help="Python expression on m (the message)")
    verb.add_argument("--wall-time", action="store_true", help="Calculate the rate in wall time")
