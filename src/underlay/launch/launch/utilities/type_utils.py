# SPDX-License-Identifier: Apache-2.0
"""Typed values from substitutions."""

from collections.abc import Iterable
from typing import get_args, get_origin

import yaml

from ..substitution import Substitution

_BOOLEANS = {"1": "true", "0": "false"}
_SCALARS = (int, float, bool, str)


def extract_type(data_type) -> tuple[type, bool]:
    """A type and whether lists of it are meant: `int` and `list[int]` both give int."""
    is_list = get_origin(data_type) is list
    return (get_args(data_type)[0] if is_list else data_type), is_list


def is_instance_of(value, data_type) -> bool:
    """As isinstance, with lists of a type too."""
    item_type, is_list = extract_type(data_type)
    items = value if is_list and isinstance(value, list) else [value]
    return isinstance(value, list) == is_list and all(isinstance(item, item_type) for item in items)


def coerce_to_type(value: str, data_type=None):
    """Text as a value of the type: int, float, bool, str or a list of these; None for what YAML makes of it.

    Raises:
        ValueError: The text is no such value.
    """
    item_type, is_list = (None, False) if data_type is None else extract_type(data_type)
    if item_type in (str, int, float) and not is_list:
        return item_type(value)
    text = _BOOLEANS.get(value, value) if data_type is bool else value
    try:
        output = yaml.safe_load(text) if text else text
    except yaml.YAMLError as exc:
        raise ValueError(f"Cannot convert value '{value}' to '{data_type}': yaml.safe_load() failed\n{exc}") from exc
    if data_type is not None:
        fits = is_instance_of(output, data_type)
    else:
        items = output if isinstance(output, list) else [output]
        fits = isinstance(items[0] if items else 0, _SCALARS) and len({type(item) for item in items}) <= 1
    if not fits:
        raise ValueError(f"Cannot convert value '{value}' to '{data_type}', got {output!r}")
    return output


def is_substitution(value) -> bool:
    """Whether the value is a substitution, or texts and substitutions with at least one of the latter."""
    if isinstance(value, Substitution) or not isinstance(value, Iterable):
        return isinstance(value, Substitution)
    items = list(value)
    return all(isinstance(i, (Substitution, str)) for i in items) and any(isinstance(i, Substitution) for i in items)
