# SPDX-License-Identifier: Apache-2.0
"""Actions that direct what else is done: arguments, groups, includes, events, timers, functions."""

import asyncio
import os
import warnings
from collections.abc import Iterable
from typing import Any

from .. import events, logging
from ..action import Action
from ..event import Event
from ..event_handler import EventHandler
from ..events.process import ProcessExited
from ..launch_context import LaunchContext
from ..launch_description_source import LaunchDescriptionSource
from ..launch_description_sources import AnyLaunchDescriptionSource
from ..some_substitutions_type import SomeSubstitutionsType_types_tuple
from ..utilities import (
    ensure_argument_type,
    is_a_subclass,
    normalize_to_list_of_entities,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution
from .state import (
    PopEnvironment,
    PopLaunchConfigurations,
    PushEnvironment,
    PushLaunchConfigurations,
    ResetEnvironment,
    ResetLaunchConfigurations,
    SetLaunchConfiguration,
)


def _fail(message, logged=None):
    logging.get_logger("launch.actions.declare_launch_argument").error(logged or message)
    raise RuntimeError(message)


class DeclareLaunchArgument(Action):
    """Declare an argument; its value is the launch configuration of the same name. No default means required."""

    def __init__(self, name: str, *, default_value=None, description=None, choices=None, **kwargs):
        super().__init__(**kwargs)
        self.name = name
        self.default_value = None if default_value is None else normalize_to_list_of_substitutions(default_value)
        self.choices = choices
        self._conditionally_included = False
        if choices is not None and len(choices) == 0:
            _fail("Provided choices arg is empty. Use None to ignore the choice list.")
        if choices is not None and isinstance(default_value, str) and default_value not in choices:
            _fail(f'Provided default_value "{default_value}" is not in provided choices "{choices}".')
        if description is None:
            self.description = "no description given" if choices is None else f"One of: {choices}"
        elif choices is None:
            self.description = description
        else:
            self.description = f"{description.removesuffix('.')}. Valid choices are: {choices}"

    def execute(self, context):
        values = context.launch_configurations
        if self.name not in values:
            if self.default_value is None:
                description = f'Required launch argument "{self.name}" (description: "{self.description}")'
                _fail(f'Required launch argument "{self.name}" was not provided.', f"{description} was not provided")
            values[self.name] = perform_substitutions(context, self.default_value)
        if self.choices is not None and values[self.name] not in self.choices:
            _fail(
                f'Argument "{self.name}" provided value "{values[self.name]}" is not valid. '
                f"Valid options are: {self.choices}"
            )


class GroupAction(Action):
    """Actions that share a scope.

    If `scoped`, changes of configurations and environment end with the group; only with `forwarding` are those from
    outside known inside.
    """

    def __init__(self, actions, *, scoped=True, forwarding=True, launch_configurations=None, **kwargs):
        super().__init__(**kwargs)
        settings = launch_configurations or {}
        if scoped and not forwarding:
            body = [ResetEnvironment(), ResetLaunchConfigurations(settings), *actions]
        else:
            body = [*(SetLaunchConfiguration(key, value) for key, value in settings.items()), *actions]
        if scoped:
            body = [PushLaunchConfigurations(), PushEnvironment(), *body, PopEnvironment(), PopLaunchConfigurations()]
        self.__sub_entities = body

    def get_sub_entities(self) -> list:
        return self.__sub_entities

    def execute(self, context) -> list:
        return self.__sub_entities


class IncludeLaunchDescription(Action):
    """Visit another launch description, with arguments (pairs of name and value)."""

    def __init__(self, launch_description_source, *, launch_arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(launch_description_source, LaunchDescriptionSource):
            launch_description_source = AnyLaunchDescriptionSource(launch_description_source)
        self.launch_description_source = launch_description_source
        self.launch_arguments = () if launch_arguments is None else tuple(launch_arguments)

    def get_sub_entities(self) -> list:
        description = self.launch_description_source.try_get_launch_description_without_context()
        return [] if description is None else [description]

    def _argument_names(self, context) -> list[str]:
        names = (normalize_to_list_of_substitutions(name) for name, _ in self.launch_arguments)
        return [perform_substitutions(context, name) for name in names]

    def _check_arguments(self, context, description):
        given = self._argument_names(context)
        for argument, includes in description.get_launch_arguments_with_include_launch_description_actions():
            if argument._conditionally_included or argument.default_value is not None:
                continue
            for include in includes or ():
                try:
                    given.extend(include._argument_names(LaunchContext()))
                except Exception as exc:
                    logging.get_logger(__name__).debug(f"names of launch arguments not known beforehand: {exc}")
            if argument.name not in given:
                raise RuntimeError(
                    f"Included launch description missing required argument '{argument.name}' "
                    f"(description: '{argument.description}'), given: [{', '.join(given)}]"
                )

    def execute(self, context) -> list:
        description = self.launch_description_source.get_launch_description(context)
        location = self.launch_description_source.location
        path = os.path.abspath(location)
        folder = os.path.dirname(path) if os.path.exists(path) else location
        context.extend_locals({"current_launch_file_path": path, "current_launch_file_directory": folder})
        self._check_arguments(context, description)
        return [*(SetLaunchConfiguration(name, value) for name, value in self.launch_arguments), description]


class LogInfo(Action):
    """Log a message."""

    def __init__(self, *, msg, **kwargs):
        super().__init__(**kwargs)
        self.msg = normalize_to_list_of_substitutions(msg)

    def execute(self, context):
        logging.get_logger("launch.user").info(perform_substitutions(context, self.msg))


class OpaqueFunction(Action):
    """Call a function with the context; it returns the entities to be visited next, or None."""

    def __init__(self, *, function, args=None, kwargs=None, **left_over_kwargs):
        super().__init__(**left_over_kwargs)
        if not callable(function):
            raise TypeError(f"OpaqueFunction expected a callable for 'function', got '{type(function)}'")
        ensure_argument_type(args, (Iterable, type(None)), "args", "OpaqueFunction")
        ensure_argument_type(kwargs, (dict, type(None)), "kwargs", "OpaqueFunction")
        self.__function, self.__args, self.__kwargs = function, args or (), kwargs or {}

    def execute(self, context):
        return self.__function(context, *self.__args, **self.__kwargs)


class RegisterEventHandler(Action):
    """Add an event handler."""

    def __init__(self, event_handler, **kwargs):
        super().__init__(**kwargs)
        self.event_handler = event_handler

    def execute(self, context):
        context.register_event_handler(self.event_handler)

    def describe_conditional_sub_entities(self) -> list:
        text, entities = self.event_handler.describe()
        return [(text, normalize_to_list_of_entities(entities))] if entities else []


class UnregisterEventHandler(Action):
    """Remove an event handler."""

    def __init__(self, event_handler, **kwargs):
        super().__init__(**kwargs)
        self.event_handler = event_handler

    def execute(self, context):
        context.unregister_event_handler(self.event_handler)


class EmitEvent(Action):
    """Emit an event."""

    def __init__(self, *, event, **kwargs):
        super().__init__(**kwargs)
        if not is_a_subclass(event, Event):
            raise RuntimeError(f"EmitEvent() expected an event instance, got '{event}'.")
        self.event = event

    def execute(self, context):
        context.emit_event_sync(self.event)


class Shutdown(EmitEvent):
    """End the launch."""

    def __init__(self, *, reason: str = "reason not given", **kwargs):
        super().__init__(event=events.Shutdown(reason=reason), **kwargs)

    def execute(self, context):
        event = context.get_locals_as_dict().get("event")
        if isinstance(event, ProcessExited):
            message = f"process[{event.process_name}] was required: shutting down launched system"
            logging.get_logger("launch").info(message)
        super().execute(context)


class TimerAction(Action):
    """Visit entities when a period [s] has passed, unless cancelled."""

    def __init__(self, *, period, actions, cancel_on_shutdown=True, **kwargs):
        super().__init__(**kwargs)
        ensure_argument_type(period, [*SomeSubstitutionsType_types_tuple, float], "period", "TimerAction")
        ensure_argument_type(actions, Iterable, "actions", "TimerAction")
        if isinstance(period, str):
            warnings.warn("The parameter 'period' should be a float or a substitution", stacklevel=2)
            period = float(period)
        self.period = normalize_typed_substitution(period, float)
        self.actions = actions
        self.__cancel_on_shutdown = normalize_typed_substitution(cancel_on_shutdown, bool)
        self.__locals: dict = {}
        self.__canceled = False
        self._canceled_future: Any = None
        self._completed_future: Any = None

    def describe(self) -> str:
        return f"TimerAction(period={self.period}, actions=<actions>)"

    def describe_conditional_sub_entities(self) -> list:
        return [(f"{self.period} seconds pass without being canceled", self.actions)]

    async def _wait_to_fire_event(self, context):
        period = perform_typed_substitution(context, self.period, float)
        await asyncio.wait([self._canceled_future], timeout=period)
        if not self._canceled_future.done():
            await context.emit_event(events.TimerEvent(timer_action=self))
        self._completed_future.set_result(None)

    def handle(self, context):
        """What the timer's event yields, in the scope in which the timer was started."""
        context.extend_locals(self.__locals)
        return self.actions

    def cancel(self):
        """Have the timer not fire, whether it is started already or not."""
        self.__canceled = True
        if self._canceled_future is not None and not self._canceled_future.done():
            self._canceled_future.set_result(True)

    def execute(self, context):
        def handle(event_class, function):
            opaque = OpaqueFunction(function=function)
            matcher = lambda event: is_a_subclass(event, event_class)  # noqa: E731
            context.register_event_handler(EventHandler(matcher=matcher, entities=opaque))

        self._completed_future = context.asyncio_loop.create_future()
        self._canceled_future = context.asyncio_loop.create_future()
        if self.__canceled:
            self._completed_future.set_result(None)
            return
        self.__locals = context.get_locals_as_dict()
        if not hasattr(context.locals, "_timer_handler_installed"):
            context.extend_globals({"_timer_handler_installed": True})
            handle(events.TimerEvent, lambda context: context.locals.event.timer_action.handle(context))
        context.asyncio_loop.create_task(self._wait_to_fire_event(context))
        if perform_typed_substitution(context, self.__cancel_on_shutdown, bool):
            handle(events.Shutdown, lambda context: self.cancel())

    def get_asyncio_future(self):
        return self._completed_future
