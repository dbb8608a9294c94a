# SPDX-License-Identifier: Apache-2.0
"""Actions that direct what else is done: arguments, settings, groups, includes, events, functions."""

import os

from .. import events, logging
from ..action import Action
from ..events.process import ProcessExited
from ..launch_context import LaunchContext
from ..launch_description_sources import LaunchDescriptionSource, PythonLaunchDescriptionSource
from ..utilities import normalize_to_list_of_entities, normalize_to_list_of_substitutions, perform_substitutions


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


class SetLaunchConfiguration(Action):
    """Set a launch configuration."""

    def __init__(self, name, value, **kwargs):
        super().__init__(**kwargs)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = normalize_to_list_of_substitutions(value)

    def execute(self, context):
        name = perform_substitutions(context, self.name)
        context.launch_configurations[name] = perform_substitutions(context, self.value)


class SetEnvironmentVariable(SetLaunchConfiguration):
    """Set an environment variable."""

    def execute(self, context):
        context.environment[perform_substitutions(context, self.name)] = perform_substitutions(context, self.value)


class PushLaunchConfigurations(Action):
    """Remember the launch configurations."""

    def execute(self, context):
        context._push_launch_configurations()


class PopLaunchConfigurations(Action):
    """Go back to the launch configurations remembered last."""

    def execute(self, context):
        context._pop_launch_configurations()


class PushEnvironment(Action):
    """Remember the environment variables."""

    def execute(self, context):
        context._push_environment()


class PopEnvironment(Action):
    """Go back to the environment variables remembered last."""

    def execute(self, context):
        context._pop_environment()


class ResetEnvironment(Action):
    """Go back to the environment variables from before the launch."""

    def execute(self, context):
        context._reset_environment()


class ResetLaunchConfigurations(Action):
    """Leave only the given launch configurations."""

    def __init__(self, launch_configurations=None, **kwargs):
        super().__init__(**kwargs)
        normalize = normalize_to_list_of_substitutions
        given = (launch_configurations or {}).items()
        self.__configurations = [(normalize(name), normalize(value)) for name, value in given]

    def execute(self, context):
        kept = {
            perform_substitutions(context, name): perform_substitutions(context, value)
            for name, value in self.__configurations
        }
        context.launch_configurations.clear()
        context.launch_configurations.update(kept)


class GroupAction(Action):
    """Actions that share a scope: if `scoped`, changes of configurations and environment end with the group.

    Without `forwarding`, only the given configurations and the environment from before the launch are known inside.
    """

    def __init__(self, actions, *, scoped=True, forwarding=True, launch_configurations=None, **kwargs):
        super().__init__(**kwargs)
        given = launch_configurations or {}
        body = [*(SetLaunchConfiguration(key, value) for key, value in given.items()), *actions]
        if scoped and not forwarding:
            body = [ResetEnvironment(), ResetLaunchConfigurations(given), *actions]
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
            launch_description_source = PythonLaunchDescriptionSource(launch_description_source)
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


class EmitEvent(Action):
    """Emit an event."""

    def __init__(self, *, event, **kwargs):
        super().__init__(**kwargs)
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
