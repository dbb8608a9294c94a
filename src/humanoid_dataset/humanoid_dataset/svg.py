# SPDX-License-Identifier: Apache-2.0
"""Small charts as SVG text. Colours come from the page's style sheet, so that one chart suits light, dark and paper."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

_POINTS = 400  # a line is thinned out to about so many points, keeping the extremes
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 20


class Chart:
    """One pair of axes. Draw with the methods, in order from back to front; `html` gives the text."""

    def __init__(
        self,
        width: int,
        height: int,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        x_unit: str = "s",
        title: str = "",
        left: int = _LEFT,
        y_axis: bool = True,
    ) -> None:
        """Args:
        width: Of the whole picture in its own units; the page scales it.
        height: Likewise.
        x: Range of the horizontal axis.
        y: Range of the vertical axis.
        x_unit: Written at the right end of the horizontal axis.
        title: Inside, top left.
        left: Room for labels.
        y_axis: Whether to draw grid lines and numbers for the vertical axis.
        """
        self.width, self.height = width, height
        self.x, self.y = _opened(x), _opened(y)
        self._left, self._top = left, _TOP + (12 if title else 0)
        self._parts: list[str] = []
        self._axes(x_unit, y_axis)
        if title:
            self._parts.append(f'<text class="title" x="{left}" y="12">{escape(title)}</text>')

    def px(self, value: float) -> float:
        """Horizontal place of a value."""
        inner = self.width - self._left - _RIGHT
        return self._left + inner * (value - self.x[0]) / (self.x[1] - self.x[0])

    def py(self, value: float) -> float:
        """Vertical place of a value."""
        inner = self.height - self._top - _BOTTOM
        return self._top + inner * (1.0 - (value - self.y[0]) / (self.y[1] - self.y[0]))

    def line(self, x: np.ndarray, y: np.ndarray, css: str) -> None:
        """A line through (x, y), broken where y is no number."""
        x, y = thinned(np.asarray(x, float), np.asarray(y, float))
        finite = np.isfinite(y)
        if not finite.any():
            return
        steps, pen_up = [], True
        for index in range(len(x)):
            if finite[index]:
                inside = min(max(float(y[index]), self.y[0]), self.y[1])
                steps.append(f"{'M' if pen_up else 'L'}{self.px(float(x[index])):.1f} {self.py(inside):.1f}")
            pen_up = not finite[index]
        self._parts.append(f'<path class="line {css}" d="{"".join(steps)}"/>')

    def level(self, value: float, css: str, label: str = "") -> None:
        """A horizontal line, for a limit."""
        if self.y[0] <= value <= self.y[1]:
            at = self.py(value)
            self._parts.append(
                f'<line class="{css}" x1="{self._left}" x2="{self.width - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            )
            if label:
                place = f'x="{self.width - _RIGHT - 2}" y="{at - 3:.1f}"'
                self._parts.append(f'<text class="tick end" {place}>{escape(label)}</text>')

    def box(self, x0: float, x1: float, y0: float, y1: float, css: str, hint: str = "") -> None:
        """A filled rectangle in the chart's own coordinates."""
        left, right = sorted((self.px(max(x0, self.x[0])), self.px(min(x1, self.x[1]))))
        top, bottom = sorted((self.py(y0), self.py(y1)))
        tip = f"<title>{escape(hint)}</title>" if hint else ""
        self._parts.append(
            f'<rect class="{css}" x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0.6):.1f}"'
            f' height="{bottom - top:.1f}">{tip}</rect>'
        )

    def polygon(self, corners: np.ndarray, css: str) -> None:
        """A closed shape through corners (n, 2) in the chart's own coordinates."""
        places = " ".join(f"{self.px(float(x)):.1f},{self.py(float(y)):.1f}" for x, y in corners)
        self._parts.append(f'<polygon class="{css}" points="{places}"/>')

    def text(self, x: float, y: float, words: str, css: str = "tick", dx: float = 0.0, dy: float = 3.0) -> None:
        """Words at a place in the chart's own coordinates."""
        place = f'x="{self.px(x) + dx:.1f}" y="{self.py(y) + dy:.1f}"'
        self._parts.append(f'<text class="{css}" {place}>{escape(words)}</text>')

    def dot(self, x: float, y: float, css: str, hint: str = "") -> None:
        """A mark."""
        tip = f"<title>{escape(hint)}</title>" if hint else ""
        self._parts.append(f'<circle class="{css}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="4">{tip}</circle>')

    def html(self, description: str = "") -> Markup:
        """The picture.

        Args:
            description: For people who do not see it.
        """
        body = "".join(self._parts)
        label = escape(description)
        return Markup(
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{label}"'
            f' preserveAspectRatio="xMidYMid meet">{body}</svg>'
        )

    def _axes(self, x_unit: str, y_axis: bool) -> None:
        bottom, right = self.height - _BOTTOM, self.width - _RIGHT
        if y_axis:
            for value in ticks(*self.y, count=max(3, self.height // 45)):
                at = self.py(value)
                self._parts.append(f'<line class="grid" x1="{self._left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
                self._parts.append(
                    f'<text class="tick end" x="{self._left - 5}" y="{at + 3:.1f}">{_short(value)}</text>'
                )
        self._parts.append(f'<line class="axis" x1="{self._left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
        values = ticks(*self.x, count=max(2, self.width // 90))
        for index, value in enumerate(values):
            at = self.px(value)
            last = index == len(values) - 1
            words = f"{_short(value)} {x_unit}".strip() if last else _short(value)
            anchor = " end" if at > right - 12 else " middle"
            self._parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 3}"/>')
            self._parts.append(f'<text class="tick{anchor}" x="{at:.1f}" y="{bottom + 14}">{escape(words)}</text>')


def histogram(chart: Chart, edges: np.ndarray, counts: np.ndarray, css: str) -> None:
    """Bars of a histogram from the foot of the chart."""
    for index, count in enumerate(counts):
        if count:
            low, high = float(edges[index]), float(edges[index + 1])
            chart.box(low, high, chart.y[0], float(count), css, f"{low:.4g} to {high:.4g}: {int(count)}")


def ticks(low: float, high: float, count: int) -> list[float]:
    """At most about `count` round values inside a range."""
    raw = (high - low) / max(count, 1)
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * scale for factor in (1, 2, 2.5, 5, 10) if factor * scale >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def span(values: Sequence[np.ndarray], least: float, zero: bool = False) -> tuple[float, float]:
    """Range of some arrays with a little air; at least `least` wide, and from 0 where `zero`."""
    finite = [v[np.isfinite(v)] for v in values]
    finite = [v for v in finite if v.size]
    if not finite:
        return (0.0, least)
    low, high = min(float(v.min()) for v in finite), max(float(v.max()) for v in finite)
    if zero:
        return 0.0, max(1.08 * high, least)
    middle, half = 0.5 * (low + high), 0.5 * max(1.12 * (high - low), least)
    return middle - half, middle + half


def thinned(x: np.ndarray, y: np.ndarray, points: int = _POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Fewer points that look the same: the extremes of each of some stretches, in order."""
    if len(x) <= points:
        return x, y
    keep: list[int] = [0]
    edges = np.linspace(0, len(x), points // 2 + 1).astype(int)
    for start, end in itertools.pairwise(edges):
        stretch = y[start:end]
        if np.isfinite(stretch).all():
            keep += sorted({start + int(stretch.argmin()), start + int(stretch.argmax())})
        else:
            keep += range(start, end)
    keep = sorted({*keep, len(x) - 1})
    return x[keep], y[keep]


def _opened(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    return (low, high) if high > low else (low, low + 1.0)


def _short(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
