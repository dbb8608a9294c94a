# SPDX-License-Identifier: Apache-2.0
"""Typed values from substitutions.

A data type is int, float, bool or str, `List[...]` of one of these, or None for any of them by YAML's rules.
"""

from collections.abc import Iterable
from typing import get_args, get_origin

import yaml

from ..substitution import Substitution
from . import normalize_to_list_of_substitutions, perform_substitutions

ScalarTypesTuple = (int, float, bool, str)


def extract_type(data_type):
    """Scalar type, and whether a list of it is meant."""
    is_list = get_origin(data_type) is list and bool(get_args(data_type))
    scalar = get_args(data_type)[0] if is_list else data_type
    if scalar not in ScalarTypesTuple:
        raise ValueError(f"Unrecognized data type: {data_type}")
    return scalar, is_list


def is_instance_of(value, data_type=None) -> bool:
    """Whether the value is of the data type."""
    if data_type is None:
        uniform = isinstance(value, list) and len({type(item) for item in value}) <= 1
        return isinstance(value, ScalarTypesTuple) or (uniform and isinstance((value or [0])[0], ScalarTypesTuple))
    scalar, is_list = extract_type(data_type)
    if not is_list:
        return isinstance(value, scalar)
    return isinstance(value, list) and all(isinstance(item, scalar) for item in value)


def coerce_to_type(value: str, data_type=None):
    """Text as a value of the data type; ValueError if it is none."""
    scalar, is_list = (None, False) if data_type is None else extract_type(data_type)
    if scalar in (str, int, float) and not is_list:
        return scalar(value)
    if scalar is bool and not is_list:
        value = {"1": "true", "0": "false"}.get(value, value)
    try:
        output = yaml.safe_load(value) if value else value
    except yaml.YAMLError as exc:
        raise ValueError(f"Cannot convert value '{value}' to '{data_type}': yaml.safe_load() failed\n{exc}") from exc
    if not is_instance_of(output, data_type):
        raise ValueError(f"Cannot convert value '{value}' to '{data_type}', got {output!r}")
    return output


def is_substitution(value) -> bool:
    """Whether the value is a substitution, or texts and substitutions with at least one of the latter."""
    if isinstance(value, Substitution) or not isinstance(value, Iterable):
        return isinstance(value, Substitution)
    items = list(value)
    return all(isinstance(i, (Substitution, str)) for i in items) and any(isinstance(i, Substitution) for i in items)


def is_normalized_substitution(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Substitution) for item in value)


def normalize_typed_substitution(value, data_type):
    """Check a value against a data type as far as possible now (TypeError), with substitutions as lists."""
    if isinstance(value, ScalarTypesTuple):
        if not is_instance_of(value, data_type):
            raise TypeError(f"value='{value}' is not an instance of {data_type}")
        return value
    if is_substitution(value):
        return normalize_to_list_of_substitutions(value)
    if not isinstance(value, Iterable):
        raise TypeError(f"'{value}' is neither a scalar, nor a substitution, nor a list of them")
    items = list(value)
    scalar, is_list = (None, True) if data_type is None else extract_type(data_type)
    types = {type(item) for item in items if not is_substitution(item)}
    if types == {int, float} or (types == {int} and scalar is float):
        types = {float}
    if not is_list or not types <= set(ScalarTypesTuple) or len(types) > 1 or (types and scalar not in (None, *types)):
        raise TypeError(f"'{items}' is not of type '{data_type or 'uniform list'}'")
    convert = float if types == {float} else lambda item: item
    return [normalize_to_list_of_substitutions(item) if is_substitution(item) else convert(item) for item in items]


def perform_typed_substitution(context, value, data_type):
    """Value of the data type from what `normalize_typed_substitution` made (TypeError or ValueError if it is none)."""
    if isinstance(value, ScalarTypesTuple):
        if data_type is not None and not is_instance_of(value, data_type):
            raise TypeError(f"value=`{value}` is a scalar and not an instance of `{data_type}`")
        return value
    if is_normalized_substitution(value):
        return coerce_to_type(perform_substitutions(context, value), data_type)
    if not isinstance(value, list):
        raise TypeError(f"'{value}' was not normalized")
    scalar, is_list = (None, True) if data_type is None else extract_type(data_type)
    performed = [
        coerce_to_type(perform_substitutions(context, item), scalar) if is_normalized_substitution(item) else item
        for item in value
    ]
    if not is_list or not is_instance_of(performed, data_type):
        raise ValueError(f"The list '{performed}' does not match the expected type '{data_type or 'uniform list'}'")
    return performed
