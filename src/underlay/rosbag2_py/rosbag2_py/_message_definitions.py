# SPDX-License-Identifier: Apache-2.0
"""Full text of message definitions, from the .msg files that the interface packages install."""

import re
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.logging import get_logger

from rosbag2_py._storage import MessageDefinition

_TYPE = re.compile(r"([a-zA-Z0-9_]+)/(?:msg/|srv/)?([a-zA-Z0-9_]+)")
_FIELD = re.compile(r"(?:^|\n)\s*([a-zA-Z0-9_/]+)(?:\[[^\]]*\])?\s+")
_PRIMITIVES = {"bool", "byte", "char", "float32", "float64", "string"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_RULER = "=" * 80


@cache
def _load(package: str, name: str) -> tuple[str, list[str]]:
    """Text of one definition and the types it refers to, sorted."""
    try:
        text = (Path(get_package_share_directory(package)) / "msg" / f"{name}.msg").read_text()
    except (PackageNotFoundError, OSError) as reason:
        raise RuntimeError(f"no .msg definition of {package}/{name} is installed") from reason
    types = set(_FIELD.findall(text)) - _PRIMITIVES
    return text, sorted(one if "/" in one else f"{package}/{one}" for one in types)


def _expand(topic_type: str, seen: set[str]) -> str:
    found = _TYPE.fullmatch(topic_type)
    if found is None:
        raise ValueError(topic_type)
    text, references = _load(*found.groups())
    for one in references:
        if one not in seen:
            seen.add(one)
            text += f"\n{_RULER}\nMSG: {one}\n{_expand(one, seen)}"
    return text


class LocalMessageDefinitionSource:
    """Finds definitions with everything they refer to."""

    def get_full_text(self, topic_type: str) -> MessageDefinition:
        """Definition of a type; encoding "unknown" and no text where the name is not understood.

        Raises:
            RuntimeError: no .msg file defines it.
            NotImplementedError: a service.
        """
        if "/srv/" in topic_type:
            raise NotImplementedError("rosbag2_cpp: definitions of services")
        try:
            return MessageDefinition(topic_type, "ros2msg", _expand(topic_type, set()), "")
        except ValueError:
            get_logger("rosbag2_cpp").error(
                f"Message type name '{topic_type}' not understood by type definition search, "
                "definition will be left empty in bag."
            )
            return MessageDefinition(topic_type, "unknown", "", "")
