# SPDX-License-Identifier: Apache-2.0
"""Namespaces, remappings and parameters in the forms that users may write, made uniform."""

from collections import Counter
from collections.abc import Mapping, Sequence

import yaml
from launch.substitution import Substitution, TextSubstitution
from launch.utilities import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import is_normalized_substitution, is_substitution

from .parameter_descriptions import Parameter, ParameterFile, ParameterValue

_WRAP = (
    "If the parameter is meant to be a string, try wrapping it in "
    "launch_ros.parameter_descriptions.ParameterValue(value, value_type=str)"
)


def is_root_namespace(ns: str) -> bool:
    return ns == "/"


def is_namespace_absolute(ns: str) -> bool:
    return ns.startswith("/")


def make_namespace_absolute(ns: str | None) -> str | None:
    return ns if ns is None or is_namespace_absolute(ns) else "/" + ns


def prefix_namespace(base_ns: str | None, ns: str | None) -> str | None:
    """`ns` below `base_ns`, unless it is absolute; without a / at the end."""
    if ns is None:
        combined = base_ns
    elif not base_ns or is_namespace_absolute(ns):
        combined = ns
    else:
        combined = f"{'' if is_root_namespace(base_ns) else base_ns}/{ns}"
    return combined if combined is None or is_root_namespace(combined) else combined.rstrip("/")


def normalize_remap_rule(remap_rule):
    """A pair of names as a pair of tuples of substitutions."""
    ensure_argument_type(remap_rule, tuple, "remap_rule")
    if len(remap_rule) != 2:
        raise TypeError(f"remap_rule must be a tuple of length 2, got length {len(remap_rule)}")
    return tuple(tuple(normalize_to_list_of_substitutions(name)) for name in remap_rule)


def normalize_remap_rules(remap_rules):
    yield from map(normalize_remap_rule, remap_rules)


def _normalize_value(value):
    """A scalar, bytes, ParameterValue, list of substitutions (to be read as YAML) or tuple of such."""
    if isinstance(value, (str, bool, int, float, bytes, ParameterValue)):
        return value
    if is_substitution(value):
        return normalize_to_list_of_substitutions(value)
    if not isinstance(value, Sequence):
        raise TypeError(f"Unexpected type for parameter value {value!r}")
    items: list = []
    for item in value:
        ensure_argument_type(item, (float, int, str, bool, Substitution, Sequence), "subvalue")
        is_scalar = isinstance(item, (str, bool, int, float))
        items.append(item if is_scalar else normalize_to_list_of_substitutions(item))
    if {type(item) for item in items} == {int, float}:
        items = [float(item) for item in items]
    return tuple(items)


def normalize_parameter_dict(parameters, *, _prefix=()) -> dict:
    """Names as tuples of substitutions, nested ones joined by dots, with normalized values."""
    if not isinstance(parameters, Mapping):
        raise TypeError("expected dict")
    normalized: dict = {}
    for key, value in parameters.items():
        name = normalize_to_list_of_substitutions(key)
        if _prefix:
            name = [*_prefix, TextSubstitution(text="."), *name]
        if isinstance(value, Mapping):
            normalized.update(normalize_parameter_dict(value, _prefix=name))
        else:
            normalized[tuple(name)] = _normalize_value(value)
    return normalized


def normalize_parameters(parameters) -> tuple:
    """Files, single parameters and dictionaries in a list, normalized."""
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise TypeError(f"Expecting list of parameters, got {parameters}")

    def normalize(item):
        if isinstance(item, Mapping):
            return normalize_parameter_dict(item)
        return item if isinstance(item, (Parameter, ParameterFile)) else ParameterFile(item)

    return tuple(normalize(item) for item in parameters)


def _check_uniform(values, name) -> tuple:
    if not values or type(values[0]) not in (bool, int, float, str) or len({type(v) for v in values}) > 1:
        raise TypeError(
            "Expected a non-empty sequence, with items of uniform type. Allowed sequence item types are bool, int, "
            f'float, str. Got inconsistent input for "{name}"'
        )
    return tuple(values)


def _evaluate_yaml(context, subs, name):
    text = perform_substitutions(context, subs)
    try:
        value = yaml.safe_load(text or "''")
    except yaml.YAMLError as exc:
        raise TypeError(f"Unable to parse the value of parameter {name} as yaml. {_WRAP}") from exc
    if isinstance(value, list):
        return _check_uniform(value, name)
    if not isinstance(value, (bool, int, float, str, bytes)):
        raise TypeError(
            "Allowed value types are bytes, bool, int, float, str, Sequence[bool], Sequence[int], Sequence[float], "
            f'Sequence[str]. Got {type(value)} for "{name}". {_WRAP}'
        )
    return value


def evaluate_parameter_dict(context, parameters) -> dict:
    """Plain names and values from what `normalize_parameter_dict` made."""
    if not isinstance(parameters, Mapping) or not all(isinstance(key, tuple) for key in parameters):
        raise TypeError("expected dict with tuples of substitutions as keys")

    def evaluate(value, name):
        if isinstance(value, ParameterValue):
            return value.evaluate(context)
        if isinstance(value, tuple):
            return _check_uniform([evaluate(item, name) for item in value], name)
        return _evaluate_yaml(context, value, name) if is_normalized_substitution(value) else value

    names = ((perform_substitutions(context, key), value) for key, value in parameters.items())
    return {name: evaluate(value, name) for name, value in names}


def evaluate_parameters(context, parameters) -> tuple:
    """Paths, `Parameter` objects and plain dictionaries from what `normalize_parameters` made."""

    def evaluate(item):
        if isinstance(item, ParameterFile):
            return item.evaluate(context)
        return item if isinstance(item, Parameter) else evaluate_parameter_dict(context, item)

    return tuple(evaluate(item) for item in parameters)


def add_node_name(context, node_name: str):
    """Count a node of this name."""
    if "unique_ros_node_names" not in context.get_locals_as_dict():
        context.extend_globals({"unique_ros_node_names": Counter()})
    context.locals.unique_ros_node_names[node_name] += 1


def get_node_name_count(context, node_name: str) -> int:
    return context.get_locals_as_dict().get("unique_ros_node_names", {}).get(node_name, 0)
