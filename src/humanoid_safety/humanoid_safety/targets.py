# SPDX-License-Identifier: Apache-2.0
"""One source's stream of joint targets: what is let in, and where the source wants the joints at a given time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from humanoid_core.errors import HumanoidError

NANOSECONDS = 1_000_000_000
_FAR = 1e3  # [rad or m] no joint is that far: a position beyond it is garbage
_DEEPEST = 1024  # targets kept at most; a source that sends more ahead of time is refused
_REMEMBERED = 32  # arrivals that period and lateness are taken from
_LATE_SHARE = 0.9  # of the remembered arrivals are in time for the playing head
_SAME_PERIOD = 0.1  # share by which the learned period may differ from the one that is averaged over
_FASTER, _SLOWER = 0.02, 0.10  # share of time by which the playing head may run faster or slower than the clock


class Fault(Enum):
    """Why a message of joint targets was refused."""

    SIZE = "sizes of names and values differ"
    NOT_A_NUMBER = "not a finite number"
    UNKNOWN = "unknown joint"
    REFUSED_JOINT = "joint that is not handed over"
    TWICE = "joint named twice"
    MISSING = "joint missing that was commanded before"
    STALE = "stale stamp"
    FUTURE = "stamp in the future"
    DUPLICATE = "stamp seen before"
    REORDERED = "older than what was played"
    FLOOD = "too many targets ahead of time"
    UNKNOWN_SOURCE = "source that is not configured"


class TargetRefused(HumanoidError):
    """A message of joint targets cannot be used.

    Args:
        fault: The kind, counted.
        detail: Names and values.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        self.fault = fault
        super().__init__(f"{fault.value}: {detail}")


@dataclass(frozen=True)
class StreamSettings:
    """How a stream is read.

    Attributes:
        period: Time between two targets until it is known from their stamps [s].
        oldest: A target older than this on arrival is refused [s].
        ahead: A target stamped further in the future than this is refused [s].
        latest: Targets that arrive later than this after their stamp are not waited for [s].
    """

    period: float
    oldest: float
    ahead: float
    latest: float


@dataclass(frozen=True)
class _Layout:
    """Names as a source sends them, the columns they go to, and which joints that are."""

    names: list[str]
    columns: np.ndarray
    asked: np.ndarray


