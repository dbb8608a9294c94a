# SPDX-License-Identifier: Apache-2.0
"""Events of a launch."""

from ..event import Event
from . import process as process


class ExecutionComplete(Event):
    """An action has finished."""

    name = "launch.events.ExecutionComplete"

    def __init__(self, *, action):
        self.action = action


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


class TimerEvent(Event):
    """A timer has run out."""

    name = "launch.events.TimerEvent"

    def __init__(self, *, timer_action):
        self.timer_action = timer_action


def matches_action(target_action):
    """Matcher of one action."""
    return lambda action: action == target_action
