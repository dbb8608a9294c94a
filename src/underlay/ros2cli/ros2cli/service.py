# SPDX-License-Identifier: Apache-2.0
"""`ros2 service`."""

import rclpy
import yaml
from rclpy.executors import ExternalShutdownException
from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden

from . import _ros


def _list(args):
    with _ros.ros_node(args) as node:
        for name, types in sorted(node.get_service_names_and_types()):
            if args.include_hidden_services or not topic_or_service_is_hidden(name):
                print(f"{name} [{', '.join(types)}]" if args.show_types else name)


def _call(args):
    service = _ros.interface(args.service_type, "srv")
    request = _ros.fill(service.Request(), yaml.safe_load(args.values) or {})
    with _ros.ros_node(args, discover=False) as node:
        client = node.create_client(service, args.service_name)
        if not client.wait_for_service(timeout_sec=0.3):
            print("waiting for service to become available...")
            client.wait_for_service()
        print(f"requester: making request: {request!r}\n")
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future)
        if not future.done():
            raise ExternalShutdownException
        if future.result() is None:
            raise RuntimeError(f"Exception while calling service: {future.exception()!r}")
        print(f"response:\n{future.result()!r}\n")


def add_arguments(parser):
    """Declare the verbs."""
    verbs = _ros.verbs(parser)
    verb = _ros.add_verb(verbs, "list", "Output a list of available services", _list)
    verb.add_argument("-t", "--show-types", action="store_true", help="Additionally show the service type")
    verb.add_argument("--include-hidden-services", action="store_true", help="Consider hidden services as well")
    verb = _ros.add_verb(verbs, "call", "Call a service", _call)
    verb.add_argument("service_name", help="Name of the ROS service to call to (e.g. '/add_two_ints')")
    verb.add_argument("service_type", help="Type of the ROS service (e.g. 'std_srvs/srv/Empty')")
    verb.add_argument(
        "values", nargs="?", default="{}", help="Values to fill the request with in YAML format (e.g. '{a: 1, b: 2}')"
    )
