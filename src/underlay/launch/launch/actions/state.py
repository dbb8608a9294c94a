# SPDX-License-Identifier: Apache-2.0
"""Actions on launch configurations and environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..action import Action
from ..launch_context import LaunchContext
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution


class PushLaunchConfigurations(Action):
    """Remember the launch configurations."""

    def execute(self, context: LaunchContext) -> None:
        context._push_launch_configurations()


class PopLaunchConfigurations(Action):
    """Go back to the launch configurations last remembered."""

    def execute(self, context: LaunchContext) -> None:
        context._pop_launch_configurations()


class ResetLaunchConfigurations(Action):
    """Forget all launch configurations, except for those given."""

    def __init__(
        self,
        launch_configurations: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        normalize = normalize_to_list_of_substitutions
        self.__kept = [(normalize(key), normalize(value)) for key, value in (launch_configurations or {}).items()]

    def execute(self, context: LaunchContext) -> None:
        kept = {perform_substitutions(context, k): perform_substitutions(context, v) for k, v in self.__kept}
        context.launch_configurations.clear()
        context.launch_configurations.update(kept)


class PushEnvironment(Action):
    """Remember the environment."""

    def execute(self, context: LaunchContext) -> None:
        context._push_environment()


class PopEnvironment(Action):
    """Go back to the environment last remembered."""

    def execute(self, context: LaunchContext) -> None:
        context._pop_environment()


class ResetEnvironment(Action):
    """Go back to the environment in which the launch was started."""

    def execute(self, context: LaunchContext) -> None:
        context._reset_environment()


class _Named(Action):
    """Base of actions on one named thing, in most cases with a value."""

    def __init__(self, name: SomeSubstitutionsType, value: SomeSubstitutionsType = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = normalize_to_list_of_substitutions(value)


class SetLaunchConfiguration(_Named):
    """Set a launch configuration."""

    def __init__(self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(name, value, **kwargs)

    def execute(self, context: LaunchContext) -> None:
        name = perform_substitutions(context, self.name)
        context.launch_configurations[name] = perform_substitutions(context, self.value)


class UnsetLaunchConfiguration(_Named):
    """Remove a launch configuration."""

    def execute(self, context: LaunchContext) -> None:
        context.launch_configurations.pop(perform_substitutions(context, self.name), None)


class SetEnvironmentVariable(_Named):
    """Set an environment variable."""

    def __init__(self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(name, value, **kwargs)

    def execute(self, context: LaunchContext) -> None:
        name = perform_substitutions(context, self.name)
        context.environment[name] = perform_substitutions(context, self.value)


class UnsetEnvironmentVariable(_Named):
    """Remove an environment variable."""

    def execute(self, context: LaunchContext) -> None:
        context.environment.pop(perform_substitutions(context, self.name), None)


class AppendEnvironmentVariable(_Named):
    """Append to (or prepend to) an environment variable, or set it."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: SomeSubstitutionsType,
        prepend: bool | SomeSubstitutionsType = False,
        separator: SomeSubstitutionsType = os.pathsep,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, value, **kwargs)
        self.prepend = normalize_typed_substitution(prepend, bool)
        self.separator = normalize_to_list_of_substitutions(separator)

    def execute(self, context: LaunchContext) -> None:
        name = perform_substitutions(context, self.name)
        parts = [perform_substitutions(context, self.value)]
        if name in context.environment:
            prepend = perform_typed_substitution(context, self.prepend, bool)
            parts.insert(1 if prepend else 0, context.environment[name])
        context.environment[name] = perform_substitutions(context, self.separator).join(parts)
