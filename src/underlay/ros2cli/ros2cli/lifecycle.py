# SPDX-License-Identifier: Apache-2.0
"""`ros2 lifecycle`."""

import sys
from typing import Any

from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions, GetState
from rclpy.node import Node

from . import _ros


def _lifecycle_nodes(node: Node, hidden: bool = False) -> list[str]:
    services = {
        name
        for name, types in node.get_service_names_and_types()
        if name.endswith("/get_state") and "lifecycle_msgs/srv/GetState" in types
    }
    return [name for name in _ros.node_names(node, hidden) if f"{name}/get_state" in services]


def _nodes(args):
    with _ros.ros_node(args) as node:
        names = _lifecycle_nodes(node, args.all)
    print(len(names) if args.count_nodes else "\n".join(names))


def _get(args):
    with _ros.ros_node(args, discover=args.node_name is None) as node:
        names = _lifecycle_nodes(node) if args.node_name is None else [_ros.find_node(node, args.node_name)]
        for name in names:
            state = _ros.call(node, GetState, f"{name}/get_state", GetState.Request()).current_state
            print(f"{'' if args.node_name else f'{name}: '}{state.label} [{state.id}]")


def _transitions(node: Node, name: str, service: str = "get_available_transitions") -> list[Any]:
    request = GetAvailableTransitions.Request()
    return _ros.call(node, GetAvailableTransitions, f"{name}/{service}", request).available_transitions


def _list(args):
    with _ros.ros_node(args, discover=False) as node:
        name = _ros.find_node(node, args.node_name)
        for item in _transitions(node, name, *(["get_transition_graph"] if args.all else [])):
            print(f"- {item.transition.label} [{item.transition.id}]")
            print(f"\tStart: {item.start_state.label}\n\tGoal: {item.goal_state.label}")


def _set(args) -> str | None:
    with _ros.ros_node(args, discover=False) as node:
        name = _ros.find_node(node, args.node_name)
        available = [item.transition for item in _transitions(node, name)]
        wanted = [item for item in available if args.transition in (item.label, str(item.id))]
        if not wanted:
            listed = "".join(f"\n- {item.label} [{item.id}]" for item in available)
            return f"Unknown transition requested, available ones are:{listed}"
        request = ChangeState.Request(transition=wanted[0])
        success = _ros.call(node, ChangeState, f"{name}/change_state", request, timeout=60.0).success
    print("Transitioning successful" if success else "Transitioning failed", file=None if success else sys.stderr)
    return None


def add_arguments(parser):
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")
    for name, text, main in (
        ("nodes", "Output a list of nodes with lifecycle", _nodes),
        ("get", "Get lifecycle state for one or more nodes", _get),
        ("list", "Output a list of available transitions", _list),
        ("set", "Trigger lifecycle state transition", _set),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        _ros.add_node_arguments(verb)
        verb.set_defaults(main=main)
        if name == "nodes":
            verb.add_argument("-c", "--count-nodes", action="store_true", help="Only display the number of nodes")
        else:
            verb.add_argument("node_name", nargs="?" if name == "get" else None, help="Name of the ROS node")
        if name in ("nodes", "list"):
            verb.add_argument("-a", "--all", action="store_true", help="Display hidden nodes or all transitions")
        if name == "set":
            verb.add_argument("transition", help="The lifecycle transition")
