# SPDX-License-Identifier: Apache-2.0
"""The ROS node that launch itself needs, for lifecycle events."""

import os
import threading

import rclpy
from launch.event_handlers import OnShutdown
from rclpy.executors import SingleThreadedExecutor


class ROSAdapter:
    """A node that spins in a thread of its own."""

    def __init__(self):
        self.ros_context = rclpy.Context()
        rclpy.init(args=[], context=self.ros_context)
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
        self.__running = False
        self.ros_executor.wake()
        self.__thread.join()
        self.ros_executor.remove_node(self.ros_node)
        self.ros_node.destroy_node()
        rclpy.shutdown(context=self.ros_context)


def get_ros_node(context):
    """The launch's node, made when first asked for and gone with the launch."""
    if "ros_adapter" not in context.get_locals_as_dict():
        adapter = ROSAdapter()
        context.extend_globals({"ros_adapter": adapter})
        context.register_event_handler(OnShutdown(on_shutdown=lambda *_: adapter.shutdown()))
    return context.locals.ros_adapter.ros_node
