# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of this computer's clock: whether a time service keeps it right, and how far off it may be."""

from __future__ import annotations

import ctypes

_UNSYNCHRONISED = 0x0040  # STA_UNSYNC of <sys/timex.h>


class _Timex(ctypes.Structure):
    """The beginning of struct timex, adjtimex(2); the rest is room for what the kernel writes."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


def host_clock() -> tuple[bool, float] | None:
    """Whether the clock is synchronised, and its greatest error [s]; None where the kernel does not say."""
    timex = _Timex()
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except AttributeError:
        return None
    if answer < 0:
        return None
    return not timex.status & _UNSYNCHRONISED, 1e-6 * timex.maxerror
