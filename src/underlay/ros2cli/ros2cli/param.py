# SPDX-License-Identifier: Apache-2.0
"""`ros2 param`."""

import sys
from typing import Any

import yaml
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.parameter import Parameter, parameter_value_to_python

from . import _ros

_LABELS = {
    ParameterType.PARAMETER_BOOL: "Boolean value is:",
    ParameterType.PARAMETER_INTEGER: "Integer value is:",
    ParameterType.PARAMETER_DOUBLE: "Double value is:",
    ParameterType.PARAMETER_STRING: "String value is:",
    ParameterType.PARAMETER_BYTE_ARRAY: "Byte values are:",
    ParameterType.PARAMETER_BOOL_ARRAY: "Boolean values are:",
    ParameterType.PARAMETER_INTEGER_ARRAY: "Integer values are:",
    ParameterType.PARAMETER_DOUBLE_ARRAY: "Double values are:",
    ParameterType.PARAMETER_STRING_ARRAY: "String values are:",
    ParameterType.PARAMETER_NOT_SET: "Parameter not set.",
}


def _list(args):
    with _ros.ros_node(args, discover=args.node_name is None) as node:
        names = _ros.node_names(node) if args.node_name is None else [_ros.find_node(node, args.node_name)]
        for name in names:
            try:
                response = _ros.call(node, ListParameters, f"{name}/list_parameters", ListParameters.Request(), 2.0)
            except RuntimeError:
                print(f"Wait for service timed out waiting for parameter services for node {name}")
                continue
            if args.node_name is None and response.result.names:
                print(f"{name}:")
            for parameter in sorted(response.result.names):
                print(f"  {parameter}")


def _get(args) -> str | None:
    with _ros.ros_node(args, discover=False) as node:
        name = _ros.find_node(node, args.node_name)
        request = GetParameters.Request(names=[args.parameter_name])
        values = _ros.call(node, GetParameters, f"{name}/get_parameters", request).values
    if not values:
        return "Parameter not set"
    value: Any = _ros.to_plain(parameter_value_to_python(values[0]))
    if args.hide_type:
        print(value)
    else:
        print(*[_LABELS[values[0].type], *([] if value is None else [value])])
    return None


def _set(args):
    value = Parameter(args.parameter_name, value=yaml.safe_load(args.value)).get_parameter_value()
    request = SetParameters.Request(parameters=[ParameterMessage(name=args.parameter_name, value=value)])
    with _ros.ros_node(args, discover=False) as node:
        name = _ros.find_node(node, args.node_name)
        result = _ros.call(node, SetParameters, f"{name}/set_parameters", request).results[0]
    reason = f": {result.reason}" if result.reason else ""
    if result.successful:
        print(f"Set parameter successful{reason}")
    else:
        print(f"Setting parameter failed{reason}", file=sys.stderr)


def add_arguments(parser):
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")
    for name, text, main in (
        ("list", "Output a list of available parameters", _list),
        ("get", "Get parameter", _get),
        ("set", "Set parameter", _set),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        _ros.add_node_arguments(verb)
        verb.add_argument("node_name", nargs="?" if name == "list" else None, help="Name of the ROS node")
        if name != "list":
            verb.add_argument("parameter_name", help="Name of the parameter")
        if name == "get":
            verb.add_argument("--hide-type", action="store_true", help="Hide the type information")
        if name == "set":
            verb.add_argument("value", help="Value of the parameter")
        verb.set_defaults(main=main)
