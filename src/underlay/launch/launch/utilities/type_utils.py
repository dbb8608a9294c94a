# SPDX-License-Identifier: Apache-2.0
"""Typed values from substitutions."""

from collections.abc import Iterable

import yaml

from ..substitution import Substitution

_BOOLEANS = {"1": "true", "0": "false"}


def coerce_to_type(value: str, data_type=None):
    """Text as a value of the type (int, float, bool or str; None for what YAML makes of it).

    Raises:
        ValueError: The text is no such value.
    """
    if data_type in (str, int, float):
        return data_type(value)
    if data_type not in (bool, None):
        raise NotImplementedError(f"values of type {data_type} are left out of this stand-in for ROS 2")
    text = _BOOLEANS.get(value, value) if data_type is bool else value
    try:
        output = yaml.safe_load(text) if text else text
    except yaml.YAMLError as exc:
        raise ValueError(f"Cannot convert value '{value}' to '{data_type}': yaml.safe_load() failed\n{exc}") from exc
    if not isinstance(output, data_type or (int, float, bool, str, list)):
        raise ValueError(f"Cannot convert value '{value}' to '{data_type}', got {output!r}")
    return output


def is_substitution(value) -> bool:
    """Whether the value is a substitution, or texts and substitutions with at least one of the latter."""
    if isinstance(value, Substitution) or not isinstance(value, Iterable):
        return isinstance(value, Substitution)
    items = list(value)
    return all(isinstance(i, (Substitution, str)) for i in items) and any(isinstance(i, Substitution) for i in items)
