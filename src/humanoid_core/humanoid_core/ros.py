# SPDX-License-Identifier: Apache-2.0
"""What every node shell does the same way: parameters, endpoints, diagnostics, and running until told to stop."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType, JumpHandle, JumpThreshold
from rclpy.duration import Duration
from rclpy.exceptions import InvalidParameterValueException
from rclpy.executors import ExternalShutdownException
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rclpy.task import Future

from humanoid_core import endpoints
from humanoid_core.endpoints import Endpoint
from humanoid_core.errors import ConfigError, HumanoidError

NodeT = TypeVar("NodeT", bound=Node)

_REQUIRED = object()


# --- parameters ---


def required(
    node: Node,
    name: str,
    description: str,
    low: float | None = None,
    high: float | None = None,
    kind: type | None = None,
) -> Any:
    """Declare a parameter that has no default and give its value.

    Args:
        node: The node.
        name: Parameter name.
        description: What it means, with its unit.
        low: Smallest value allowed.
        high: Largest value allowed.
        kind: Expected type; float takes whole numbers too. None: whatever is there.

    Raises:
        ConfigError: no value was given, or it is of the wrong type or out of range.
    """
    return _declare(node, name, _REQUIRED, description, low, high, kind)


def optional(
    node: Node,
    name: str,
    default: Any,
    description: str,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Declare a parameter with a default and give its value; the default's type is the parameter's.

    Raises:
        ConfigError: the value is of the wrong type or out of range.
    """
    return _declare(node, name, default, description, low, high, type(default))


def _declare(
    node: Node, name: str, default: Any, description: str, low: float | None, high: float | None, kind: type | None
) -> Any:
    descriptor = ParameterDescriptor(description=description, read_only=True, dynamic_typing=True)
    if low is not None or high is not None:
        lowest, highest = (-sys.float_info.max if low is None else low), (sys.float_info.max if high is None else high)
        if kind is int:
            whole = [int(max(lowest, -(2**63))), int(min(highest, 2**63 - 1))]
            descriptor.integer_range = [IntegerRange(from_value=whole[0], to_value=whole[1])]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(lowest), to_value=float(highest))]
    try:
        value = node.declare_parameter(name, None if default is _REQUIRED else default, descriptor).value
    except InvalidParameterValueException as error:
        raise ConfigError(node.get_name(), name, str(error), f"{low} to {high}: {description}") from error
    if value is None:
        raise ConfigError(node.get_name(), name, "nothing", f"a value: {description}")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is not None and not _is_kind(value, kind):
        raise ConfigError(
            node.get_name(), name, f"{value!r} ({type(value).__name__})", f"{kind.__name__}: {description}"
        )
    if (low is not None and value < low) or (high is not None and value > high):
        raise ConfigError(node.get_name(), name, value, f"{low} to {high}: {description}")
    return list(value) if kind is list else value


def _is_kind(value: object, kind: type) -> bool:
    if kind is list:
        return not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
    return type(value) is kind


def check_parameters(node: Node, arguments: list[str]) -> None:
    """Refuse parameters that stand in the node's own section of a parameter file and that it does not declare.

    Wildcard sections (`/**`) may carry what other nodes need.

    Raises:
        ConfigError: naming file and key.
    """
    name, full_name = node.get_name(), node.get_fully_qualified_name()
    own = {name, full_name, full_name.lstrip("/"), f"/**/{name}", f"/*/{name}"}
    files = [arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word == "--params-file"]
    for file in files:
        with open(file, encoding="utf-8") as stream:
            sections = yaml.load(stream, Loader=yaml.BaseLoader) or {}  # noqa: S506  (strings only; ignores tags)
        for section, content in sections.items():
            if section not in own:
                continue
            for key in _flat(content.get("ros__parameters", {})):
                if not node.has_parameter(key) and not key.startswith("qos_overrides."):
                    declared = ", ".join(sorted(p for p in node._parameters if not p.startswith("qos_overrides.")))
                    raise ConfigError(
                        file, f"{section}.ros__parameters.{key}", "an unknown parameter", f"one of {declared}"
                    )


def _flat(tree: dict[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in tree.items():
        names += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
    return names


# --- endpoints ---


def message_type(name: str) -> Any:
    """The class of "package/msg/Name" or "package/srv/Name"."""
    package, kind, word = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), word)


def qos_profile(endpoint: Endpoint, depth: int | None = None, reliable: bool | None = None) -> QoSProfile:
    """The rclpy profile of an endpoint; a reader may choose its own depth and reliability."""
    is_reliable = endpoint.qos.reliable if reliable is None else reliable
    return QoSProfile(
        depth=depth or endpoint.qos.depth,
        reliability=ReliabilityPolicy.RELIABLE if is_reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if endpoint.qos.latched else DurabilityPolicy.VOLATILE,
    )


