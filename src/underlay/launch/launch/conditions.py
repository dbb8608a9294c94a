# SPDX-License-Identifier: Apache-2.0
"""Conditions of actions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from .condition import Condition
from .launch_context import LaunchContext
from .some_substitutions_type import SomeSubstitutionsType
from .substitution import Substitution
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

_TRUE = ("true", "1")
_FALSE = ("false", "0")


class InvalidConditionExpressionError(ValueError):
    """A condition's expression is neither true nor false."""

    def __init__(self, expression: str, unexpanded: Iterable[Substitution], valid: Iterable[str]) -> None:
        super().__init__(
            f"invalid condition expression, expected one of [{', '.join(valid)}] but got '{expression}', "
            f"expanded from '{' + '.join(str(sub) for sub in unexpanded)}'"
        )


def evaluate_condition_expression(context: LaunchContext, expression: list[Substitution]) -> bool:
    """Whether the text says true or 1 (not false or 0), in any letter case.

    Raises:
        InvalidConditionExpressionError: It says neither.
    """
    text = perform_substitutions(context, expression).strip().lower()
    if text not in _TRUE + _FALSE:
        raise InvalidConditionExpressionError(text, expression, _TRUE + _FALSE)
    return text in _TRUE


class IfCondition(Condition):
    """Met if the expression says true."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        self.__expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=self._predicate_func)

    def _predicate_func(self, context: LaunchContext) -> bool:
        return evaluate_condition_expression(context, self.__expression)


class UnlessCondition(IfCondition):
    """Met if the expression says false."""

    def _predicate_func(self, context: LaunchContext) -> bool:
        return not super()._predicate_func(context)


class LaunchConfigurationEquals(Condition):
    """Met if a configuration has the expected value, or does not exist where None is expected. Deprecated upstream."""

    def __init__(self, launch_configuration_name: str, expected_value: SomeSubstitutionsType | None) -> None:
        warnings.warn(
            "LaunchConfigurationEquals and LaunchConfigurationNotEquals are deprecated, use IfCondition with "
            "EqualsSubstitution or NotEqualsSubstitution",
            UserWarning,
            stacklevel=2,
        )
        self.__name = launch_configuration_name
        self.__expected = None if expected_value is None else normalize_to_list_of_substitutions(expected_value)
        super().__init__(predicate=self._predicate_func)

    def _predicate_func(self, context: LaunchContext) -> bool:
        expected = None if self.__expected is None else perform_substitutions(context, self.__expected)
        return context.launch_configurations.get(self.__name) == expected


class LaunchConfigurationNotEquals(LaunchConfigurationEquals):
    """Met if LaunchConfigurationEquals is not. Deprecated upstream."""

    def _predicate_func(self, context: LaunchContext) -> bool:
        return not super()._predicate_func(context)
