# SPDX-License-Identifier: Apache-2.0
"""Full text of message definitions, from the .msg files that the interface packages install."""

import re
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

_FIELD = re.compile(r"(?:^|\n)\s*([a-zA-Z0-9_/]+)(?:\[[^\]]*\])?\s+")
_PRIMITIVES = {"bool", "byte", "char", "float32", "float64", "string"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_RULER = "=" * 80


def full_text(topic_type: str, seen: set[str] | None = None) -> str:
    """Definition of a type with everything it refers to.

    Args:
        topic_type: Such as std_msgs/msg/String or std_msgs/String.
        seen: Types that stand in the text already.

    Raises:
        LookupError: no .msg file defines it (services and actions included).
    """
    seen = set() if seen is None else seen
    package, *_, name = topic_type.split("/")
    try:
        text = (Path(get_package_share_directory(package)) / "msg" / f"{name}.msg").read_text()
    except (PackageNotFoundError, ValueError, OSError) as reason:
        raise LookupError(f"no .msg definition of {topic_type} is installed") from reason
    types = set(_FIELD.findall(text)) - _PRIMITIVES
    for one in sorted(one if "/" in one else f"{package}/{one}" for one in types):
        if one not in seen:
            seen.add(one)
            text += f"\n{_RULER}\nMSG: {one}\n{full_text(one, seen)}"
    return text
