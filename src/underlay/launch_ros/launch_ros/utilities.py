# SPDX-License-Identifier: Apache-2.0
"""Namespaces, remappings and parameters in the forms that users may write, made uniform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from launch.launch_context import LaunchContext
from launch.substitution import Substitution, TextSubstitution
from launch.utilities import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import is_normalized_substitution, is_substitution

from .parameter_descriptions import Parameter, ParameterFile, ParameterValue

_UNIFORM = (
    "Expected a non-empty sequence, with items of uniform type. Allowed sequence item types are bool, int, float, str."
)
_WRAP = (
    "If the parameter is meant to be a string, try wrapping it in "
    "launch_ros.parameter_descriptions.ParameterValue(value, value_type=str)"
)

# Namespaces


def is_root_namespace(ns: str) -> bool:
    """Whether it is /."""
    return ns == "/"


def is_namespace_absolute(ns: str) -> bool:
    """Whether it begins with /."""
    return ns.startswith("/")


def make_namespace_absolute(ns: str | None) -> str | None:
    """The same, beginning with /."""
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


# Remappings


def normalize_remap_rule(remap_rule: Any) -> tuple[tuple[Substitution, ...], tuple[Substitution, ...]]:
    """A pair of names as a pair of tuples of substitutions."""
    ensure_argument_type(remap_rule, tuple, "remap_rule")
    if len(remap_rule) != 2:
        raise TypeError(f"remap_rule must be a tuple of length 2, got length {len(remap_rule)}")
    source, target = (tuple(normalize_to_list_of_substitutions(name)) for name in remap_rule)
    return source, target


def normalize_remap_rules(remap_rules: Any) -> Iterator[Any]:
    """Each as `normalize_remap_rule` gives it."""
    yield from map(normalize_remap_rule, remap_rules)


# Parameters


def _normalize_value(value: Any) -> Any:
    """A scalar, bytes, ParameterValue, list of substitutions (to be read as YAML) or tuple of such."""
    if isinstance(value, (str, bool, int, float, bytes, ParameterValue)):
        return value
    if is_substitution(value):
        return normalize_to_list_of_substitutions(value)
    if not isinstance(value, Sequence):
        raise TypeError(f"Unexpected type for parameter value {value!r}")
    items = []
    for item in value:
        ensure_argument_type(item, (float, int, str, bool, Substitution, Sequence), "subvalue")
        is_scalar = isinstance(item, (str, bool, int, float))
        items.append(item if is_scalar else normalize_to_list_of_substitutions(item))
    if {type(item) for item in items} == {int, float}:
        items = [float(item) for item in items]
    return tuple(items)


def normalize_parameter_dict(parameters: Any, *, _prefix: Sequence[Substitution] = ()) -> dict[Any, Any]:
    """Names as tuples of substitutions, nested ones joined by dots, with normalized values."""
    if not isinstance(parameters, Mapping):
        raise TypeError("expected dict")
    normalized: dict[Any, Any] = {}
    for key, value in parameters.items():
        name = normalize_to_list_of_substitutions(key)
        if _prefix:
            name = [*_prefix, TextSubstitution(text="."), *name]
        if isinstance(value, Mapping):
            normalized.update(normalize_parameter_dict(value, _prefix=name))
        else:
            normalized[tuple(name)] = _normalize_value(value)
    return normalized


def normalize_parameters(parameters: Any) -> tuple[Any, ...]:
    """Files, single parameters and dictionaries in a list, normalized."""
    if isinstance(parameters, str) or not isinstance(parameters, Sequence):
        raise TypeError(f"Expecting list of parameters, got {parameters}")

    def normalize(item: Any) -> Any:
        if isinstance(item, Mapping):
            return normalize_parameter_dict(item)
        return item if isinstance(item, (Parameter, ParameterFile)) else ParameterFile(item)

    return tuple(normalize(item) for item in parameters)


def _check_uniform(values: Sequence[Any], name: str) -> tuple[Any, ...]:
    if not values or type(values[0]) not in (bool, int, float, str) or len({type(v) for v in values}) > 1:
        raise TypeError(f'{_UNIFORM} Got inconsistent input for "{name}"')
    return tuple(values)


def _evaluate_yaml(context: LaunchContext, subs: Sequence[Substitution], name: str) -> Any:
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


def evaluate_parameter_dict(context: LaunchContext, parameters: Any) -> dict[str, Any]:
    """Plain names and values from what `normalize_parameter_dict` made."""
    if not isinstance(parameters, Mapping):
        raise TypeError("expected dict")
    result: dict[str, Any] = {}
    for key, value in parameters.items():
        if not isinstance(key, tuple):
            raise TypeError(f"Expecting tuple of substitutions got {key!r}")
        name = perform_substitutions(context, key)
        if isinstance(value, ParameterValue):
            value = value.evaluate(context)
        elif is_normalized_substitution(value):
            value = _evaluate_yaml(context, value, name)
        elif isinstance(value, tuple):
            items = [
                _evaluate_yaml(context, item, name) if is_normalized_substitution(item) else item for item in value
            ]
            value = _check_uniform(items, name)
        result[name] = value
    return result


def evaluate_parameters(context: LaunchContext, parameters: Sequence[Any]) -> tuple[Any, ...]:
    """Paths, `Parameter` objects and plain dictionaries from what `normalize_parameters` made."""

    def evaluate(item: Any) -> Path | Parameter | dict[str, Any]:
        if isinstance(item, ParameterFile):
            return item.evaluate(context)
        return item if isinstance(item, Parameter) else evaluate_parameter_dict(context, item)

    return tuple(evaluate(item) for item in parameters)


# Names in use


def add_node_name(context: LaunchContext, node_name: str) -> None:
    """Count a node of this name."""
    if "unique_ros_node_names" not in context.get_locals_as_dict():
        context.extend_globals({"unique_ros_node_names": Counter()})
    context.locals.unique_ros_node_names[node_name] += 1


def get_node_name_count(context: LaunchContext, node_name: str) -> int:
    """How many nodes of this name were counted."""
    return context.get_locals_as_dict().get("unique_ros_node_names", {}).get(node_name, 0)
