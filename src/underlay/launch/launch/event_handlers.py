# SPDX-License-Identifier: Apache-2.0
"""Handlers of a launch's events.

What is done is given as entities or as a function of (event, context) that returns entities or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .event import Event
from .event_handler import BaseEventHandler, EventHandler
from .events import ExecutionComplete, IncludeLaunchDescription, Shutdown
from .events.process import ProcessExited, ProcessIO, ProcessStarted
from .launch_description_entity import LaunchDescriptionEntity
from .some_entities_type import SomeEntitiesType
from .utilities import is_a_subclass

if TYPE_CHECKING:
    from .launch_context import LaunchContext


def event_named(name: str) -> Callable[[Event], bool]:
    """Matcher of events by name."""
    return lambda event: event.name == name


class OnActionEventBase(BaseEventHandler):
    """Base of the handlers of an action's events.

    Args:
        action_matcher: The action, a function that says whether an action is meant, or None for any.
        on_event: What is done.
        target_event_cls: Class of the events.
        target_action_cls: Class of the action.
    """

    def __init__(
        self,
        *,
        action_matcher: Any,
        on_event: Any,
        target_event_cls: type[Event],
        target_action_cls: type,
        **kwargs: Any,
    ) -> None:
        if not issubclass(target_event_cls, Event):
            raise TypeError("'target_event_cls' must be a subclass of 'Event'")
        if not isinstance(action_matcher, (target_action_cls, type(None))) and not callable(action_matcher):
            raise TypeError(f"action_matcher must be an '{target_action_cls.__name__}' instance or a callable")

        def matches(event: Any) -> bool:
            if not isinstance(event, target_event_cls) or action_matcher is None:
                return isinstance(event, target_event_cls)
            if callable(action_matcher):
                return action_matcher(event.action)  # type: ignore[attr-defined]
            return event.action is action_matcher  # type: ignore[attr-defined]

        super().__init__(matcher=matches, **kwargs)
        self.__action_matcher = action_matcher
        self.__names = target_event_cls.__name__, target_action_cls.__name__
        self.__entities: list[Any] = []
        self.__function = on_event if callable(on_event) else None
        if self.__function is None:
            self.__entities = list(on_event) if isinstance(on_event, Iterable) else [on_event]
            for entity in self.__entities if isinstance(on_event, Iterable) else ():
                if not isinstance(entity, LaunchDescriptionEntity):
                    raise TypeError(
                        "expected all items in 'on_event' iterable to be of type 'LaunchDescriptionEntity' "
                        f"but got '{type(entity)}'"
                    )

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        super().handle(event, context)
        return self.__entities if self.__function is None else self.__function(event, context)

    def describe(self) -> tuple[str, list[Any]]:
        text, entities = super().describe()
        return text, entities + self.__entities

    @property
    def handler_description(self) -> str:
        return "<actions>" if self.__entities else str(self.__function)

    @property
    def matcher_description(self) -> str:
        event, action = self.__names
        return f"event == {event}" + ("" if self.__action_matcher is None else f" and {action}(event.action)")


class OnExecutionComplete(OnActionEventBase):
    """When an action has finished."""

    def __init__(self, *, target_action: Any = None, on_completion: Any, **kwargs: Any) -> None:
        from .action import Action

        super().__init__(
            action_matcher=target_action,
            on_event=on_completion,
            target_event_cls=ExecutionComplete,
            target_action_cls=Action,
            **kwargs,
        )


class OnProcessExit(OnActionEventBase):
    """When a process has ended."""

    def __init__(self, *, target_action: Any = None, on_exit: Any, **kwargs: Any) -> None:
        from .actions import ExecuteLocal

        super().__init__(
            action_matcher=target_action,
            on_event=on_exit,
            target_event_cls=ProcessExited,
            target_action_cls=ExecuteLocal,
            **kwargs,
        )


class OnProcessStart(OnActionEventBase):
    """When a process has started."""

    def __init__(self, *, target_action: Any = None, on_start: Any, **kwargs: Any) -> None:
        from .actions import ExecuteProcess

        super().__init__(
            action_matcher=target_action,
            on_event=on_start,
            target_event_cls=ProcessStarted,
            target_action_cls=ExecuteProcess,
            **kwargs,
        )


class OnProcessIO(OnActionEventBase):
    """When bytes come out of (or go into) a process; the functions take the event alone."""

    def __init__(
        self,
        *,
        target_action: Any = None,
        on_stdin: Callable[[Any], Any] | None = None,
        on_stdout: Callable[[Any], Any] | None = None,
        on_stderr: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        from .actions import ExecuteLocal

        def handle(event: Any, _: LaunchContext) -> Any:
            function = on_stdout if event.from_stdout else on_stderr if event.from_stderr else on_stdin
            return None if function is None else function(event)

        super().__init__(
            action_matcher=target_action,
            on_event=handle,
            target_event_cls=ProcessIO,
            target_action_cls=ExecuteLocal,
            **kwargs,
        )


class OnShutdown(BaseEventHandler):
    """When the launch is to end."""

    def __init__(self, *, on_shutdown: Any, **kwargs: Any) -> None:
        super().__init__(matcher=lambda event: is_a_subclass(event, Shutdown), **kwargs)
        self.__on_shutdown = on_shutdown if callable(on_shutdown) else lambda event, context: on_shutdown

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        super().handle(event, context)
        return self.__on_shutdown(event, context)

    @property
    def handler_description(self) -> str:
        return str(self.__on_shutdown)

    @property
    def matcher_description(self) -> str:
        return "event issubclass of launch.events.Shutdown"


class OnIncludeLaunchDescription(EventHandler):
    """Visits the launch description of an IncludeLaunchDescription event."""

    def __init__(self, **kwargs: Any) -> None:
        from .actions import OpaqueFunction

        super().__init__(
            matcher=lambda event: is_a_subclass(event, IncludeLaunchDescription),
            entities=OpaqueFunction(function=lambda context: [context.locals.event.launch_description]),
            **kwargs,
        )

    @property
    def handler_description(self) -> str:
        return "returns the launch_description in the event"

    @property
    def matcher_description(self) -> str:
        return "event issubclass of launch.events.IncludeLaunchDescription"
