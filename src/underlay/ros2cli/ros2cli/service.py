# SPDX-License-Identifier: Apache-2.0
"""`ros2 service`."""

import rclpy
import yaml
from rclpy.executors import ExternalShutdownException

from . import _ros


def _call(args):
    service = _ros.interface(args.service_type, "srv")
    request = _ros.fill(service.Request(), yaml.safe_load(args.values) or {})
    with _ros.ros_node(args, discover=False) as node:
        client = node.create_client(service, args.service_name)
        if not client.wait_for_service(timeout_sec=0.3):
            print("waiting for service to become available...")
            if not client.wait_for_service():
                raise ExternalShutdownException
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
    verb = _ros.add_verb(_ros.verbs(parser), "call", "Call a service", _call)
    verb.add_argument("service_name", help="Name of the ROS service to call to (e.g. '/add_two_ints')")
    verb.add_argument("service_type", help="Type of the ROS service (e.g. 'std_srvs/srv/Empty')")
    verb.add_argument(
        "values", nargs="?", default="{}", help="Values to fill the request with in YAML format (e.g. '{a: 1, b: 2}')"
    )
