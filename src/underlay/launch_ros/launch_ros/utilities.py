# SPDX-License-Identifier: Apache-2.0
"""Namespaces and parameters in the forms that users may write, made uniform."""

from collections.abc import Mapping

import yaml
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import is_substitution

from .parameter_descriptions import ParameterValue

_SCALARS = (bool, int, float, str)
_WRAP = "If the parameter is meant to be a string, wrap it: ParameterValue(value, value_type=str)"


def make_namespace_absolute(ns: str | None) -> str | None:
    return ns if ns is None or ns.startswith("/") else "/" + ns


def prefix_namespace(base_ns: str | None, ns: str | None) -> str | None:
    """`ns` below `base_ns`, unless it is absolute; without a / at the end."""
    if ns is None:
        combined = base_ns
    elif not base_ns or ns.startswith("/"):
        combined = ns
    else:
        combined = f"{'' if base_ns == '/' else base_ns}/{ns}"
    return combined if combined in (None, "/") else combined.rstrip("/")


def _evaluate_yaml(context, subs, name):
    text = perform_substitutions(context, normalize_to_list_of_substitutions(subs))
    try:
        value = yaml.safe_load(text or "''")
    except yaml.YAMLError as exc:
        raise TypeError(f"Unable to parse the value of parameter {name} as yaml. {_WRAP}") from exc
    if isinstance(value, list):
        return _uniform(value, name)
    if not isinstance(value, (*_SCALARS, bytes)):
        raise TypeError(
            "Allowed value types are bytes, bool, int, float, str, Sequence[bool], Sequence[int], Sequence[float], "
            f'Sequence[str]. Got {type(value)} for "{name}". {_WRAP}'
        )
    return value


def _uniform(values: list, name: str) -> tuple:
    if {type(value) for value in values} == {int, float}:
        values = [float(value) for value in values]
    if not values or type(values[0]) not in _SCALARS or len({type(value) for value in values}) > 1:
        raise TypeError(
            "Expected a non-empty sequence, with items of uniform type. Allowed sequence item types are bool, int, "
            f'float, str. Got inconsistent input for "{name}"'
        )
    return tuple(values)


def _evaluate(context, value, name: str):
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, (*_SCALARS, bytes)):
        return value
    if isinstance(value, Substitution) or is_substitution(value):
        return _evaluate_yaml(context, value, name)
    return _uniform([_evaluate(context, item, name) for item in value], name)


def evaluate_parameter_dict(context, parameters, prefix: str = "") -> dict:
    """Plain names and values; names may be substitutions, nested ones are joined by dots.

    Texts from substitutions are read as YAML, plain texts stay what they are.

    Raises:
        TypeError: A value is of no type that a parameter can have.
    """
    evaluated: dict = {}
    for key, value in parameters.items():
        name = prefix + perform_substitutions(context, normalize_to_list_of_substitutions(key))
        if isinstance(value, Mapping):
            evaluated.update(evaluate_parameter_dict(context, value, f"{name}."))
        else:
            evaluated[name] = _evaluate(context, value, name)
    return evaluated
