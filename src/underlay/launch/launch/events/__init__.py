# SPDX-License-Identifier: Apache-2.0
"""Events of a launch."""

from .._left_out import left_out
from ..event import Event
from . import process as process

__getattr__ = left_out(__name__)


class IncludeLaunchDescription(Event):
    """A launch description is to be visited."""

    name = "launch.events.IncludeLaunchDescription"

    def __init__(self, launch_description):
        self.launch_description = launch_description


class Shutdown(Event):
    """The launch is to end."""

    name = "launch.events.Shutdown"

    def __init__(self, *, reason: str = "reason not given", due_to_sigint: bool = False):
        self.reason = reason
        self.due_to_sigint = due_to_sigint


def matches_action(target_action):
    """Matcher of one action."""
    return lambda action: action == target_action
