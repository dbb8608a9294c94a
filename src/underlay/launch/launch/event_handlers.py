# SPDX-License-Identifier: Apache-2.0
"""Handlers of a launch's events.

What is done is given as entities or as a function of (event, context) that returns entities or None.
"""

from collections.abc import Iterable

from . import events
from .event import Event
from .event_handler import BaseEventHandler, EventHandler
from .events import process
from .launch_description_entity import LaunchDescriptionEntity
from .utilities import is_a_subclass


def event_named(name: str):
    """Matcher of events by name."""
    return lambda event: event.name == name


class OnActionEventBase(BaseEventHandler):
    """Base of the handlers of an action's events.

    The matcher is the action, a function that says whether an action is meant, or None for any.
    """

    def __init__(self, *, action_matcher, on_event, target_event_cls, target_action_cls, **kwargs):
        if not issubclass(target_event_cls, Event):
            raise TypeError("'target_event_cls' must be a subclass of 'Event'")
        if not isinstance(action_matcher, (target_action_cls, type(None))) and not callable(action_matcher):
            raise TypeError(f"action_matcher must be an '{target_action_cls.__name__}' instance or a callable")

        def matches(event) -> bool:
            if not isinstance(event, target_event_cls) or action_matcher is None:
                return isinstance(event, target_event_cls)
            return action_matcher(event.action) if callable(action_matcher) else event.action is action_matcher

        super().__init__(matcher=matches, **kwargs)
        self.__entities: list = []
        self.__function = on_event if callable(on_event) else None
        if isinstance(on_event, Iterable):
            self.__entities = list(on_event)
            for entity in self.__entities:
                if not isinstance(entity, LaunchDescriptionEntity):
                    raise TypeError(
                        "expected all items in 'on_event' iterable to be of type 'LaunchDescriptionEntity' "
                        f"but got '{type(entity)}'"
                    )
        elif self.__function is None:
            self.__entities = [on_event]
        self.handler_description = "<actions>" if self.__entities else str(self.__function)
        self.matcher_description = f"event == {target_event_cls.__name__}"
        if action_matcher is not None:
            self.matcher_description += f" and {target_action_cls.__name__}(event.action)"

    def handle(self, event, context):
        super().handle(event, context)
        return self.__entities if self.__function is None else self.__function(event, context)

    def describe(self):
        text, _ = super().describe()
        return text, self.__entities


class OnExecutionComplete(OnActionEventBase):
    """When an action has finished."""

    def __init__(self, *, target_action=None, on_completion, **kwargs):
        from .action import Action

        classes: dict = {"target_event_cls": events.ExecutionComplete, "target_action_cls": Action}
        super().__init__(action_matcher=target_action, on_event=on_completion, **classes, **kwargs)


class OnProcessExit(OnActionEventBase):
    """When a process has ended."""

    def __init__(self, *, target_action=None, on_exit, **kwargs):
        from .actions import ExecuteLocal

        classes = {"target_event_cls": process.ProcessExited, "target_action_cls": ExecuteLocal}
        super().__init__(action_matcher=target_action, on_event=on_exit, **classes, **kwargs)


class OnProcessStart(OnActionEventBase):
    """When a process has started."""

    def __init__(self, *, target_action=None, on_start, **kwargs):
        from .actions import ExecuteProcess

        classes = {"target_event_cls": process.ProcessStarted, "target_action_cls": ExecuteProcess}
        super().__init__(action_matcher=target_action, on_event=on_start, **classes, **kwargs)


class OnProcessIO(OnActionEventBase):
    """When bytes come out of (or go into) a process; the functions take the event alone."""

    def __init__(self, *, target_action=None, on_stdin=None, on_stdout=None, on_stderr=None, **kwargs):
        from .actions import ExecuteLocal

        def handle(event, _):
            function = on_stdout if event.from_stdout else on_stderr if event.from_stderr else on_stdin
            return None if function is None else function(event)

        classes = {"target_event_cls": process.ProcessIO, "target_action_cls": ExecuteLocal}
        super().__init__(action_matcher=target_action, on_event=handle, **classes, **kwargs)


class OnShutdown(BaseEventHandler):
    """When the launch is to end."""

    def __init__(self, *, on_shutdown, **kwargs):
        super().__init__(matcher=lambda event: is_a_subclass(event, events.Shutdown), **kwargs)
        self.__on_shutdown = on_shutdown if callable(on_shutdown) else lambda event, context: on_shutdown
        self.handler_description = str(self.__on_shutdown)
        self.matcher_description = "event issubclass of launch.events.Shutdown"

    def handle(self, event, context):
        super().handle(event, context)
        return self.__on_shutdown(event, context)


class OnIncludeLaunchDescription(EventHandler):
    """Visits the launch description of an IncludeLaunchDescription event."""

    handler_description = "returns the launch_description in the event"
    matcher_description = "event issubclass of launch.events.IncludeLaunchDescription"

    def __init__(self, **kwargs):
        from .actions import OpaqueFunction

        super().__init__(
            matcher=lambda event: is_a_subclass(event, events.IncludeLaunchDescription),
            entities=OpaqueFunction(function=lambda context: [context.locals.event.launch_description]),
            **kwargs,
        )
