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
from rclpy.executors import ExternalShutdownException
from rclpy.node import HIDDEN_NODE_PREFIX, Node

_PATIENCE = 5.0  # [s] how long to wait for what was asked for by name; Fast DDS announces itself every 3 s


def verbs(parser):
    """Where a command's verbs are added."""
    return parser.add_subparsers(title="Commands", metavar="<verb>")


def add_verb(verbs, name: str, text: str, main: Callable[[Any], Any]):
    """Declare a verb with what upstream's commands on the graph have in common; there is no daemon to be avoided."""
    verb = verbs.add_parser(name, help=text, description=text)
    verb.add_argument("--spin-time", type=float, default=0.5, help="Seconds to wait for discovery")
    verb.add_argument("-s", "--use-sim-time", action="store_true", help="Enable ROS simulation time")
    verb.add_argument("--no-daemon", action="store_true", help="Accepted; there is no daemon")
    verb.set_defaults(main=main)
    return verb


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
    except RuntimeError as exc:
        if rclpy.ok():
            raise
        raise ExternalShutdownException from exc  # rcl fails once a signal has shut ROS down
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def wait_for(condition: Callable[[], Any], timeout: float = _PATIENCE) -> Any:
    """Poll until the condition is true, the timeout [s] is over or ROS is shut down; returns what it gave last."""
    end = time.monotonic() + timeout
    while not (result := condition()) and time.monotonic() < end and rclpy.ok():
        time.sleep(0.02)
    return result


def node_names(node: Node, hidden: bool = False) -> list[str]:
    """Full names of all nodes."""
    return sorted(
        f"{namespace.rstrip('/')}/{name}"
        for name, namespace in node.get_node_names_and_namespaces()
        if hidden or not name.startswith(HIDDEN_NODE_PREFIX)
    )


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


def to_plain(value: Any, limit: int | None) -> Any:
    """A message or value as dictionaries, lists and scalars; `limit` is how many elements or characters are kept."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: to_plain(getattr(value, name), limit) for name in value.get_fields_and_field_types()}
    if isinstance(value, bytes):
        value = "".join(chr(byte) for byte in value)
    if isinstance(value, str):
        return value if limit is None or len(value) <= limit else value[:limit] + "..."
    if isinstance(value, (list, tuple, np.ndarray, array.array)):
        items = [to_plain(item, limit) for item in value[:limit]]
        return items if limit is None or len(value) <= limit else [*items, "..."]
    return value.item() if isinstance(value, np.generic) else value


def to_yaml(message: Any, limit: int | None) -> str:
    """A message as YAML; see `to_plain`."""
    return yaml.dump(to_plain(message, limit), sort_keys=False, allow_unicode=True, width=10**9)


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
