# SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2's `launch_ros`: ROS nodes in a launch."""

from . import actions, descriptions, event_handlers, events, ros_adapters, substitutions

__all__ = ["actions", "descriptions", "event_handlers", "events", "ros_adapters", "substitutions"]
