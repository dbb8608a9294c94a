# SPDX-License-Identifier: Apache-2.0
"""Conditions of actions."""

import warnings

from .condition import Condition
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

_VALUES = {"true": True, "1": True, "false": False, "0": False}


class InvalidConditionExpressionError(ValueError):
    """A condition's expression is neither true nor false."""

    def __init__(self, expression, unexpanded_expression, valid_expressions):
        origin = " + ".join(str(sub) for sub in unexpanded_expression)
        super().__init__(
            f"invalid condition expression, expected one of [{', '.join(valid_expressions)}] but got '{expression}', "
            f"expanded from '{origin}'"
        )


def evaluate_condition_expression(context, expression) -> bool:
    """Whether the text says true or 1 (not false or 0), in any letter case."""
    text = perform_substitutions(context, expression).strip().lower()
    if text not in _VALUES:
        raise InvalidConditionExpressionError(text, expression, list(_VALUES))
    return _VALUES[text]


class IfCondition(Condition):
    """Met if the expression says true."""

    def __init__(self, predicate_expression):
        self.__expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=self._predicate_func)

    def _predicate_func(self, context) -> bool:
        return evaluate_condition_expression(context, self.__expression)


class UnlessCondition(IfCondition):
    """Met if the expression says false."""

    def _predicate_func(self, context) -> bool:
        return not super()._predicate_func(context)


class LaunchConfigurationEquals(Condition):
    """Met if a configuration has the expected value, or does not exist where None is expected. Deprecated upstream."""

    def __init__(self, launch_configuration_name: str, expected_value):
        warnings.warn(
            f"{type(self).__name__} is deprecated, use IfCondition with EqualsSubstitution or NotEqualsSubstitution",
            UserWarning,
            stacklevel=2,
        )
        self.__name = launch_configuration_name
        self.__expected = None if expected_value is None else normalize_to_list_of_substitutions(expected_value)
        super().__init__(predicate=self._predicate_func)

    def _predicate_func(self, context) -> bool:
        expected = None if self.__expected is None else perform_substitutions(context, self.__expected)
        return context.launch_configurations.get(self.__name) == expected


class LaunchConfigurationNotEquals(LaunchConfigurationEquals):
    """Met if LaunchConfigurationEquals is not. Deprecated upstream."""

    def _predicate_func(self, context) -> bool:
        return not super()._predicate_func(context)
