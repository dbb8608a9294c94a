# SPDX-License-Identifier: Apache-2.0
"""A device's clock against the host's, from (device stamp, arrival) pairs alone.

A packet never arrives before it was sent, so each difference arrival - device is the clocks' offset plus a delay of
at least the least delay of the path: the offset runs along the lower edge of these points. The least delay itself
cannot be seen in one direction: it stays in the offset.

Which line below the points? Time is cut into slots that keep their lowest point only, so that memory and time per
sample are bounded and delays that hold up each other count once. Delays of these minima over the true line are close
to exponential, being the least of many, where single delays near the least do occur; then the likelihood of a line
depends on nothing but their sum S and on staying below every point (Moon, Skelly, Towsley: Estimation and removal of
clock skew from network delay measurements, 1999; the lower edge on line: Harrison, Newman: TICSync, 2011). With the
unknown mean delay integrated out it is S^-n. That is evaluated on a grid of drifts, together with what is known of
crystals; quantiles of the resulting offset are the estimate and its uncertainty.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

_SLOT_NS = 150_000_000
_WINDOW_NS = 60_000_000_000
_CAPACITY = 1024  # slots; a window has 400
_SHORT_WINDOW_NS = 10_000_000_000
_PRECISE_NS = 5_000.0  # a window of a clock known better than this is cut to the short one: crystals wander
_CRYSTAL = 50e-6  # [s/s], standard deviation of drifts of unknown crystals; they are within 100 ppm
_SAME_CRYSTAL = 2e-6  # ... of one that was known before a step or a silence
_MAX_DRIFT = 300e-6
_KNOWN_AFTER_NS = 2_000_000_000
_KNOWN_SLOTS = 8
_TAILS = (0.01, 0.99)  # of the posterior, what lies between is stated
_QUARTILE = math.log(4.0 / 3.0)  # of an exponential distribution with mean 1
_CORE = 3.0  # typical delays of a slot's lowest point are judged by those up to this many of them ...
_CORE_MEAN = 1.0 - _CORE / math.expm1(_CORE)  # ... whose mean is this, for an exponential distribution with mean 1
_CAP = 5.0  # a slot whose least delay is over this many typical ones was held up as a whole

_SURE_SLOTS = 20  # before, typical delays are not known well enough to call a slot high
_STEP_SLOTS = 4  # a step is believed when the minima of so many slots in a row agree
_UNSURE_STEP_NS = 50_000_000  # smallest step found before anything is known
_FINE_STEP_NS = 300_000  # ... and afterwards, where delays are small

_SPACING = 1e-8 * 1.5 ** np.arange(26)  # 0.01 to 250 ppm
_GRID = np.concatenate([-_SPACING[::-1], [0.0], _SPACING])
_MIDDLE = len(_SPACING)
_WEIGHT = np.gradient(_GRID)
_EDGES = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0])
_SHARE, _MASS = 0.5 * (_EDGES[1:] + _EDGES[:-1]), np.diff(_EDGES)


@dataclass(frozen=True)
class ClockState:
    """What is known of a clock.

    Attributes:
        offset: Host minus device time at the last sample [s], least delay included.
        drift: Of the offset [s/s].
        uncertainty: Of a converted stamp [s], the unseen least delay excluded; NaN while unknown.
        steps: Steps found.
        samples: Pairs in the present segment.
    """

    offset: float
    drift: float
    uncertainty: float
    steps: int
    samples: int


class Line(NamedTuple):
    """A clock's line at one moment. Device times are unwrapped.

    Attributes:
        at: Device time where the line is anchored [ns].
        base: Offset there, whole part [ns].
        offset: ... and the rest [ns].
        slope: Drift [ns/ns].
        uncertainty: At the anchor [ns]; NaN while unknown.
        slope_uncertainty: [ns/ns].
    """

    at: int
    base: int
    offset: float
    slope: float
    uncertainty: float
    slope_uncertainty: float


class ClockModel:
    """Running model of one clock.

    Args:
        wraps: Device time after which a counter begins anew [s], such as 4294967.296 for 32 bits of milliseconds; 0:
            never.
        tick: Resolution of the device's stamps [s], where it is coarse; stamps are taken for rounded down.
    """

    def __init__(self, wraps: float = 0.0, tick: float = 0.0) -> None:
        self.steps = 0
        self.last_step = math.nan  # by how much the offset changed last [s]
        self.wraps = round(wraps * 1e9)
        self._half_tick = round(tick * 0.5e9)
        self._last: tuple[int, int] | None = None  # device (unwrapped) and arrival of the newest pair
        self._reset((0.0, _CRYSTAL))

    def _reset(self, drift: tuple[float, float]) -> None:
        self._prior = drift  # mean and standard deviation
        self._zero = (0, 0)  # device time and offset that the floats below are relative to
        self._samples = 0
        self._points = np.zeros((_CAPACITY, 2))  # device time and offset of the lowest point of each slot ...
        self._begin = self._end = 0  # ... of which these count
        self._slot: tuple[float, float] | None = None  # of the open one
        self._slot_low = math.inf  # its distance from the line
        self._slot_end = 0  # arrival
        self._at, self._offset, self._slope = 0.0, 0.0, drift[0]
        self._half_width, self._slope_sd = math.nan, drift[1]
        self._since_fit = 0
        self._typical = math.nan  # delay of a slot's lowest point [ns]
        self._suspects: list[tuple[float, float]] = []
        self._side = 0
        self._line: Line | None = None

    # --- input ---

    def add(self, device_ns: int, arrival_ns: int) -> None:
        """Take one pair; duplicates and packets out of order do no harm."""
        self._take(self.unwrap(device_ns, arrival_ns) if self.wraps else device_ns, arrival_ns)

    def _take(self, device: int, arrival_ns: int) -> None:
        if not self._samples:
            self._zero = (device, arrival_ns - device)
            self._slot_end = arrival_ns + _SLOT_NS
        elif arrival_ns < self._slot_end - _SLOT_NS - 1_000_000_000:  # the host's own time jumped
            self._step(device, arrival_ns)
        self._last = (device, arrival_ns)
        if arrival_ns >= self._slot_end:
            self._close_slot()
            self._slot_end = arrival_ns + _SLOT_NS
        self._samples += 1
        zero = self._zero
        t = float(device - zero[0])
        y = float(arrival_ns - device - zero[1])
        distance = y - self._offset - self._slope * (t - self._at)
        if distance < self._slot_low:
            self._slot, self._slot_low = (t, y), distance
            if -self._low_limit(t) <= distance < 0.0:
                self._offset += distance  # no line may run above a point
                self._slot_low = 0.0
                self._line = None

    def add_all(self, devices: np.ndarray, arrivals: np.ndarray) -> tuple[list[int], list[Line], np.ndarray]:
        """Take many pairs, to the bit as `add` of one after the other, only faster.

        Args:
            devices: (n,) [ns].
            arrivals: (n,) [ns].

        Returns:
            Pairs from which on another line held, these lines, and the unwrapped device times, (n,).
        """
        devices = self._unwrapped(devices, arrivals)
        device_list, arrival_list = devices.tolist(), arrivals.tolist()
        orderly = bool((np.diff(arrivals) >= 0).all())
        changed: list[int] = []
        lines: list[Line] = []
        until = 0  # distances are known up to here, from the line and the zero of ...
        t = y = distances = np.zeros(0)
        start = 0
        basis: tuple[object, ...] = ()
        i, n = 0, len(device_list)
        while i < n:
            self._take(device_list[i], arrival_list[i])  # this one may close a slot and fit the line anew
            if not lines or self._line is not lines[-1]:
                changed.append(i)
                lines.append(self.line())
            i += 1
            end = bisect_left(arrival_list, self._slot_end, i) if orderly else i
            if end - i < 2:
                continue
            now = (self._at, self._offset, self._slope, self._zero)
            if end > until or now != basis:
                start, until, basis = i, min(n, end + 16 * (end - i)), now
                t = (devices[start:until] - self._zero[0]).astype(np.float64)
                y = (arrivals[start:until] - devices[start:until] - self._zero[1]).astype(np.float64)
                distances = y - self._offset - self._slope * (t - self._at)
            k = i - start + int(distances[i - start : end - start].argmin())
            low = float(distances[k])
            if low < 0.0:
                continue  # some lie below the line: one by one
            if low < self._slot_low:
                self._slot, self._slot_low = (float(t[k]), float(y[k])), low
            self._samples += end - i
            self._last = (device_list[end - 1], arrival_list[end - 1])
            i = end
        return changed, lines, devices

    def _unwrapped(self, devices: np.ndarray, arrivals: np.ndarray) -> np.ndarray:
        """As `unwrap` of one after the other."""
        if not self.wraps or not len(devices):
            return devices
        behind = devices - arrivals
        first = int(behind[0]) if self._last is None else self._last[0] - self._last[1]
        half = self.wraps // 2
        steps = (np.diff(behind, prepend=first) + half) % self.wraps - half
        return first + np.cumsum(steps) + arrivals

    def _step(self, device: int, arrival: int) -> None:
        """Begin a new segment: of the old one only the drift is still true."""
        offset = self._zero[1] + self._offset
        self._reset((self._slope, max(2.0 * self._slope_sd, _SAME_CRYSTAL)))
        self._zero = (device, arrival - device)
        self._slot_end = arrival + _SLOT_NS
        self.steps += 1
        self.last_step = (arrival - device - offset) * 1e-9

    def _low_limit(self, t: float) -> float:
        """So far below the line a point at time t is no better knowledge of it, but a step or a wrong stamp [ns]."""
        if self._end - self._begin < _KNOWN_SLOTS:
            return float(_UNSURE_STEP_NS)
        return max(_FINE_STEP_NS, 4.0 * (self._half_width + self._slope_sd * abs(t - self._at)))

    def _high_limit(self, t: float) -> float:
        """So far above the line no slot's lowest point lies by chance [ns]."""
        if self._end - self._begin < _SURE_SLOTS:
            return float(_UNSURE_STEP_NS)
        return max(self._low_limit(t), 12.0 * self._typical)

    def _close_slot(self) -> None:
        point, low = self._slot, self._slot_low
        self._slot, self._slot_low = None, math.inf
        if point is None:
            return
        side = -1 if low < -self._low_limit(point[0]) else 1 if low > self._high_limit(point[0]) else 0
        if side == 0 or side != self._side:
            self._suspects, self._side = [], side
        self._line = None
        if side:
            self._suspects = [*self._suspects[1 - _STEP_SLOTS :], point]
            offsets = [y for _, y in self._suspects]
            if max(offsets) - min(offsets) > self._agreement(abs(low)):
                self._suspects = [point]
            elif len(offsets) == _STEP_SLOTS:
                self._begin_after_step()
                return
        if side < 0:
            return  # would bend the line for the whole window if it is but a wrong stamp
        self._keep(point)
        count = self._end - self._begin
        self._since_fit += 1
        if count >= 3 and (count < 20 or self._since_fit >= (4 if count < 50 else 8 if count < 100 else 16)):
            self._fit()

    def _keep(self, point: tuple[float, float]) -> None:
        """Add a slot's lowest point, and forget what is older than the window."""
        points = self._points
        if self._end == _CAPACITY:
            kept = points[self._begin : self._end].copy()
            self._begin, self._end = 0, len(kept)
            points[: len(kept)] = kept
        points[self._end] = point
        self._end += 1
        while point[0] - points[self._begin, 0] > _WINDOW_NS:
            self._begin += 1
        if self._half_width < _PRECISE_NS:
            for _ in range(2):
                self._begin += bool(point[0] - points[self._begin, 0] > _SHORT_WINDOW_NS)

    def _agreement(self, size: float) -> float:
        """How far minima may differ that show the same step [ns]: congestion does not hold its least delay steady."""
        typical = 0.0 if math.isnan(self._typical) else self._typical
        return min(0.5 * size, max(1_000_000.0, 8.0 * typical))

    def _begin_after_step(self) -> None:
        suspects, zero = self._suspects, self._zero
        samples, slot_end = self._samples, self._slot_end
        device, offset = zero[0] + round(suspects[-1][0]), zero[1] + round(min(y for _, y in suspects))
        self._step(device, device + offset)
        self._slot_end = slot_end
        self._samples = min(samples, _STEP_SLOTS)
        dt, dy = zero[0] - self._zero[0], zero[1] - self._zero[1]
        for t, y in suspects:
            self._keep((t + dt, y + dy))
        self._fit()

    # --- the line ---

    def _fit(self) -> None:
        """Posterior of drift and offset at the newest slot, given the slots' lowest points."""
        points = self._points[self._begin : self._end]
        now = points[-1, 0]
        t, y = points[:, 0] - now, points[:, 1]
        slopes = self._slope + _GRID
        highest = (y - slopes[:, None] * t).min(axis=1)  # offset at `now` of the highest line possible
        delays = y - self._slope * t - highest[_MIDDLE]
        quarter = len(t) // 4
        typical = float(np.partition(delays, quarter)[quarter]) / _QUARTILE + 1.0
        for _ in range(3):
            typical = min(typical, float(delays[delays <= _CORE * typical].mean()) / _CORE_MEAN + 1.0)
        open_ = delays <= _CAP * typical  # the others were held up as a whole, and say nothing more
        n = int(open_.sum())
        total = float(y[open_].sum()) - slopes * float(t[open_].sum()) - n * highest
        total = np.maximum(total, 0.0) + 1.0
        mean, sd = self._prior
        log_weight = -(n - 1) * np.log(total) - 0.5 * ((slopes - mean) / sd) ** 2
        log_weight[np.abs(slopes) > _MAX_DRIFT] = -np.inf
        weight = np.exp(log_weight - log_weight.max()) * _WEIGHT
        weight /= weight.sum()
        # Below the highest line possible, the offset follows a Lomax distribution.
        below = (total / n)[:, None] * ((1.0 - _SHARE) ** (-1.0 / max(n - 1, 1)) - 1.0)
        values = (highest[:, None] - below).ravel()
        order = np.argsort(values)
        reached = np.cumsum((weight[:, None] * _MASS).ravel()[order])
        low, high = values[order[np.searchsorted(reached, _TAILS)]]
        self._since_fit = 0
        self._at, self._offset = float(now), float(0.5 * (low + high))
        self._half_width = float(0.5 * (high - low))
        self._slope = float(weight @ slopes)
        self._slope_sd = math.sqrt(float(weight @ (slopes - self._slope) ** 2)) + 1e-9
        self._typical = typical

    @property
    def known(self) -> bool:
        """Whether there are samples enough to state an uncertainty, and none that contradict."""
        if self._end - self._begin < _KNOWN_SLOTS or len(self._suspects) > 1:
            return False
        span = self._points[self._end - 1, 0] - self._points[self._begin, 0]
        return bool(span >= _KNOWN_AFTER_NS or self._prior[1] < _CRYSTAL)

    def line(self) -> Line:
        """What stamps are converted with now."""
        if self._line is None:
            self._line = self._drawn()
        return self._line

    def _drawn(self) -> Line:
        zero_device, zero_offset = self._zero
        at = round(self._at)
        width = self._half_width + self._half_tick if self.known else math.nan
        return Line(zero_device + at, zero_offset, self._offset, self._slope, width, self._slope_sd)

    def unwrap(self, device_ns: int, arrival_ns: int) -> int:
        """The device's time had its counter not wrapped: the one that is nearest to what arrival suggests."""
        if not self.wraps or self._last is None:
            return device_ns
        expected = self._last[0] + arrival_ns - self._last[1]
        half = self.wraps // 2
        return expected + (device_ns - expected + half) % self.wraps - half

    def to_host(self, device_ns: int, arrival_ns: int | None = None) -> tuple[int, float]:
        """Host time of a device stamp [ns], and its uncertainty [s].

        Args:
            device_ns: Device stamp.
            arrival_ns: When it arrived, which tells where a counter stands that wraps around.

        Returns:
            The stamp itself and NaN while nothing is known.
        """
        if self._last is None:
            return device_ns, math.nan
        return convert(self.line(), self.unwrap(device_ns, self._last[1] if arrival_ns is None else arrival_ns))

    def uncertainty(self) -> float:
        """Of a stamp at the anchor of the line [s]; NaN while unknown."""
        return self.line().uncertainty * 1e-9

    def state(self) -> ClockState:
        """What is known now."""
        if self._last is None:
            return ClockState(math.nan, math.nan, math.nan, self.steps, 0)
        line = self.line()
        offset = line.base + line.offset + line.slope * (self._last[0] - line.at)
        return ClockState(offset * 1e-9, line.slope, line.uncertainty * 1e-9, self.steps, self._samples)

    # --- over a restart of the program ---

    def save(self) -> dict[str, Any]:
        """All that it knows, for `restore`; bounded, plain numbers."""
        names = ("steps", "_last", "_zero", "_samples", "_at", "_offset", "_slope", "_slope_sd", "_prior", "_slot_end")
        kept: dict[str, Any] = {name.lstrip("_"): getattr(self, name) for name in names}
        return {**kept, "slots": self._points[self._begin : self._end].tolist(), "wraps": self.wraps}

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on where `save` left off. A device that was restarted meanwhile shows as a step.

        Raises:
            KeyError, TypeError, ValueError: that is nothing `save` has written.
        """
        slots = [(float(t), float(y)) for t, y in kept["slots"]][-_CAPACITY:]
        if kept["wraps"] != self.wraps or kept["last"] is None:
            return
        self.steps, self._samples, self._slot_end = (int(kept[name]) for name in ("steps", "samples", "slot_end"))
        self._last, self._zero = ((int(a), int(b)) for a, b in (kept["last"], kept["zero"]))
        self._at, self._offset, self._slope, self._slope_sd = (
            float(kept[name]) for name in ("at", "offset", "slope", "slope_sd")
        )
        self._prior = (float(kept["prior"][0]), float(kept["prior"][1]))
        for slot in slots:
            self._keep(slot)
        if len(slots) >= 3:
            self._fit()


def convert(line: Line, device: int) -> tuple[int, float]:
    """Host time of an unwrapped device stamp [ns], and its uncertainty [s]."""
    apart = device - line.at
    host = device + line.base + round(line.offset + line.slope * apart)
    return host, (line.uncertainty + line.slope_uncertainty * abs(apart)) * 1e-9
