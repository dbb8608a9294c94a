# SPDX-License-Identifier: Apache-2.0
"""Which topics are shown, and under which names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from humanoid_core.errors import ConfigError


def compile_patterns(patterns: Iterable[str], key: str) -> list[re.Pattern[str]]:
    """Regular expressions of a parameter.

    Raises:
        ConfigError: one of them is none.
    """
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern))
        except re.error as error:
            raise ConfigError("foxglove_view", key, f"{pattern!r} ({error})", "regular expressions") from error
    return compiled


def shown_names(
    topics: Iterable[str], namespace: str, include: list[re.Pattern[str]], exclude: list[re.Pattern[str]]
) -> dict[str, str]:
    """ROS name by shown name, for the topics that are shown.

    A robot's own topics lose its namespace, so that one layout fits every robot; where that name is taken by a global
    topic, they keep it. Patterns match whole shown names.

    Args:
        topics: ROS names, absolute.
        namespace: Of the robot, "/" for none.
        include: Shown are topics that match one of these,
        exclude: and none of these.
    """
    prefix = namespace.rstrip("/") + "/"
    every = sorted(topics)
    shown: dict[str, str] = {}
    for topic in every:
        name = topic
        if prefix != "/" and topic.startswith(prefix) and topic[len(prefix) - 1 :] not in every:
            name = topic[len(prefix) - 1 :]
        wanted = any(pattern.fullmatch(name) for pattern in include)
        if wanted and not any(pattern.fullmatch(name) for pattern in exclude):
            shown[name] = topic
    return shown
