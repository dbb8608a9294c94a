# SPDX-License-Identifier: Apache-2.0
"""Full text of message definitions, from the files that the interface packages install."""

import re
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.logging import get_logger

from rosbag2_py._storage import MessageDefinition

_TYPE = re.compile(r"([a-zA-Z0-9_]+)/(?:msg/|srv/)?([a-zA-Z0-9_]+)")
_MSG_FIELD = re.compile(r"(?:^|\n)\s*([a-zA-Z0-9_/]+)(?:\[[^\]]*\])?\s+")
_IDL_INCLUDE = re.compile(r'(?:^|\n)#include\s+(?:"|<)([a-zA-Z0-9_/]+)\.idl(?:"|>)')
_PRIMITIVES = frozenset(
    "bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 string".split()
)
_RULER = "=" * 80


class _NotFound(Exception):
    """No definition of that format is installed."""


@cache
def _load(name: str, form: str) -> tuple[str, list[str]]:
    """Text of one definition and the types it refers to, sorted."""
    found = _TYPE.fullmatch(name)
    if found is None:
        raise ValueError(name)
    package, short = found.groups()
    try:
        share = Path(get_package_share_directory(package))
        text = (share / ("srv" if form == "srv" else "msg") / f"{short}.{form}").read_text()
    except (PackageNotFoundError, OSError) as reason:
        raise _NotFound(name) from reason
    references: set[str] = set()
    if form != "idl":
        types = {one for one in _MSG_FIELD.findall(text) if one not in _PRIMITIVES}
        references = {one if "/" in one else f"{package}/{one}" for one in types}
    if form == "idl" or (form == "srv" and not references):
        references = set(_IDL_INCLUDE.findall(text))
    return text, sorted(references)


def _head(name: str, form: str) -> str:
    return f"{_RULER}\n{form.upper()}: {name}\n"


def _expand(name: str, form: str, seen: set[tuple[str, str]]) -> str:
    text, references = _load(name, form)
    for one in references:
        if (one, form) not in seen:
            seen.add((one, form))
            text += f"\n{_head(one, form)}{_expand(one, form, seen)}"
    return text


class LocalMessageDefinitionSource:
    """Finds definitions with everything they refer to."""

    def get_full_text(self, topic_type: str) -> MessageDefinition:
        """Definition of a type; encoding "unknown" and no text where the name is not understood.

        Raises:
            RuntimeError: neither a .msg nor an .idl file defines it.
        """
        try:
            encoding, text = self._service(topic_type) if "/srv/" in topic_type else self._message(topic_type)
        except ValueError:
            get_logger("rosbag2_cpp").error(
                f"Message type name '{topic_type}' not understood by type definition search, "
                "definition will be left empty in bag."
            )
            encoding, text = "unknown", ""
        except _NotFound as reason:
            raise RuntimeError(f"no definition of {topic_type}: {reason} is not installed") from reason
        return MessageDefinition(topic_type, encoding, text, "")

    @staticmethod
    def _message(name: str) -> tuple[str, str]:
        try:
            return "ros2msg", _expand(name, "msg", set())
        except _NotFound as reason:
            get_logger("rosbag2_cpp").warning(f"No .msg definition for {reason}, falling back to IDL")
        return "ros2idl", _head(name, "idl") + _expand(name, "idl", set())

    @staticmethod
    def _service(name: str) -> tuple[str, str]:
        text, references = _load(name, "srv")
        encoding, text, seen = "unknown", _head(name, "srv") + text, {(name, "srv")}
        for one in references:
            form = "msg"
            text += f"\n{_head(one, form)}"
            seen.add((one, form))
            try:
                text += _expand(one, form, seen)
            except _NotFound:
                form = "idl"
                text += f"\n{_head(one, form)}{_expand(one, form, seen)}"
            encoding = f"ros2{form}"
        return encoding, text
