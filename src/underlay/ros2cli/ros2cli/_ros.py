# SPDX-License-Identifier: Apache-2.0
"""What the commands share: a hidden node, waiting for the graph, messages as YAML and back."""

import array
import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import rclpy
import yaml
from rclpy.node import HIDDEN_NODE_PREFIX, Node
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSPresetProfiles,
    QoSProfile,
    QoSReliabilityPolicy,
)

_POLICIES = {
    "reliability": QoSReliabilityPolicy,
    "durability": QoSDurabilityPolicy,
    "history": QoSHistoryPolicy,
}
_PATIENCE = 5.0  # [s] how long to wait for what was asked for by name; Fast DDS announces itself every 3 s


def add_node_arguments(parser):
    """Declare what upstream's commands on the graph have in common; there is no daemon to be avoided."""
    parser.add_argument("--spin-time", type=float, default=0.5, help="Seconds to wait for discovery")
    parser.add_argument("-s", "--use-sim-time", action="store_true", help="Enable ROS simulation time")
    parser.add_argument("--no-daemon", action="store_true", help="Accepted; there is no daemon")


@contextlib.contextmanager
def ros_node(args, *, discover: bool = True) -> Iterator[Node]:
    """A hidden node; if `discover` others are known, as far as they turn up within the spin time of the last one."""
    rclpy.init(args=[])
    node = rclpy.create_node(f"_ros2cli_{os.getpid()}", start_parameter_services=False)
    try:
        if args.use_sim_time:
            node.set_parameters([rclpy.Parameter("use_sim_time", value=True)])
        own = [node.get_fully_qualified_name()]
        known = [own]  # what the graph was like, one after the other
        while discover and wait_for(
            lambda: node_names(node, hidden=True) not in (own, known[-1]), args.spin_time if known[1:] else _PATIENCE
        ):
            known.append(node_names(node, hidden=True))
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def wait_for(condition: Callable[[], Any], timeout: float = _PATIENCE) -> Any:
    """Poll until the condition is true or the timeout [s] is over; returns what it gave last."""
    end = time.monotonic() + timeout
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return result


def node_names(node: Node, hidden: bool = False) -> list[str]:
    """Full names of all nodes."""
    return sorted(
        f"{namespace.rstrip('/')}/{name}"
        for name, namespace in node.get_node_names_and_namespaces()
        if hidden or not name.startswith(HIDDEN_NODE_PREFIX)
    )


def find_node(node: Node, name: str) -> str:
    """Full name of a node, once it is there; RuntimeError if it is not."""
    full_name = name if name.startswith("/") else f"/{name}"
    if not wait_for(lambda: full_name in node_names(node, hidden=True)):
        raise RuntimeError("Node not found")
    return full_name


def call(node: Node, service_type: Any, name: str, request: Any, timeout: float = 5.0) -> Any:
    """Response of a service; RuntimeError if it is not there or does not answer within the timeout [s]."""
    client = node.create_client(service_type, name)
    if not client.wait_for_service(timeout_sec=timeout):
        raise RuntimeError(f"Wait for service timed out waiting for '{name}'")
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=timeout)
    if not future.done():
        raise RuntimeError(f"No answer from service '{name}'")
    return future.result()


# Types and messages


def interface(name: str, kind: str) -> Any:
    """Class of a message (kind msg) or service (srv) from package/kind/Name or package/Name.

    Raises:
        RuntimeError: There is none.
    """
    try:
        package, *_, type_name = name.split("/")
        return getattr(importlib.import_module(f"{package}.{kind}"), type_name)
    except (AttributeError, ModuleNotFoundError, ValueError) as exc:
        what = {"msg": "message", "srv": "service"}[kind]
        raise RuntimeError(f"The passed {what} type is invalid") from exc


def topic_type(node: Node, topic: str, given: str | None = None, timeout: float = _PATIENCE) -> Any:
    """Class of a topic's messages, by the type given or found.

    Raises:
        RuntimeError: None was found within the timeout [s].
    """
    names = [given] if given else wait_for(lambda: dict(node.get_topic_names_and_types()).get(topic), timeout)
    if not names:
        print(f"WARNING: topic [{topic}] does not appear to be published yet")
        raise RuntimeError("Could not determine the type for the passed topic")
    return interface(names[0], "msg")


