# SPDX-License-Identifier: Apache-2.0
"""Configuration files into frozen dataclasses, strictly: whatever does not fit is an error that names file and key."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml

from humanoid_core.errors import ConfigError

T = TypeVar("T")

_WORDS: dict[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    float: "a number",
    int: "a whole number",
    bool: "true or false",
}


class _StrictLoader(yaml.SafeLoader):
    """YAML where a key may stand only once."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
    for key in keys:
        if keys.count(key) > 1:
            line = node.start_mark.line + 1
            raise ConfigError(node.start_mark.name, str(key), f"the key twice (mapping at line {line})", "it once")
    return dict(loader.construct_pairs(node, deep=True))  # type: ignore[no-untyped-call]


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        ConfigError: the file is missing, is not YAML, is not a mapping, or has a key twice.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as stream:
            data = yaml.load(stream, Loader=_StrictLoader)  # noqa: S506  (a SafeLoader)
    except OSError as error:
        raise ConfigError(path, "", error.strerror or error, "a readable file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", " ".join(str(error).split()), "YAML") from error
    if not isinstance(data, dict):
        raise ConfigError(path, "", f"{type(data).__name__} at the top level", "a mapping")
    return data


def load(cls: type[T], path: str | Path) -> T:
    """Read a YAML file into the frozen dataclass `cls`; see `build`."""
    return build(cls, read_yaml(path), path)


def build(cls: type[T], data: object, file: str | Path, key: str = "") -> T:
    """Make a dataclass from a mapping.

    Understands nested dataclasses, bool, int, float (an int will do), str, Path, Literal, Optional and other unions,
    list, tuple, dict with str keys, and np.ndarray (nested lists of numbers). Fields without a default are required.

    Args:
        cls: The dataclass.
        data: What the file holds at `key`.
        file: Named in errors.
        key: Dotted key of `data` in the file.

    Raises:
        ConfigError: an unknown, missing or wrongly typed key; or the dataclass's own `__post_init__` raised ValueError.
    """
    return typing.cast(T, _convert(cls, data, file, key))


def _convert(kind: Any, data: Any, file: str | Path, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, data, file, key)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return data
    if kind is np.ndarray or origin is np.ndarray:
        return _array(data, file, key)
    if origin is typing.Literal:
        if data not in arguments:
            raise ConfigError(file, key, repr(data), f"one of {', '.join(map(repr, arguments))}")
        return data
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, data, file, key)
    if origin is list or kind is list:
        return [
            _convert(_first(arguments), item, file, f"{key}[{i}]") for i, item in enumerate(_is(list, data, file, key))
        ]
    if origin is tuple or kind is tuple:
        return _tuple(arguments, data, file, key)
    if origin is dict or kind is dict:
        value_kind = arguments[1] if arguments else Any
        mapping = _is(dict, data, file, key)
        return {name: _convert(value_kind, item, file, _join(key, name)) for name, item in mapping.items()}
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind is Path:
        return Path(_is(str, data, file, key))
    return _is(kind, data, file, key)


def _dataclass(cls: Any, data: Any, file: str | Path, key: str) -> Any:
    mapping = _is(dict, data, file, key)
    kinds = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for name in mapping:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ConfigError(file, _join(key, name), "an unknown key", f"one of {', '.join(fields)}{hint}")
    values = {}
    for name, field in fields.items():
        if name in mapping:
            values[name] = _convert(kinds[name], mapping[name], file, _join(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(file, _join(key, name), "nothing", "a value: the key is required")
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(file, key, str(error), f"a valid {cls.__name__}") from error


def _union(kinds: tuple[Any, ...], data: Any, file: str | Path, key: str) -> Any:
    if data is None and type(None) in kinds:
        return None
    choices = [kind for kind in kinds if kind is not type(None)]
    if len(choices) == 1:
        return _convert(choices[0], data, file, key)
    for kind in choices:
        try:
            return _convert(kind, data, file, key)
        except ConfigError:
            continue
    names = ", ".join(getattr(kind, "__name__", str(kind)) for kind in choices)
    raise ConfigError(file, key, repr(data), f"one of the kinds {names}")


def _tuple(kinds: tuple[Any, ...], data: Any, file: str | Path, key: str) -> tuple[Any, ...]:
    items = _is(list, data, file, key)
    if not kinds or (len(kinds) == 2 and kinds[1] is Ellipsis):
        kinds = (_first(kinds),) * len(items)
    if len(items) != len(kinds):
        raise ConfigError(file, key, f"{len(items)} items", f"{len(kinds)}")
    return tuple(_convert(kind, item, file, f"{key}[{i}]") for i, (kind, item) in enumerate(zip(kinds, items)))


def _array(data: Any, file: str | Path, key: str) -> np.ndarray:
    try:
        array = np.array(_is(list, data, file, key), dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigError(file, key, repr(data), "numbers") from error
    if not np.isfinite(array).all():
        raise ConfigError(file, key, repr(data), "finite numbers")
    array.setflags(write=False)
    return array


def _is(kind: Any, data: Any, file: str | Path, key: str) -> Any:
    wrong_bool = isinstance(data, bool) and kind in (int, float)
    if not isinstance(data, kind) or wrong_bool:
        found = repr(data) if not isinstance(data, (dict, list)) else _WORDS[type(data)]
        raise ConfigError(file, key, found, _WORDS.get(kind, getattr(kind, "__name__", str(kind))))
    return data


def _first(kinds: tuple[Any, ...]) -> Any:
    return kinds[0] if kinds else Any


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)
