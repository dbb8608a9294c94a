# SPDX-License-Identifier: Apache-2.0
"""Handlers of a launch's events.

What is done is given as entities or as a function of (event, context) that returns entities or None.
"""

from collections.abc import Iterable

from . import events
from ._left_out import left_out
from .event_handler import EventHandler
from .events import process
from .launch_description_entity import LaunchDescriptionEntity

__getattr__ = left_out(__name__)


class _Handler(EventHandler):
    """Base of the handlers here."""

    def __init__(self, matcher, on_event, **kwargs):
        self.__function = on_event if callable(on_event) else None
        entities = [] if callable(on_event) else list(on_event) if isinstance(on_event, Iterable) else [on_event]
        for entity in entities:
            if isinstance(on_event, Iterable) and not isinstance(entity, LaunchDescriptionEntity):
                raise TypeError(
                    f"expected all items in 'on_event' iterable to be of type 'LaunchDescriptionEntity' but got "
                    f"'{type(entity)}'"
                )
        super().__init__(matcher=matcher, entities=entities, **kwargs)

    def handle(self, event, context):
        entities = super().handle(event, context)
        return entities if self.__function is None else self.__function(event, context)


def _process_matcher(event_class: type[process.RunningProcessEvent], target):
    """Matcher of a process's events; the target is an action, a predicate of actions, or None for any."""
    from .actions import ExecuteProcess

    if not isinstance(target, (ExecuteProcess, type(None))) and not callable(target):
        raise TypeError("action_matcher must be an 'ExecuteProcess' instance or a callable")

    def matches(event) -> bool:
        if not isinstance(event, event_class) or target is None:
            return isinstance(event, event_class)
        return target(event.action) if callable(target) else event.action is target

    return matches


class OnProcessExit(_Handler):
    """When a process has ended."""

    def __init__(self, *, target_action=None, on_exit, **kwargs):
        super().__init__(_process_matcher(process.ProcessExited, target_action), on_exit, **kwargs)


class OnProcessStart(_Handler):
    """When a process has started."""

    def __init__(self, *, target_action=None, on_start, **kwargs):
        super().__init__(_process_matcher(process.ProcessStarted, target_action), on_start, **kwargs)


class OnShutdown(_Handler):
    """When the launch is to end."""

    def __init__(self, *, on_shutdown, **kwargs):
        super().__init__(lambda event: isinstance(event, events.Shutdown), on_shutdown, **kwargs)
