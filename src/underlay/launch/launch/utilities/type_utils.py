# SPDX-License-Identifier: Apache-2.0
"""Typed values from substitutions: scalars (int, float, bool, str) and uniform lists of them.

A data type is one of the four scalar types, `List[...]` of one, or None for any of them by YAML's rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, List, get_args, get_origin  # noqa: UP035: users write List[int]

import yaml

from ..substitution import Substitution
from . import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from ..launch_context import LaunchContext

ScalarTypesTuple = (int, float, bool, str)
AllowedTypesType = Any
SomeValueType = Any
NormalizedValueType = Any


def is_typing_list(data_type: Any) -> bool:
    """Whether the type is `List` or `List[...]`."""
    return data_type is List or get_origin(data_type) is list


def is_valid_scalar_type(data_type: Any) -> bool:
    """Whether the type is int, float, bool or str."""
    return data_type in ScalarTypesTuple


def extract_type(data_type: Any) -> tuple[type, bool]:
    """Scalar type, and whether a list of it is meant."""
    is_list = is_typing_list(data_type) and bool(get_args(data_type))
    scalar = get_args(data_type)[0] if is_list else data_type
    if not is_valid_scalar_type(scalar):
        raise ValueError(f"Unrecognized data type: {data_type}")
    return scalar, is_list


def is_instance_of_valid_type(value: Any, *, can_be_str: bool = False) -> bool:
    """Whether the value is a scalar or a uniform list of scalars."""
    if not isinstance(value, list):
        return isinstance(value, ScalarTypesTuple)
    member = next((type(item) for item in value if type(item) is not str), str)
    allowed = (member, str) if can_be_str else (member,)
    return not value or (member in ScalarTypesTuple and all(isinstance(item, allowed) for item in value))


def is_instance_of(value: Any, data_type: Any = None, *, can_be_str: bool = False) -> bool:
    """Whether the value is of the data type."""
    if data_type is None:
        return is_instance_of_valid_type(value, can_be_str=can_be_str)
    scalar, is_list = extract_type(data_type)
    allowed = (str, scalar) if can_be_str else (scalar,)
    if not is_list:
        return isinstance(value, allowed)
    return isinstance(value, list) and all(isinstance(item, allowed) for item in value)


def coerce_to_type(value: str, data_type: Any = None, *, can_be_str: bool = False) -> Any:
    """Text as a value of the data type.

    Raises:
        ValueError: It is none.
    """
    ensure_argument_type(value, str, "value", "coerce_to_type")
    error = f"Cannot convert value '{value}' to '{data_type}'"
    scalar, is_list = (None, False) if data_type is None else extract_type(data_type)
    if scalar is str and not is_list:
        return value
    if scalar in (int, float) and not is_list:
        try:
            return scalar(value)
        except ValueError:
            if can_be_str:
                return value
            raise
    if scalar is bool and not is_list:
        value = {"1": "true", "0": "false"}.get(value, value)
    try:
        output = yaml.safe_load(value) if value else value
    except yaml.YAMLError as exc:
        if can_be_str and not is_list:
            return value
        raise ValueError(f"{error}: yaml.safe_load() failed\n{exc}") from exc
    if not is_instance_of(output, data_type, can_be_str=can_be_str):
        raise ValueError(f"{error}, got {output!r}")
    return output


def coerce_list(value: list[str], data_type: Any = None, *, can_be_str: bool = False) -> list[Any]:
    """Each text of a list as a value of the scalar type."""
    ensure_argument_type(value, list, "value", "coerce_list")
    output = [coerce_to_type(item, data_type, can_be_str=can_be_str) for item in value]
    if not is_instance_of_valid_type(output, can_be_str=can_be_str):
        raise ValueError(f"cannot convert value to {data_type}. Got value=`{value}`")
    return output


def get_typed_value(value: Any, data_type: Any, *, can_be_str: bool = False) -> Any:
    """Text, or list of texts, as a value of the data type."""
    if not isinstance(value, list):
        return coerce_to_type(value, data_type, can_be_str=can_be_str)
    if data_type is not None:
        data_type, is_list = extract_type(data_type)
        if not is_list:
            raise TypeError(f"Cannot convert input '{value}' of type '{type(value)}' to '{data_type}'")
    return coerce_list(value, data_type, can_be_str=can_be_str)


def is_substitution(value: Any) -> bool:
    """Whether the value is a substitution, or texts and substitutions with at least one of the latter."""
    if isinstance(value, Substitution) or not isinstance(value, Iterable):
        return isinstance(value, Substitution)
    items = list(value)
    return all(isinstance(item, (Substitution, str)) for item in items) and any(
        isinstance(item, Substitution) for item in items
    )


def is_normalized_substitution(value: Any) -> bool:
    """Whether the value is a non-empty list of substitutions."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, Substitution) for item in value)


def normalize_typed_substitution(value: Any, data_type: Any) -> Any:
    """Check a value against a data type as far as possible now, with substitutions as lists.

    Raises:
        TypeError: The value cannot become one of the data type.
    """
    if isinstance(value, ScalarTypesTuple):
        if not is_instance_of(value, data_type):
            raise TypeError(f"value='{value}' is not an instance of {data_type}")
        return value
    if is_substitution(value):
        return normalize_to_list_of_substitutions(value)
    if not isinstance(value, Iterable):
        raise TypeError(f"'{value}' is neither a scalar, nor a substitution, nor a list of them")
    items = list(value)
    if not all(isinstance(item, ScalarTypesTuple) or is_substitution(item) for item in items):
        raise TypeError(f"an item of '{items}' is neither a scalar nor a substitution")
    scalar, is_list = (None, True) if data_type is None else extract_type(data_type)
    if not is_list:
        raise TypeError(f"'{items}' is a list, though the required type is the scalar '{data_type}'")
    types = {type(item) for item in items if isinstance(item, ScalarTypesTuple)}
    if types == {int, float} or (types == {int} and scalar is float):
        types = {float}
    if len(types) > 1 or (types and scalar not in (None, *types)):
        raise TypeError(f"'{items}' is not a list of '{data_type or 'one scalar type'}'")

    def normalize(item: Any) -> Any:
        if is_substitution(item):
            return normalize_to_list_of_substitutions(item)
        return float(item) if types == {float} else item

    return [normalize(item) for item in items]


def perform_typed_substitution(context: LaunchContext, value: Any, data_type: Any) -> Any:
    """Value of the data type from what `normalize_typed_substitution` made.

    Raises:
        TypeError, ValueError: The value is not of the data type.
    """
    if isinstance(value, ScalarTypesTuple):
        if data_type is not None and not is_instance_of(value, data_type):
            raise TypeError(f"value=`{value}` is a scalar and not an instance of `{data_type}`")
        return value
    if is_normalized_substitution(value):
        return coerce_to_type(perform_substitutions(context, value), data_type)
    if not isinstance(value, list):
        raise TypeError(f"'{value}' was not normalized")
    scalar, is_list = (None, True) if data_type is None else extract_type(data_type)
    if not is_list:
        raise ValueError(f"The input value is a list, cannot convert '{value}' to the scalar type {scalar}")
    output = [
        coerce_to_type(perform_substitutions(context, item), scalar) if is_normalized_substitution(item) else item
        for item in value
    ]
    if not is_instance_of(output, data_type):
        raise ValueError(f"The output list '{output}' does not match the expected type '{data_type or 'uniform list'}'")
    return output
