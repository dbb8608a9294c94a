# SPDX-License-Identifier: Apache-2.0
"""`ros2 node`."""

import sys

from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden

from . import _ros


def _list(args):
    with _ros.ros_node(args) as node:
        names = _ros.node_names(node, args.all)
    if args.count_nodes:
        print(len(names))
        return
    if len(names) > len(set(names)):
        print(
            "WARNING: Be aware that there are nodes in the graph that share an exact name, which can have unintended "
            "side effects.",
            file=sys.stderr,
        )
    for name in names:
        print(name)


def _info(args) -> str | None:
    with _ros.ros_node(args) as node:
        try:
            full_name = _ros.find_node(node, args.node_name)
        except RuntimeError:
            return f"Unable to find node '{args.node_name}'"
        namespace, name = full_name.rsplit("/", 1)
        print(args.node_name)
        for title, query in (
            ("Subscribers", node.get_subscriber_names_and_types_by_node),
            ("Publishers", node.get_publisher_names_and_types_by_node),
            ("Service Servers", node.get_service_names_and_types_by_node),
            ("Service Clients", node.get_client_names_and_types_by_node),
        ):
            print(f"  {title}:")
            found = [
                f"    {entry}: {', '.join(types)}"
                for entry, types in sorted(query(name, namespace or "/"))
                if args.include_hidden or not topic_or_service_is_hidden(entry)
            ]
            print("\n".join(found))
        print("  Action Servers:\n\n  Action Clients:\n")
    return None


def add_arguments(parser):
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")
    verb = verbs.add_parser("list", help="Output a list of available nodes")
    _ros.add_node_arguments(verb)
    verb.add_argument("-a", "--all", action="store_true", help="Display all nodes even hidden ones")
    verb.add_argument("-c", "--count-nodes", action="store_true", help="Only display the number of nodes discovered")
    verb.set_defaults(main=_list)
    verb = verbs.add_parser("info", help="Output information about a node")
    _ros.add_node_arguments(verb)
    verb.add_argument("node_name", help="Node name to request information")
    verb.add_argument("--include-hidden", action="store_true", help="Display hidden topics and services as well")
    verb.set_defaults(main=_info)
