# SPDX-License-Identifier: Apache-2.0
"""How well the robot follows, on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

BAR = 0.10  # [m] that fill a bar


@dataclass
class View:
    """What the terminal shows; lines from the last messages.

    Attributes:
        state: Of the retargeting.
        message: Of the retargeting.
        source: Operator's device.
        frame_rate: Frames of it [Hz].
        lost: Frames of it.
        rejected: Frames of it.
        age: Of the newest one [s].
        solve_time: [s].
        errors: By body part: place [m], rotation [rad]; NaN where not known.
        at_limit: Joints at an end of their range.
        nearest: Distance of the nearest links watched [m], and their names.
        limiter: Its state.
        limiter_reasons: Why it is in that state.
        taken: By joint, what the limiter took [rad or m], and why.
    """

    state: str = "silent"
    message: str = "no teleop/status: is the retargeting running?"
    source: str = ""
    frame_rate: float = math.nan
    lost: int = 0
    rejected: int = 0
    age: float = math.nan
    solve_time: float = math.nan
    errors: dict[str, tuple[float, float]] = field(default_factory=dict)
    at_limit: Sequence[str] = ()
    nearest: tuple[float, str, str] = (math.nan, "", "")
    limiter: str = "silent"
    limiter_reasons: Sequence[str] = ()
    taken: dict[str, tuple[float, Sequence[str]]] = field(default_factory=dict)


def lines(view: View, width: int = 100) -> list[str]:
    """The screen, line by line."""
    told = [f"{'retargeting':12} {view.state.upper()}: {view.message}"]
    if view.source:
        told.append(
            f"{view.source:12} {_number(view.frame_rate, 1, 'Hz')}, {_number(view.age, 1e3, 'ms')} old,"
            f" {view.lost} lost, {view.rejected} refused; solved in {_number(view.solve_time, 1e6, 'us')}"
        )
    for name, (place, turn) in view.errors.items():
        if math.isfinite(place):
            filled = min(round(20 * place / BAR), 20)
            angle = f" {math.degrees(turn):4.0f} deg" if math.isfinite(turn) else ""
            told.append(f"{name:18} {1e3 * place:5.0f} mm  {'#' * filled:20}{angle}")
    if view.at_limit:
        told.append(f"{'at the end':12} {', '.join(view.at_limit)}")
    if math.isfinite(view.nearest[0]):
        told.append(f"{'links':12} {view.nearest[1]} and {view.nearest[2]} {1e3 * view.nearest[0]:.0f} mm apart")
    told.append(f"{'limiter':12} {view.limiter}{': ' if view.limiter_reasons else ''}{'; '.join(view.limiter_reasons)}")
    worst = sorted(view.taken.items(), key=lambda item: -item[1][0])[:5]
    told += [f"{'':12} {joint}: {amount:.3f} taken, {', '.join(why)}" for joint, (amount, why) in worst]
    return [line[:width] for line in told]


def _number(value: float, scale: float, unit: str) -> str:
    return f"{scale * value:.0f} {unit}" if math.isfinite(value) else f"- {unit}"