def to_plain(value: Any, limit: int | None = None, no_arr: bool = False, no_str: bool = False, kind: str = "") -> Any:
    """A message or value as dictionaries, lists and scalars.

    Args:
        value: Message or value.
        limit: Number of elements or characters that are kept; None for all.
        no_arr: Whether lists become a note of their type and length.
        no_str: Whether texts become a note of their length.
        kind: Type of the field.
    """
    if hasattr(value, "get_fields_and_field_types"):
        fields = value.get_fields_and_field_types().items()
        return {name: to_plain(getattr(value, name), limit, no_arr, no_str, field) for name, field in fields}
    if isinstance(value, bytes):
        value = "".join(chr(byte) for byte in value)
    if isinstance(value, str):
        if no_str:
            return f"<string length: <{len(value)}>>"
        return value if limit is None or len(value) <= limit else value[:limit] + "..."
    if isinstance(value, (list, tuple, np.ndarray, array.array)):
        if no_arr and kind:
            if kind.startswith("sequence<"):
                return f"<sequence type: {kind[9:].split('>')[0].split(',')[0]}, length: {len(value)}>"
            return f"<array type: {kind}>"
        items = [to_plain(item, limit, no_arr, no_str) for item in value[:limit]]
        return items if limit is None or len(value) <= limit else [*items, "..."]
    return value.item() if isinstance(value, np.generic) else value


def to_yaml(message: Any, flow_style: bool = False, **kwargs: Any) -> str:
    """A message as YAML; for the other arguments see `to_plain`."""
    plain = to_plain(message, **kwargs)
    return yaml.dump(plain, sort_keys=False, allow_unicode=True, width=10**9, default_flow_style=flow_style)


def fill(message: Any, values: dict[str, Any]) -> Any:
    """Set a message's fields from plain values; RuntimeError if a value does not fit."""
    try:
        types = message.get_fields_and_field_types()
        for name, value in values.items():
            current = getattr(message, name)
            if hasattr(current, "get_fields_and_field_types"):
                fill(current, value)
                continue
            if isinstance(value, list):
                element = types[name].removeprefix("sequence<").split(">")[0].split(",")[0].split("[")[0]
                if "/" in element:
                    value = [fill(interface(element, "msg")(), item) for item in value]
            elif isinstance(current, bytes):
                value = bytes([value])
            else:
                value = type(current)(value)
            setattr(message, name, value)
    except (AttributeError, AssertionError, TypeError, ValueError, KeyError) as exc:
        raise RuntimeError(f"Failed to populate field: {exc}") from exc
    return message


# QoS


def add_qos_arguments(parser, default: str):
    """Declare --qos-profile and the options for single policies."""
    profiles = [profile.name.lower() for profile in QoSPresetProfiles]
    parser.add_argument("--qos-profile", choices=profiles, default=default, help="Quality of service preset profile")
    parser.add_argument("--qos-depth", type=int, help="Queue size setting")
    for name, policy in _POLICIES.items():
        choices = [value.name.lower() for value in policy]
        parser.add_argument(f"--qos-{name}", choices=choices, help=f"Quality of service {name} setting")


def subscription_qos(node: Node, topic: str, args) -> QoSProfile:
    """The profile asked for, or the preset matched to what all publishers offer."""
    preset = QoSPresetProfiles[args.qos_profile.upper()].value
    profile = QoSProfile(
        depth=preset.depth, history=preset.history, reliability=preset.reliability, durability=preset.durability
    )
    given = {name: getattr(args, f"qos_{name}") for name in _POLICIES if getattr(args, f"qos_{name}")}
    if given or args.qos_depth is not None:
        profile.depth = profile.depth if args.qos_depth is None else args.qos_depth
        for name, value in given.items():
            setattr(profile, name, _POLICIES[name][value.upper()])
        return profile
    offers = [info.qos_profile for info in node.get_publishers_info_by_topic(topic)]
    for name, strict, lax in (
        ("reliability", QoSReliabilityPolicy.RELIABLE, QoSReliabilityPolicy.BEST_EFFORT),
        ("durability", QoSDurabilityPolicy.TRANSIENT_LOCAL, QoSDurabilityPolicy.VOLATILE),
    ):
        if offers:
            number = sum(getattr(offer, name) == strict for offer in offers)
            setattr(profile, name, strict if number == len(offers) else lax)
            if 0 < number < len(offers):
                print(
                    f"Some, but not all, publishers are offering {strict}. Falling back to {lax} as it will connect "
                    "to all publishers"
                )
    return profile
