# SPDX-License-Identifier: Apache-2.0
"""Namespaces and parameters in the forms that users may write, made uniform."""

from collections.abc import Mapping, Sequence

import yaml
from launch.substitution import Substitution, TextSubstitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import is_substitution

from .parameter_descriptions import ParameterFile, ParameterValue

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


def _check(value):
    """Refuse what no parameter can be, before the launch runs; whole numbers beside others become others."""
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        if {type(item) for item in value} == {int, float}:
            return [float(item) for item in value]
        for item in value:
            if not isinstance(item, _SCALARS):
                normalize_to_list_of_substitutions(item)
    elif not isinstance(value, (*_SCALARS, bytes, Substitution, ParameterValue)):
        raise TypeError(f"Unexpected type for parameter value {value!r}")
    return value


def normalize_parameter_dict(parameters: Mapping, prefix: tuple[Substitution, ...] = ()) -> dict:
    """Names as tuples of substitutions and values; nested names are joined by dots."""
    normalized: dict = {}
    for key, value in parameters.items():
        name = (*prefix, *normalize_to_list_of_substitutions(key))
        if isinstance(value, Mapping):
            normalized.update(normalize_parameter_dict(value, (*name, TextSubstitution(text="."))))
        else:
            normalized[name] = _check(value)
    return normalized


def normalize_parameters(parameters) -> tuple:
    """A list of dictionaries and paths as dictionaries (see `normalize_parameter_dict`) and ParameterFiles."""
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise TypeError(f"Expecting list of parameters, got {parameters}")
    return tuple(
        normalize_parameter_dict(item)
        if isinstance(item, Mapping)
        else item
        if isinstance(item, ParameterFile)
        else ParameterFile(item)
        for item in parameters
    )


def evaluate_parameter_dict(context, parameters: Mapping) -> dict:
    """Plain names and values. Texts from substitutions are read as YAML, plain texts stay what they are.

    Raises:
        TypeError: A value is of no type that a parameter can have.
    """
    evaluated = {}
    for subs, value in parameters.items():
        name = perform_substitutions(context, subs)
        evaluated[name] = _evaluate(context, value, name)
    return evaluated


def evaluate_parameters(context, parameters) -> tuple:
    """Dictionaries of values and paths of what `normalize_parameters` returned."""
    return tuple(
        evaluate_parameter_dict(context, item) if isinstance(item, Mapping) else item.evaluate(context)
        for item in parameters
    )


def normalize_remap_rule(remapping) -> tuple[list[Substitution], list[Substitution]]:
    """A pair of names as substitutions."""
    if not isinstance(remapping, tuple):
        raise TypeError(f"Expected tuple, got '{type(remapping)}'")
    if len(remapping) != 2:
        raise TypeError(f"remapping rules must have length of 2, got {len(remapping)}")
    return normalize_to_list_of_substitutions(remapping[0]), normalize_to_list_of_substitutions(remapping[1])


def normalize_remap_rules(remappings):
    """Pairs of names as substitutions."""
    return (normalize_remap_rule(rule) for rule in remappings)
