# SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2's `launch_ros`: ROS nodes in a launch.

Names, arguments and behaviour are upstream's, and are documented there.
"""
# ruff: noqa: F401

from launch._left_out import left_out

from . import actions, event_handlers, events, ros_adapters, substitutions

__getattr__ = left_out(__name__)
