# SPDX-License-Identifier: Apache-2.0
"""Arguments of a launch file."""

from __future__ import annotations

from typing import Any, NoReturn

from .. import logging
from ..action import Action
from ..launch_context import LaunchContext
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions


def _fail(message: str, logged: str | None = None) -> NoReturn:
    logging.get_logger(__name__).error(logged or message)
    raise RuntimeError(message)


class DeclareLaunchArgument(Action):
    """Declare an argument; its value is the launch configuration of the same name.

    Args:
        name: Its name.
        default_value: Its value where none is given; without a default, giving one is required.
        description: For people.
        choices: The values that it may have.
    """

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
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

    def execute(self, context: LaunchContext) -> None:
        values = context.launch_configurations
        if self.name not in values:
            if self.default_value is None:
                _fail(
                    f'Required launch argument "{self.name}" was not provided.',
                    f'Required launch argument "{self.name}" (description: "{self.description}") was not provided',
                )
            values[self.name] = perform_substitutions(context, self.default_value)
        if self.choices is not None and values[self.name] not in self.choices:
            _fail(
                f'Argument "{self.name}" provided value "{values[self.name]}" is not valid. '
                f"Valid options are: {self.choices}"
            )
