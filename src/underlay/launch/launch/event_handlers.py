# SPDX-License-Identifier: Apache-2.0
"""Handlers of a launch's events.

What is done is given as entities or as a function of (event, context) that returns entities or None.
"""

from collections.abc import Iterable

from . import events
from ._left_out import left_out
from .event_handler import EventHandler
from .events import process

__getattr__ = left_out(__name__)


class _Handler(EventHandler):
    """Base of the handlers here."""

    def __init__(self, matcher, on_event):
        self.__function = on_event if callable(on_event) else None
        entities = list(on_event) if isinstance(on_event, Iterable) else [on_event]
        super().__init__(matcher=matcher, entities=[] if callable(on_event) else entities)

    def handle(self, event, context):
        entities = super().handle(event, context)
        return entities if self.__function is None else self.__function(event, context)


def _process_matcher(event_class: type[process.RunningProcessEvent], target):
    """Matcher of a process's events; the target is an action, a predicate of actions, or None for any."""

    def matches(event) -> bool:
        if not isinstance(event, event_class) or target is None:
            return isinstance(event, event_class)
        return target(event.action) if callable(target) else event.action is target

    return matches


class OnProcessExit(_Handler):
    """When a process has ended."""

    def __init__(self, *, target_action=None, on_exit):
        super().__init__(_process_matcher(process.ProcessExited, target_action), on_exit)


class OnProcessStart(_Handler):
    """When a process has started."""

    def __init__(self, *, target_action=None, on_start):
        super().__init__(_process_matcher(process.ProcessStarted, target_action), on_start)


class OnShutdown(_Handler):
    """When the launch is to end."""

    def __init__(self, *, on_shutdown):
        super().__init__(lambda event: isinstance(event, events.Shutdown), on_shutdown)
