# SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2's `launch_ros`: ROS nodes in a launch.

Names, arguments and behaviour are upstream's, and are documented there.
"""
# ruff: noqa: F401

from . import actions, descriptions, event_handlers, events, ros_adapters, substitutions
