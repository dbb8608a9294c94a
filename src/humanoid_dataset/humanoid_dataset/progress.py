# SPDX-License-Identifier: Apache-2.0
"""A bar on standard error for work that takes long."""

from __future__ import annotations

import sys
import time
from types import TracebackType

_WIDTH = 30
_EVERY = 0.1  # [s]


class Progress:
    """Draws only where standard error is a terminal; use it as a context.

    Args:
        title: In front of the bar.
        total: Of the counts that `add` gets.
    """

    def __init__(self, title: str, total: float) -> None:
        self._title, self._total = title, max(total, 1e-9)
        self._done = self._drawn = 0.0
        self._begin = time.monotonic()
        self._on = sys.stderr.isatty()

    def add(self, count: float = 1.0) -> None:
        """So much more is done."""
        self._done += count
        now = time.monotonic()
        if self._on and now - self._drawn > _EVERY:
            self._drawn = now
            share = min(1.0, self._done / self._total)
            left = (now - self._begin) * (1.0 - share) / share if share > 0 else 0.0
            bar = f"{'#' * round(_WIDTH * share):<{_WIDTH}}"
            print(f"\r{self._title} [{bar}] {share:4.0%}, {left:.0f} s left ", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._on:
            print(f"\r{' ' * (len(self._title) + _WIDTH + 30)}\r", end="", file=sys.stderr, flush=True)
