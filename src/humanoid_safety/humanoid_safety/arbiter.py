# SPDX-License-Identifier: Apache-2.0
"""Which source of joint targets is let through: one at a time, the person first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from humanoid_core.errors import HumanoidError


class SelectionRefused(HumanoidError):
    """A request to choose a source cannot be granted."""


@dataclass(frozen=True)
class Source:
    """A source of joint targets.

    Attributes:
        name: It publishes on joint_targets/<name>.
        priority: Of several enabled sources the one with the highest is let through.
        enable: dead_man: a person who holds a button; grant: an explicit permission that ends.
    """

    name: str
    priority: int
    enable: Literal["dead_man", "grant"]


class Arbiter:
    """Decides who commands.

    A person's source is enabled while the dead-man is held, whatever was selected. Planning and policy need a grant,
    which ends by itself, by another selection, or when a person takes over: the robot never goes on by itself after
    a take-over.

    Args:
        sources: All sources, each name once.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = {source.name: source for source in sources}
        self._by_priority = sorted(sources, key=lambda source: -source.priority)
        self._granted = ""
        self._ends = -math.inf
        self._dead_man = False
        self._blocked = False  # the person's source stays out until the dead-man was let go once
        self.active = ""

    def dead_man(self, held: bool) -> None:
        """Tell whether the person holds the dead-man."""
        self._dead_man = held
        if not held:
            self._blocked = False

    def person_lost(self) -> None:
        """Tell that nothing is known of the dead-man any more: it does not count as held, nor as let go."""
        self._dead_man = False

    def select(self, name: str, grant: float, now: float) -> str:
        """Choose a source.

        Args:
            name: Its name; empty: none, a person's source then waits until the dead-man is let go and held again.
            grant: How long a planning or policy source may command [s]; 0 revokes, infinity lasts until revoked.
            now: Time [s].

        Returns:
            What was decided, in words.

        Raises:
            SelectionRefused: unknown source, or a grant that is not a duration.
        """
        if name and name not in self.sources:
            raise SelectionRefused(f"no source {name!r}; there are {', '.join(self.sources)}")
        if math.isnan(grant) or grant < 0.0:
            raise SelectionRefused(f"a grant of {grant} s; expected 0 or more")
        if name and self.sources[name].enable == "grant" and grant > 0.0 and self._person_holds:
            raise SelectionRefused("a person holds the dead-man and is never overruled")
        self._granted, self._ends = "", -math.inf
        if not name:
            self._blocked = self._dead_man
            return "no source"
        if self.sources[name].enable == "dead_man":
            return f"{name} commands while its dead-man is held"
        if grant == 0.0:
            return f"{name} revoked"
        self._granted, self._ends = name, now + grant
        return f"{name} may command for {grant:g} s"

    def revoke(self) -> None:
        """End every grant."""
        self._granted, self._ends = "", -math.inf

    def enabled(self, name: str, now: float) -> bool:
        """Whether a source may command."""
        if self.sources[name].enable == "dead_man":
            return self._person_holds
        return name == self._granted and now < self._ends

    def grant_left(self, name: str, now: float) -> float:
        """Time left of a source's grant [s]; 0 without one."""
        return max(0.0, self._ends - now) if name == self._granted else 0.0

    def decide(self, alive: Mapping[str, bool], now: float) -> str:
        """The source that commands now, or "" for none; the same as `active` afterwards.

        A person who holds the dead-man takes over at once, even before targets arrive: the robot then waits.

        Args:
            alive: Per source, whether targets arrive.
            now: Time [s].
        """
        self.active = ""
        for source in self._by_priority:
            if not self.enabled(source.name, now):
                continue
            if source.enable == "dead_man":
                self.revoke()
                self.active = source.name if alive[source.name] else ""
                return self.active
            if alive[source.name]:
                self.active = source.name
                return self.active
        return ""

    @property
    def _person_holds(self) -> bool:
        return self._dead_man and not self._blocked