def publisher(node: Node, endpoint: Endpoint) -> Publisher:
    """A publisher of an endpoint; its QoS can be overridden by `qos_overrides` parameters."""
    return node.create_publisher(
        message_type(endpoint.type),
        endpoint.name,
        qos_profile(endpoint),
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )


def subscribe(
    node: Node,
    endpoint: Endpoint,
    callback: Callable[..., None],
    depth: int | None = None,
    reliable: bool | None = None,
    raw: bool = False,
) -> Subscription:
    """Subscribe to an endpoint.

    Args:
        node: The node.
        endpoint: The topic.
        callback: Called with the message, or with (message, info).
        depth: Messages kept; None: the endpoint's. Control loops that want the newest only take 1.
        reliable: None: the endpoint's.
        raw: Hand over serialized bytes.
    """
    return node.create_subscription(
        message_type(endpoint.type),
        endpoint.name,
        callback,
        qos_profile(endpoint, depth, reliable),
        raw=raw,
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )


def service(node: Node, endpoint: Endpoint, callback: Callable[[Any, Any], Any]) -> Any:
    """A service server of an endpoint."""
    return node.create_service(message_type(endpoint.type), endpoint.name, callback)


def client(node: Node, endpoint: Endpoint) -> Any:
    """A service client of an endpoint."""
    return node.create_client(message_type(endpoint.type), endpoint.name)


def steady_clock() -> Clock:
    """A clock that never jumps, for watchdogs and for timers that must run while simulated time stands still."""
    return Clock(clock_type=ClockType.STEADY_TIME)


def on_time_back(node: Node, callback: Callable[[], None]) -> JumpHandle:
    """Call `callback` when ROS time goes back by over a second, as where a simulator is started again.

    It is called for as long as the handle that is returned is kept.
    """
    threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1.0), on_clock_change=False)
    return node.get_clock().create_jump_callback(threshold, post_callback=lambda _: callback())


class Forward:
    """Lets stamps pass that are later than the last; begins anew when ROS time goes back.

    Args:
        node: The node.
        anew: What else it does then.
    """

    def __init__(self, node: Node, anew: Callable[[], None] | None = None) -> None:
        self.last = 0  # [ns]
        self._anew = anew
        self._handle = on_time_back(node, self._back)

    def passes(self, stamp: int) -> bool:
        """Whether a stamp is later than all before it: none is where simulated time stands still or is yet to begin.

        Args:
            stamp: [ns].
        """
        if stamp <= self.last:
            return False
        self.last = stamp
        return True

    def _back(self) -> None:
        self.last = 0
        if self._anew is not None:
            self._anew()


# --- diagnostics ---


class Diagnostics:
    """A node's line in /diagnostics, once a second (REP-107).

    Args:
        node: The node.
        hardware_id: The robot's name.
    """

    OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR

    def __init__(self, node: Node, hardware_id: str = "") -> None:
        self._node = node
        self._status = DiagnosticStatus(
            name=f"{node.get_fully_qualified_name()}: status",
            hardware_id=hardware_id,
            level=self.OK,
            message="starting",
        )
        self._publisher = publisher(node, endpoints.DIAGNOSTICS)
        self._timer = node.create_timer(1.0, self._publish, clock=steady_clock())

    def update(self, level: bytes, message: str, **values: object) -> None:
        """Set what the next message says: level, a sentence, and named values."""
        self._status.level = level
        self._status.message = message
        self._status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]

    def _publish(self) -> None:
        array = DiagnosticArray(status=[self._status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


# --- running ---


def run(make_node: Callable[[], NodeT], arguments: list[str] | None = None) -> None:
    """Run one node until it is told to stop: init, checked parameters, spin, clean shutdown.

    Exits with status 1 where the node cannot start or an error of ours ends it; 0 after SIGINT or SIGTERM. A signal is
    noted and acted on between two callbacks, so that none is torn in the middle.

    The events executor's own spin() does not return on shutdown in rclpy 7.1. Waiting for a future that nobody
    completes, a tenth of a second at a time, does, and spares the 20 us that spin_once adds to each callback.
    """
    arguments = list(sys.argv if arguments is None else arguments)
    told_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_stop.set())
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    node: NodeT | None = None
    try:
        node = make_node()
        check_parameters(node, arguments)
        executor = EventsExecutor()
        executor.add_node(node)
        while rclpy.ok() and not told_to_stop.is_set():
            executor.spin_until_future_complete(Future(), timeout_sec=0.1)
    except ExternalShutdownException:
        pass
    except HumanoidError as error:
        logger = node.get_logger() if node else rclpy.logging.get_logger("humanoid")
        logger.fatal(str(error))
        sys.exit(1)
    finally:
        # A terminal and `ros2 launch` both send SIGINT; the second must not hit the interpreter while it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
