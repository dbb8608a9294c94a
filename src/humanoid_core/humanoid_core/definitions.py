# SPDX-License-Identifier: Apache-2.0
"""Message definitions and type hashes of installed interface packages, looked up in the ament index.

The text is the "ros2msg" form of the MCAP well-known schema encodings: the definition, then each type it needs, once,
behind a line of 80 equals signs and "MSG: package/Name". Stock rosbag2 walks the dependencies depth first in sorted
order; so do we.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_path

from humanoid_core.errors import HumanoidError

_FIELD = re.compile(r"^\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]", re.MULTILINE)
_PRIMITIVE = re.compile(r"(?:bool|byte|char|float(?:32|64)|u?int(?:8|16|32|64)|w?string)$")
_SEPARATOR = "=" * 80 + "\n"


class DefinitionError(HumanoidError):
    """The definition of a type is not installed.

    Args:
        type_name: "package/msg/Name".
        found: What is missing.
    """

    def __init__(self, type_name: str, found: str) -> None:
        super().__init__(
            f"{type_name}: found {found}, expected an installed interface package with its .msg and .json files"
        )


def _file(type_name: str, suffix: str) -> Path:
    package, kind, name = type_name.split("/")
    try:
        path = get_package_share_path(package) / kind / f"{name}{suffix}"
    except PackageNotFoundError as error:
        raise DefinitionError(type_name, f"no package {package}") from error
    if not path.is_file():
        raise DefinitionError(type_name, f"no file {path}")
    return path


def _needs(text: str, package: str) -> list[str]:
    """Full names of the types that a definition's fields use, sorted."""
    without_comments = re.sub(r"#.*", "", text)
    names = {match[1] for match in _FIELD.finditer(without_comments)}
    full = set()
    for name in names:
        if _PRIMITIVE.match(name):
            continue
        parts = name.split("/")
        full.add(f"{package}/msg/{name}" if len(parts) == 1 else f"{parts[0]}/msg/{parts[-1]}")
    return sorted(full)


@cache
def full_text(type_name: str) -> str:
    """The definition of "package/msg/Name" with everything it needs.

    Raises:
        DefinitionError: the type, or one that it needs, is not installed.
    """
    seen: set[str] = set()

    def walk(name: str) -> str:
        text = _file(name, ".msg").read_text(encoding="utf-8")
        package = name.split("/")[0]
        for need in _needs(text, package):
            if need not in seen:
                seen.add(need)
                short = need.replace("/msg/", "/")
                text += f"\n{_SEPARATOR}MSG: {short}\n{walk(need)}"
        return text

    return walk(type_name)


@cache
def type_hash(type_name: str) -> str:
    """The RIHS01 hash of an installed type (REP-2011).

    Raises:
        DefinitionError: the type is not installed.
    """
    hashes = json.loads(_file(type_name, ".json").read_text(encoding="utf-8"))["type_hashes"]
    return str(next(entry["hash_string"] for entry in hashes if entry["type_name"] == type_name))
