# SPDX-License-Identifier: Apache-2.0
"""`ros2 node`."""

from . import _ros


def _list(args):
    with _ros.ros_node(args) as node:
        names = _ros.node_names(node, args.all)
    if names:
        print("\n".join(names))


def add_arguments(parser):
    """Declare the verbs."""
    verb = _ros.add_verb(_ros.verbs(parser), "list", "Output a list of available nodes", _list)
    verb.add_argument("-a", "--all", action="store_true", help="Display all nodes even hidden ones")
