# SPDX-License-Identifier: Apache-2.0
"""Handlers of a launch's events.

What is done is given as entities or as a function of (event, context) that returns entities or None.
"""

from collections.abc import Iterable

from . import events
from ._left_out import left_out
from .event_handler import BaseEventHandler
from .events import process

__getattr__ = left_out(__name__)


class _OnProcessEvent(BaseEventHandler):
    """Base of the handlers of processes' events; the target is an action, a predicate of actions, or None for any."""

    event_class: type[process.RunningProcessEvent]

    def __init__(self, target, on_event, **kwargs):
        def matches(event) -> bool:
            if not isinstance(event, self.event_class) or target is None:
                return isinstance(event, self.event_class)
            return target(event.action) if callable(target) else event.action is target

        super().__init__(matcher=matches, **kwargs)
        self.__function = on_event if callable(on_event) else None
        self.__entities = list(on_event) if isinstance(on_event, Iterable) else []
        if not isinstance(on_event, Iterable) and self.__function is None:
            self.__entities = [on_event]

    def handle(self, event, context):
        super().handle(event, context)
        return self.__entities if self.__function is None else self.__function(event, context)

    def describe(self):
        text, _ = super().describe()
        return text, self.__entities


class OnProcessExit(_OnProcessEvent):
    """When a process has ended."""

    event_class = process.ProcessExited

    def __init__(self, *, target_action=None, on_exit, **kwargs):
        super().__init__(target_action, on_exit, **kwargs)


class OnProcessStart(_OnProcessEvent):
    """When a process has started."""

    event_class = process.ProcessStarted

    def __init__(self, *, target_action=None, on_start, **kwargs):
        super().__init__(target_action, on_start, **kwargs)


class OnShutdown(BaseEventHandler):
    """When the launch is to end."""

    def __init__(self, *, on_shutdown, **kwargs):
        super().__init__(matcher=lambda event: isinstance(event, events.Shutdown), **kwargs)
        self.__on_shutdown = on_shutdown if callable(on_shutdown) else lambda event, context: on_shutdown

    def handle(self, event, context):
        super().handle(event, context)
        return self.__on_shutdown(event, context)
