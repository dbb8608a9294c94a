# SPDX-License-Identifier: Apache-2.0
"""Action chunks of a policy as one stream of joint targets.

A policy that looks every 0.1 to 1 s says each time what it will do for the next moments. Its chunks overlap, and
disagree a little. Here a new chunk is faded in over the old one, so that nothing jumps; the idea is the temporal
ensembling of ACT (Zhao et al., 2023) with two members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humanoid_core.errors import MessageError


@dataclass(frozen=True)
class Chunk:
    """What a policy will do.

    Attributes:
        names: n joints.
        times: (m,) when each point is meant for [ns], rising.
        positions: (m, n) [rad or m].
    """

    names: tuple[str, ...]
    times: np.ndarray
    positions: np.ndarray

    def at(self, time: int) -> np.ndarray:
        """Positions (n,) at `time` [ns]: linear between points, held before the first and after the last."""
        share = np.interp(time - self.times[0], self.times - self.times[0], np.arange(len(self.times)))
        before = min(int(share), len(self.times) - 1)
        after = min(before + 1, len(self.times) - 1)
        return self.positions[before] + (share - before) * (self.positions[after] - self.positions[before])


def chunk(names: Sequence[str], times: Sequence[int], positions: Sequence[Sequence[float]]) -> Chunk:
    """A checked chunk.

    Raises:
        MessageError: sizes do not fit, names stand twice, times do not rise, or a value is no number.
    """
    if not names or not times or len(set(names)) != len(names):
        raise MessageError("policy/actions", f"{len(times)} points of joints {', '.join(names)}", "each joint once")
    for index, point in enumerate(positions):
        if len(point) != len(names) or not np.isfinite(point).all():
            raise MessageError("policy/actions", f"point {index}: {list(point)[:8]}", f"{len(names)} positions")
    if np.any(np.diff(np.array(times, dtype=np.int64)) <= 0):
        raise MessageError("policy/actions", "times that do not rise", "time_from_start rising from point to point")
    return Chunk(tuple(names), np.array(times, dtype=np.int64), np.array(positions, dtype=float))


class ActionStream:
    """The chunks of a policy, one into the other.

    Args:
        blend: How long a new chunk is faded in [s].
        patience: How long the last point is held when no new chunk comes [s]; then there are no targets: the limiter
            stops.
    """

    def __init__(self, blend: float, patience: float) -> None:
        self._blend, self._patience = round(blend * 1e9), round(patience * 1e9)
        self._old: Chunk | None = None
        self._new: Chunk | None = None
        self._faded_from = 0

    def add(self, fresh: Chunk, now: int) -> None:
        """Go over to a new chunk from `now` [ns] on.

        Raises:
            MessageError: it is over already, or of other joints than the one before while that still goes on.
        """
        if fresh.times[-1] < now:
            late = (now - int(fresh.times[-1])) * 1e-9
            raise MessageError("policy/actions", f"a chunk that was over {late:.3f} s ago", "points still to come")
        if self._new is None or self._is_over(self._new, now):
            self._old = None
        elif set(fresh.names) != set(self._new.names):
            changed = sorted(set(fresh.names) ^ set(self._new.names))
            raise MessageError("policy/actions", f"a change of {', '.join(changed)}", "the same joints as before")
        else:
            order = [fresh.names.index(name) for name in self._new.names]
            fresh = Chunk(self._new.names, fresh.times, fresh.positions[:, order])
            self._old = Chunk(fresh.names, *self._rest(now))
        self._new, self._faded_from = fresh, now

    def at(self, now: int) -> tuple[tuple[str, ...], np.ndarray] | None:
        """Joints and positions at `now` [ns]; None when there is nothing to do."""
        if self._new is None or (now < self._new.times[0] and self._old is None) or self._is_over(self._new, now):
            return None
        return self._new.names, self._mixed(now)

    def _is_over(self, known: Chunk, now: int) -> bool:
        return bool(now > known.times[-1] + self._patience)

    def _mixed(self, now: int) -> np.ndarray:
        assert self._new is not None
        share = 1.0 if self._old is None or not self._blend else min(1.0, (now - self._faded_from) / self._blend)
        if share >= 1.0 or self._old is None:
            return self._new.at(now)
        share = share * share * (3.0 - 2.0 * share)  # no jump of the speed either
        return (1.0 - share) * self._old.at(now) + share * self._new.at(now)

    def _rest(self, now: int) -> tuple[np.ndarray, np.ndarray]:
        """What would have been done during the fade, as the points of a chunk."""
        times = now + np.linspace(0, max(self._blend, 1), 11).astype(np.int64)
        return np.unique(times), np.array([self._mixed(int(time)) for time in np.unique(times)])
