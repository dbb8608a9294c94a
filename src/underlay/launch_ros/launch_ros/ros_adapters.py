# SPDX-License-Identifier: Apache-2.0
"""The ROS node that launch itself needs, for lifecycle events."""

import os
import threading
from typing import Any

import rclpy
from launch.event_handlers import OnShutdown
from rclpy.executors import SingleThreadedExecutor


class ROSAdapter:
    """A node that spins in a thread of its own."""

    def __init__(self, *, argv=None, autostart: bool = True):
        self.argv = [] if argv is None else argv
        self.ros_context: Any = None
        self.ros_node: Any = None
        self.ros_executor: Any = None
        self.__running = False
        if autostart:
            self.start()

    def start(self):
        if self.__running:
            raise RuntimeError("Cannot start a ROS adapter that is already running")
        self.ros_context = rclpy.Context()
        rclpy.init(args=self.argv, context=self.ros_context)
        self.ros_node = rclpy.create_node(f"launch_ros_{os.getpid()}", context=self.ros_context)
        self.ros_executor = SingleThreadedExecutor(context=self.ros_context)
        self.ros_executor.add_node(self.ros_node)
        self.__running = True
        self.__thread = threading.Thread(target=self.__spin)
        self.__thread.start()

    def __spin(self):
        while self.__running:
            self.ros_executor.spin_once(timeout_sec=1.0)

    def shutdown(self):
        if not self.__running:
            raise RuntimeError("Cannot shutdown a ROS adapter that is not running")
        self.__running = False
        self.ros_executor.wake()
        self.__thread.join()
        self.ros_executor.remove_node(self.ros_node)
        self.ros_node.destroy_node()
        rclpy.shutdown(context=self.ros_context)


def get_ros_adapter(context) -> ROSAdapter:
    """The launch's adapter, started when first asked for and stopped with the launch."""
    if "ros_adapter" not in context.get_locals_as_dict():
        adapter = ROSAdapter()
        context.extend_globals({"ros_adapter": adapter})
        context.register_event_handler(OnShutdown(on_shutdown=lambda *_: adapter.shutdown()))
    return context.locals.ros_adapter


def get_ros_node(context):
    return get_ros_adapter(context).ros_node
