# SPDX-License-Identifier: Apache-2.0
"""What is asked of a collision check, and its answer."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class CollisionRequest:
    """Empty group: all links."""

    joint_model_group_name: str = ""
    distance: bool = False
    contacts: bool = False
    max_contacts: int = 1
    max_contacts_per_pair: int = 1
    verbose: bool = False


@dataclass
class CollisionResult:
    """contacts: pairs of names that touch, each with its depth, where contacts were asked for."""

    collision: bool = False
    distance: float = float("inf")
    contact_count: int = 0
    contacts: dict[tuple[str, str], list[float]] = field(default_factory=dict)


class AllowedCollisionMatrix:
    """Pairs of names that may touch.

    Args:
        names: Pairs of these, all of them, ...
        allowed: ... may touch.
    """

    def __init__(self, names: list[str] | None = None, allowed: bool = False) -> None:
        self._entries: dict[frozenset[str], bool] = {}
        for i, first in enumerate(names or []):
            for second in (names or [])[i:]:
                self.set_entry(first, second, allowed)

    def get_entry(self, name1: str, name2: str) -> tuple[bool, str]:
        pair = frozenset((name1, name2))
        return pair in self._entries, "ALWAYS" if self._entries.get(pair) else "NEVER"

    def set_entry(self, name1: str, name2: str, allowed: bool) -> None:
        self._entries[frozenset((name1, name2))] = allowed

    def remove_entry(self, name1: str, name2: str) -> None:
        self._entries.pop(frozenset((name1, name2)), None)

    def clear(self) -> None:
        self._entries.clear()

    def _allows(self, name1: str, name2: str) -> bool:
        return self._entries.get(frozenset((name1, name2)), False)
