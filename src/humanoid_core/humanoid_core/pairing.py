# SPDX-License-Identifier: Apache-2.0
"""Who may use a page: one-time codes that people type or scan, and the tokens that browsers keep instead."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from humanoid_core.errors import HumanoidError

CODE_DIGITS = 6
ATTEMPTS = 5  # wrong codes before a new one is made
LIFETIME = 12 * 3600.0  # of a token [s]: a shift


class PairingError(HumanoidError):
    """A code is wrong, used up, or was tried too often."""


class Pairing:
    """Hands out one token for each one-time code.

    A code is good for one browser, then there is a new one; so there is after `ATTEMPTS` wrong ones, which leaves
    a guesser five chances in a million with each. Tokens outlive restarts; the file holds their SHA-256 only, for its
    owner's eyes.

    Args:
        file: Where tokens are kept; None: in memory only.
        announce: Called with each new code.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, file: Path | None, announce: Callable[[str], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._file, self._announce, self._clock = file, announce, clock
        self._expiry: dict[str, float] = self._load()
        self._new_code()

    @property
    def code(self) -> str:
        """The code that is good now."""
        return self._code

    def pair(self, code: str) -> str:
        """The token for a code.

        Raises:
            PairingError: the code is not the one that is good now.
        """
        if not secrets.compare_digest(code.strip().encode(), self._code.encode()):
            self._wrong += 1
            if self._wrong < ATTEMPTS:
                raise PairingError("this code is not good: type the newest one on the console")
            self._new_code()
            raise PairingError(f"{ATTEMPTS} wrong codes: there is a new one on the console")
        token = secrets.token_urlsafe(32)
        self._expiry[_digest(token)] = self._clock() + LIFETIME
        self._save()
        self._new_code()
        return token

    def knows(self, token: str) -> bool:
        """Whether a token was handed out, and less than `LIFETIME` ago."""
        return self._expiry.get(_digest(token), 0.0) > self._clock()

    def revoke(self) -> None:
        """Take all tokens back: every browser has to pair anew."""
        self._expiry.clear()
        self._save()

    def _new_code(self) -> None:
        self._wrong = 0
        self._code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        self._announce(self._code)

    def _load(self) -> dict[str, float]:
        if self._file is None or not self._file.exists():
            return {}
        try:
            kept = json.loads(self._file.read_text())
            return {str(key): float(until) for key, until in kept.items() if until > self._clock()}
        except (ValueError, TypeError, AttributeError):  # a broken file pairs nobody
            return {}

    def _save(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(self._expiry, out)
        fresh.replace(self._file)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
