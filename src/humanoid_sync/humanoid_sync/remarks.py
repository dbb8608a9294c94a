# SPDX-License-Identifier: Apache-2.0
"""Warnings with begin and end, for whoever writes them down.

A recorder takes remarks only while it records: what lasts is therefore told again and again, each time for the time
since it was told last, so that an episode holds every stretch that concerns it, whenever it begins or ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from humanoid_sync.frames import Warning

_STRETCH_NS = 5_000_000_000  # of a warning that lasts, told at once


@dataclass(frozen=True)
class Remark:
    """A stretch of time [ns] in which something was wrong."""

    begin: int
    end: int
    text: str


@dataclass
class _Open:
    begin: int
    text: str


class Remarks:
    """Follows warnings."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}

    def update(self, warnings: list[Warning], now: int) -> list[Remark]:
        """The stretches that are over, given the warnings that stand at time `now` [ns].

        A warning that begins is a remark without length at once, so that even the last second of an episode has it.
        """
        remarks = []
        standing = {(warning.name, warning.kind): warning for warning in warnings}
        for key in [key for key in self._open if key not in standing]:
            ended = self._open.pop(key)
            remarks.append(Remark(ended.begin, now, ended.text))
        for key, warning in standing.items():
            if key not in self._open:
                self._open[key] = _Open(now, str(warning))
                remarks.append(Remark(now, now, str(warning)))
            elif now - self._open[key].begin >= _STRETCH_NS or now < self._open[key].begin:
                remarks.append(Remark(min(self._open[key].begin, now), now, self._open[key].text))
                self._open[key] = _Open(now, str(warning))
        return remarks
