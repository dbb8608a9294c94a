# SPDX-License-Identifier: Apache-2.0
"""Actions on launch configurations and environment variables."""

import os

from ..action import Action
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution


class PushLaunchConfigurations(Action):
    """Remember the launch configurations."""

    def execute(self, context):
        context._push_launch_configurations()


class PopLaunchConfigurations(Action):
    """Go back to the launch configurations last remembered."""

    def execute(self, context):
        context._pop_launch_configurations()


class ResetLaunchConfigurations(Action):
    """Forget all launch configurations, except for those given."""

    def __init__(self, launch_configurations=None, **kwargs):
        super().__init__(**kwargs)
        normalize = normalize_to_list_of_substitutions
        self.__kept = [(normalize(key), normalize(value)) for key, value in (launch_configurations or {}).items()]

    def execute(self, context):
        kept = {perform_substitutions(context, k): perform_substitutions(context, v) for k, v in self.__kept}
        context.launch_configurations.clear()
        context.launch_configurations.update(kept)


class PushEnvironment(Action):
    """Remember the environment."""

    def execute(self, context):
        context._push_environment()


class PopEnvironment(Action):
    """Go back to the environment last remembered."""

    def execute(self, context):
        context._pop_environment()


class ResetEnvironment(Action):
    """Go back to the environment in which the launch was started."""

    def execute(self, context):
        context._reset_environment()


class UnsetLaunchConfiguration(Action):
    """Remove a launch configuration."""

    def __init__(self, name, **kwargs):
        super().__init__(**kwargs)
        self.name = normalize_to_list_of_substitutions(name)

    def execute(self, context):
        context.launch_configurations.pop(perform_substitutions(context, self.name), None)


class UnsetEnvironmentVariable(UnsetLaunchConfiguration):
    """Remove an environment variable."""

    def execute(self, context):
        context.environment.pop(perform_substitutions(context, self.name), None)


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


class AppendEnvironmentVariable(SetEnvironmentVariable):
    """Append to (or prepend to) an environment variable, or set it."""

    def __init__(self, name, value, prepend=False, separator=os.pathsep, **kwargs):
        super().__init__(name, value, **kwargs)
        self.prepend = normalize_typed_substitution(prepend, bool)
        self.separator = normalize_to_list_of_substitutions(separator)

    def execute(self, context):
        name = perform_substitutions(context, self.name)
        parts = [perform_substitutions(context, self.value)]
        if name in context.environment:
            prepend = perform_typed_substitution(context, self.prepend, bool)
            parts.insert(1 if prepend else 0, context.environment[name])
        context.environment[name] = perform_substitutions(context, self.separator).join(parts)
