# SPDX-License-Identifier: Apache-2.0
"""Conditions of actions."""

from ._left_out import left_out
from .condition import Condition
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

__getattr__ = left_out(__name__)

_VALUES = {"true": True, "1": True, "false": False, "0": False}


class InvalidConditionExpressionError(ValueError):
    """A condition's expression is neither true nor false."""


class IfCondition(Condition):
    """Met if the expression says true or 1 (not false or 0), in any letter case."""

    def __init__(self, predicate_expression):
        self.__expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=self._predicate_func)

    def _predicate_func(self, context) -> bool:
        text = perform_substitutions(context, self.__expression).strip().lower()
        if text not in _VALUES:
            origin = " + ".join(str(sub) for sub in self.__expression)
            raise InvalidConditionExpressionError(
                f"invalid condition expression, expected one of [{', '.join(_VALUES)}] but got '{text}', "
                f"expanded from '{origin}'"
            )
        return _VALUES[text]


class UnlessCondition(IfCondition):
    """Met if the expression says false or 0."""

    def _predicate_func(self, context) -> bool:
        return not super()._predicate_func(context)
