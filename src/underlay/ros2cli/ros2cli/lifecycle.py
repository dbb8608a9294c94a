# SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle`."""

import sys
from typing import Any

import rclpy
from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions
from rclpy.node import Node

from . import _ros


def _find(node: Node, name: str) -> str:
    """Full name of a node, once it is there; RuntimeError if it is not."""
    full_name = name if name.startswith("/") else f"/{name}"
    if not _ros.wait_for(lambda: full_name in _ros.node_names(node, hidden=True)):
        raise RuntimeError("Node not found")
    return full_name


def _answer(node: Node, service_type: Any, name: str, request: Any, timeout: float = 5.0) -> Any:
    """Response of a service; RuntimeError if it is not there or does not answer within the timeout [s]."""
    client = node.create_client(service_type, name)
    if not client.wait_for_service(timeout_sec=timeout):
        raise RuntimeError(f"Wait for service timed out waiting for '{name}'")
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=timeout)
    if not future.done():
        raise RuntimeError(f"No answer from service '{name}'")
    return future.result()


def _set(args) -> str | None:
    with _ros.ros_node(args, discover=False) as node:
        name = _find(node, args.node_name)
        listed = GetAvailableTransitions.Request()
        answer = _answer(node, GetAvailableTransitions, f"{name}/get_available_transitions", listed)
        available = [item.transition for item in answer.available_transitions]
        wanted = [item for item in available if args.transition in (item.label, str(item.id))]
        if not wanted:
            lines = "".join(f"\n- {item.label} [{item.id}]" for item in available)
            return f"Unknown transition requested, available ones are:{lines}"
        request = ChangeState.Request(transition=wanted[0])
        success = _answer(node, ChangeState, f"{name}/change_state", request, timeout=60.0).success
    print("Transitioning successful" if success else "Transitioning failed", file=None if success else sys.stderr)
    return None


def add_arguments(parser):
    """Declare the verbs."""
    verb = _ros.add_verb(_ros.verbs(parser), "set", "Trigger lifecycle state transition", _set)
    verb.add_argument("node_name", help="Name of the ROS node")
    verb.add_argument("transition", help="The lifecycle transition")