class TargetStream:
    """Targets of one source, played one target period behind by their stamps.

    Between two targets the request is their straight connection, averaged over the last two commands (or the last
    target period, if that is shorter): a straight connection alone would turn the corner at each target within one
    command. Averaged over a whole target period, as at 250 targets and 500 commands a second, position, velocity and
    acceleration stay in the hull of those of the targets: a spline of second order. The playing head runs `delay`
    behind the clock: one target period (learned from the stamps) and the lateness that nine arrivals of ten stay below;
    averaging adds one command at most. The head follows changes of both by running a little slower or faster, never by
    jumping. Where it runs out of targets it goes on in a straight line for one period, then stands.

    Args:
        joints: The n joints that may be commanded.
        known: Further joints of the robot, which may not.
        settings: How to read the stream.
        command_period_ns: Time between two commands.
    """

    def __init__(
        self, joints: Sequence[str], known: Sequence[str], settings: StreamSettings, command_period_ns: int
    ) -> None:
        self._index = {joint: i for i, joint in enumerate(joints)}
        self._known = frozenset(known)
        self._settings = settings
        self._smoothing = 2 * command_period_ns
        self._n = len(self._index)
        self.restart()

    def restart(self) -> None:
        """Forget everything: a new stream begins."""
        self._layout = _Layout([], np.zeros(0, dtype=int), np.zeros(self._n, dtype=bool))
        self._stamps: list[int] = []
        self._rows: list[np.ndarray] = []
        self._gaps: deque[int] = deque(maxlen=_REMEMBERED)
        self._late: deque[int] = deque(maxlen=_REMEMBERED)
        self._arrivals = 0
        self.period_ns = round(self._settings.period * NANOSECONDS)
        self._window = 0  # time that is averaged over [ns]
        self._due = self.period_ns  # delay wanted [ns]
        self._delay: float | None = None  # delay in use [ns]
        self._turning = False  # whether the delay is on its way to `_due`
        self._asked_at: int | None = None
        self._head: int | None = None
        self._used: int | None = None
        self.fresh: list[int] = []  # stamps whose target the last `sample` used for the first time

    @property
    def asked(self) -> np.ndarray:
        """Joints this source commands, (n,) bool; the same array until they change."""
        return self._layout.asked

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest target."""
        return self._stamps[-1] if self._stamps else None

    @property
    def delay_ns(self) -> int:
        """How far the playing head is behind the clock; averaging adds half of what it averages over."""
        return round(self._due if self._delay is None else self._delay)

    @property
    def ready(self) -> bool:
        """Whether enough has arrived to be played: two targets."""
        return len(self._stamps) >= 2

    # --- in ---

    def push(self, names: Sequence[str], position: np.ndarray, stamp_ns: int, now_ns: int) -> None:
        """Take one message.

        Args:
            names: Joint names.
            position: Their set-points, (len(names),) [rad or m].
            stamp_ns: The time it is meant for.
            now_ns: When it arrived, same clock.

        Raises:
            TargetRefused: with the reason; nothing has changed then.
        """
        if len(names) != len(position) or not names:
            raise TargetRefused(Fault.SIZE, f"{len(names)} names, {len(position)} positions")
        layout = self._layout if names == self._layout.names else self._check_names(list(names))
        good = np.abs(position) <= _FAR  # false for NaN too
        if not good.all():
            first = int(np.argmin(good))
            raise TargetRefused(Fault.NOT_A_NUMBER, f"{names[first]} = {position[first]}")
        index = self._place_in_time(stamp_ns, now_ns)
        if layout is not self._layout:
            if not np.array_equal(layout.asked, self._layout.asked):
                # More joints from now on: older targets say nothing about them.
                self._stamps.clear()
                self._rows.clear()
                index = 0
            self._layout = layout
        row = np.zeros(self._n)
        row[layout.columns] = position
        self._stamps.insert(index, stamp_ns)
        self._rows.insert(index, row)
        if index == len(self._stamps) - 1:
            self._watch_timing(stamp_ns, now_ns)
        self._drop_past(now_ns)

    def _drop_past(self, now_ns: int) -> None:
        """Forget targets that no command will ask for any more, where nobody plays the stream (the robot holds)."""
        oldest = round(self._settings.oldest * NANOSECONDS)
        past = now_ns - max(self.delay_ns, self._due) - self._window - oldest
        while len(self._stamps) > 2 and self._stamps[1] < past:
            del self._stamps[0], self._rows[0]

    def _check_names(self, names: list[str]) -> _Layout:
        """Check a list of names, and find where their values go."""
        unknown = [name for name in names if name not in self._index]
        refused = [name for name in unknown if name in self._known]
        if refused:
            raise TargetRefused(Fault.REFUSED_JOINT, ", ".join(refused))
        if unknown:
            raise TargetRefused(Fault.UNKNOWN, ", ".join(map(repr, unknown[:5])))
        if len(set(names)) != len(names):
            raise TargetRefused(Fault.TWICE, ", ".join(sorted({name for name in names if names.count(name) > 1})))
        columns = np.array([self._index[name] for name in names])
        asked = np.zeros(self._n, dtype=bool)
        asked[columns] = True
        missing = [joint for joint, i in self._index.items() if self.asked[i] and not asked[i]]
        if missing:
            raise TargetRefused(Fault.MISSING, ", ".join(missing))
        return _Layout(names, columns, asked)

    def _place_in_time(self, stamp_ns: int, now_ns: int) -> int:
        """Index at which a target belongs, by its stamp."""
        age = now_ns - stamp_ns
        if age > self._settings.oldest * NANOSECONDS:
            raise TargetRefused(Fault.STALE, f"{age / NANOSECONDS:.3f} s old")
        if -age > self._settings.ahead * NANOSECONDS:
            raise TargetRefused(Fault.FUTURE, f"{-age / NANOSECONDS:.3f} s ahead")
        stamps = self._stamps
        if not stamps or stamp_ns > stamps[-1]:
            if len(stamps) >= _DEEPEST:
                raise TargetRefused(Fault.FLOOD, f"{len(stamps)} targets wait")
            return len(stamps)
        if stamp_ns in stamps:
            raise TargetRefused(Fault.DUPLICATE, f"{stamp_ns} ns")
        if stamp_ns < stamps[0] or (self._head is not None and stamp_ns <= self._head):
            raise TargetRefused(Fault.REORDERED, f"{(stamps[-1] - stamp_ns) / NANOSECONDS:.3f} s behind the newest")
        return next(i for i, stamp in enumerate(stamps) if stamp > stamp_ns)

    def _watch_timing(self, stamp_ns: int, now_ns: int) -> None:
        """Learn period and lateness."""
        self._late.append(now_ns - stamp_ns)
        if len(self._stamps) > 1:
            self._gaps.append(stamp_ns - self._stamps[-2])
        self._arrivals += 1
        if self._gaps and (len(self._gaps) < 8 or self._arrivals % 8 == 0):
            self.period_ns = sorted(self._gaps)[len(self._gaps) // 2]
            lateness = sorted(self._late)[int(_LATE_SHARE * (len(self._late) - 1))]
            self._due = self.period_ns + min(max(lateness, 0), round(self._settings.latest * NANOSECONDS))

    # --- out ---

    def sample(self, now_ns: int) -> np.ndarray:
        """Where the source wants the joints, (n,) [rad or m]; valid where `asked`.

        Args:
            now_ns: Time of the command; calls come in order.

        Raises:
            ValueError: not `ready`.
        """
        if not self.ready:
            raise ValueError("two targets are needed")
        head = self._advance(now_ns)
        stamps, rows = self._stamps, self._rows
        self._note_fresh(head)
        window = min(self.period_ns, self._smoothing)
        if self._window == 0 or abs(window - self._window) > _SAME_PERIOD * self._window:
            self._window = window
        begin = head - self._window
        while len(stamps) > 2 and stamps[1] <= begin:
            del stamps[0], rows[0]
        # The mean over [begin, head] of a line in pieces: of each piece its middle, by its share of the time.
        total, last = np.zeros(self._n), max(begin, stamps[0])
        if begin < stamps[0]:
            total += (min(head, stamps[0]) - begin) * rows[0]
        end = min(head, stamps[-1] + self.period_ns)
        for i in range(1, len(stamps)):
            until = end if i == len(stamps) - 1 else min(end, stamps[i])
            if until > last:
                since = stamps[i - 1]  # differences first: nanoseconds since 1970 are no exact floats
                share = 0.5 * ((last - since) + (until - since)) / (stamps[i] - since)
                total += (until - last) * (rows[i - 1] + share * (rows[i] - rows[i - 1]))
                last = until
            if until >= end:
                break
        if head > max(last, stamps[0]):
            share = (end - stamps[-2]) / (stamps[-1] - stamps[-2])
            total += (head - max(last, begin)) * (rows[-2] + share * (rows[-1] - rows[-2]))
        return np.asarray(total / self._window)

    def _advance(self, now_ns: int) -> int:
        """Move the playing head to the time of this command."""
        if self._delay is None or self._asked_at is None or self._head is None:
            self._delay = float(self._due)
        else:
            wrong = self._due - self._delay
            self._turning = abs(wrong) > (1.0 if self._turning else self.period_ns / 8)
            if self._turning:
                elapsed = now_ns - self._asked_at
                self._delay += min(max(wrong, -_FASTER * elapsed), _SLOWER * elapsed)
        self._asked_at = now_ns
        head = now_ns - round(self._delay)
        self._head = head if self._head is None else max(head, self._head)
        return self._head

    def _note_fresh(self, head: int) -> None:
        """Stamps used for the first time: those up to the first one after the head."""
        used = self._used
        if used is not None and (used >= head or used == self._stamps[-1]):
            if self.fresh:
                self.fresh = []
            return
        self._used = next((stamp for stamp in self._stamps if stamp >= head), self._stamps[-1])
        self.fresh = [stamp for stamp in self._stamps if (used is None or stamp > used) and stamp <= self._used]
