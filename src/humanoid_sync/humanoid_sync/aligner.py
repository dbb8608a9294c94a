# SPDX-License-Identifier: Apache-2.0
"""Puts all streams on one timeline, message by message. Knows no ROS and no clock: time goes on by what it is handed.

The same messages in the same order of arrival give the same frames, live or from a bag: whether a frame is complete,
due or late depends on arrival times alone, never on when the program got around to looking. `batch.py` does the same
for a whole recording at once.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from humanoid_sync.clock_model import ClockModel
from humanoid_sync.frames import (
    BACKWARD_NS,
    NANOSECONDS,
    RESTART_NS,
    AlignmentError,
    Frame,
    Health,
    Warning,
    skew_figures,
)
from humanoid_sync.host_clock import HostClock
from humanoid_sync.master import MasterTimeline
from humanoid_sync.readers import STAMPS
from humanoid_sync.streams import Plan
from humanoid_sync.track import HISTORY, Track

LOOK_AHEAD_NS = 10 * NANOSECONDS  # deadline where waiting costs nothing


def clock_models(plan: Plan) -> dict[str, ClockModel]:
    """Fresh models of a plan's clocks."""
    return {name: ClockModel(clock.wraps, clock.tick) for name, clock in plan.clocks.items()}


def master_timeline(plan: Plan, deadline: int) -> MasterTimeline | None:
    """The timeline of a plan's master; None where the rate is fixed."""
    period = next((round(1e9 / stream.rate) for stream in plan.streams if stream.name == plan.master), 0)
    return MasterTimeline(period, deadline) if period else None


class Aligner:
    """All streams of one plan.

    Args:
        plan: What and how.
        look_ahead: Wait for every stream as long as it takes: better frames from a bag, never live.
    """

    def __init__(self, plan: Plan, look_ahead: bool = False) -> None:
        self.plan = plan
        self.look_ahead = look_ahead
        self.frames = 0
        self.clocks = clock_models(plan)
        self.waits: deque[int] = deque(maxlen=HISTORY)  # instant of a frame to when it was complete or due [ns]
        self._deadline = LOOK_AHEAD_NS if look_ahead else round(plan.deadline * 1e9)
        self._period = round(1e9 / plan.rate)
        self._hosts = {s.name: HostClock(plan.host_tolerance, plan.host_latency) for s in plan.streams if not s.clock}
        self._own_pairs = {name for name, clock in plan.clocks.items() if clock.pairs == "streams"}
        self._tracks = {stream.name: Track(stream, look_ahead) for stream in plan.streams}
        self._stepped: dict[str, int] = {}  # clock: when its last step was found
        self._now: int | None = None
        self._heard: int | None = None  # when the newest message arrived
        self._master = master_timeline(plan, self._deadline)
        self._instants: deque[int] = deque()  # to come, of the master
        self._instant: int | None = None  # the next one
        self._last_instant: int | None = None

    # --- input ---

    def push(self, name: str, payload: bytes, arrival: int) -> list[Frame]:
        """Take a serialized message; gives the frames that are complete or due by now.

        Args:
            name: Of the stream.
            payload: CDR bytes that begin with a stamp.
            arrival: When it arrived [ns]; must not go back.

        Raises:
            AlignmentError: the plan has no such stream.
            MessageError: the message cannot be read.
        """
        track = self._tracks.get(name)
        if track is None:
            raise AlignmentError(f"{name}: found no such stream, expected one of {', '.join(self._tracks)}")
        return self.push_stamp(name, STAMPS[track.stream.stamp](payload), payload, arrival)

    def push_stamp(self, name: str, source: int, payload: bytes, arrival: int) -> list[Frame]:
        """As `push`, with the stamp [ns] known already."""
        track = self._tracks[name]
        if arrival <= 0:
            return []  # simulated time has not begun
        frames = self._go_on(arrival, heard=True)
        clock = track.stream.clock
        if clock:
            if clock in self._own_pairs:
                self.push_clock(clock, source, arrival)
            stamp, doubt = self.clocks[clock].to_host(source, arrival)
        else:
            stamp, doubt = source, 0.0 if self._hosts[name].vouches(source, arrival) else math.nan
        stamp -= track.reach.latency
        late = arrival > self._due_of(stamp)
        track.insert(stamp, source, payload, doubt, arrival)
        track.tardy.append(late)
        if late:
            track.late += 1
            track.late_since_frame = True
        if self._master and name == self.plan.master:
            self._instants.extend(self._master.heard(stamp, arrival))
        self._collect(frames)
        return frames

    def _due_of(self, stamp: int) -> int:
        """When the first frame that could use a sample is published at the latest."""
        if self.plan.master:
            return stamp + self._deadline
        return -(-stamp // self._period) * self._period + self._deadline

    def push_clock(self, clock: str, device: int, arrival: int) -> None:
        """Take a pair of a device's clock [ns]; clocks that the plan does not name are ignored."""
        model = self.clocks.get(clock)
        if model is not None:
            steps = model.steps
            model.add(device, arrival)
            if model.steps != steps:
                self._stepped[clock] = arrival

    def advance(self, now: int) -> list[Frame]:
        """Let time go on to `now` [ns]; gives the frames that are complete or due by then.

        The timeline begins with the first message. A minute after the last one it stands still.
        """
        return self._go_on(now, heard=False)

    def _go_on(self, now: int, heard: bool) -> list[Frame]:
        frames: list[Frame] = []
        if self._heard is not None and heard and not self._heard - BACKWARD_NS <= now <= self._heard + RESTART_NS:
            if now > self._heard:
                frames += self._go_on(self._heard + RESTART_NS, heard=False)
            frames += self._restart()
        if heard:
            self._heard = now if self._heard is None else max(now, self._heard)
        if self._heard is not None:
            now = min(now, self._heard + RESTART_NS)
            self._now = now if self._now is None else max(now, self._now)
            if self._master:
                self._instants.extend(self._master.due(self._now))
            self._collect(frames)
        return frames

    def finish(self) -> list[Frame]:
        """The frames up to now that still waited: nothing more will come."""
        frames: list[Frame] = []
        for track in self._tracks.values():
            track.closed = True
        self._collect(frames)
        for track in self._tracks.values():
            track.closed = False
        return frames

    def _restart(self) -> list[Frame]:
        """What waited goes out as it is; then a new timeline begins."""
        frames = self.finish()
        for track in self._tracks.values():
            track.forget()
            track.last_arrival = None
            track.late_since_frame = False
        self._now = self._heard = self._instant = self._last_instant = None
        self._instants.clear()
        if self._master:
            self._master.forget()
        return frames

    # --- output ---

    def _collect(self, frames: list[Frame]) -> None:
        now = self._now
        while now is not None and (instant := self._next_instant(now)) is not None:
            if now < instant:
                return  # nothing is known about the future, whoever is silent
            due = instant + self._deadline
            if now < due and not all(track.ready(instant, now) for track in self._tracks.values()):
                return
            frames.append(self._frame(instant, min(now, due)))

    def _next_instant(self, now: int) -> int | None:
        if self.plan.master:
            return self._instants[0] if self._instants else None
        if self._instant is None:
            self._instant = (now // self._period + 1) * self._period
        return self._instant

    def _frame(self, instant: int, when: int) -> Frame:
        since = self._last_instant if self._last_instant is not None else instant - self._period
        streams = tuple(track.part(instant, since) for track in self._tracks.values())
        for track in self._tracks.values():
            track.trim(instant)
        frame = Frame(instant, self.frames, streams)
        self.frames += 1
        self.waits.append(when - instant)
        self._last_instant = instant
        if self.plan.master:
            self._instants.popleft()
        else:
            self._instant = instant + self._period
        return frame

    # --- health ---

    def health(self) -> list[Health]:
        """Timing of every stream."""
        return [self._health(track) for track in self._tracks.values()]

    def _health(self, track: Track) -> Health:
        periods = np.array(track.periods) * 1e-9
        p50, p95, most = skew_figures(np.array(track.residuals))
        state = self.clocks[track.stream.clock].state() if track.stream.clock else None
        now = self._now or 0
        silence = math.inf if track.last_arrival is None else (now - track.last_arrival) * 1e-9
        silent = silence > max(track.stream.max_gap, self.plan.limits.silence)
        return Health(
            name=track.stream.name,
            rate=0.0 if silent or not len(periods) else float(1.0 / max(periods.mean(), 1e-9)),
            jitter=float(periods.std()) if len(periods) else 0.0,
            messages=track.messages,
            gaps=track.gaps,
            longest_gap=track.longest_gap * 1e-9,
            missing=track.missing,
            late=track.late,
            skew_p50=p50,
            skew_p95=p95,
            skew_max=most,
            clock_offset=state.offset if state else math.nan,
            clock_drift=state.drift if state else math.nan,
            clock_uncertainty=state.uncertainty if state else math.nan,
            silent=silent,
        )

    def warnings(self) -> list[Warning]:
        """What is wrong with the streams now."""
        found = []
        limits = self.plan.limits
        for health in self.health():
            track = self._tracks[health.name]
            stream = track.stream
            said = {}
            if health.silent and stream.wait:
                said["silence"] = "silent" if health.messages else "nothing received yet"
            if not health.silent and health.messages > 10 and health.rate < limits.rate * stream.rate:
                said["rate"] = f"{health.rate:.1f} Hz, expected {stream.rate:g} Hz"
            if stream.wait and not health.silent and _share(track.absent) > limits.missing:
                said["missing"] = f"missing in {100 * _share(track.absent):.0f} % of the last frames"
            if _share(track.tardy) > limits.late:
                said["late"] = f"late {100 * _share(track.tardy):.0f} % of the last messages"
            if track.disordered > 0.1 * track.messages > 10:
                said["order"] = f"stamps of {track.disordered} of {track.messages} messages do not increase"
            if health.skew_p95 > limits.skew * stream.tolerance:
                said["skew"] = f"skew p95 {health.skew_p95 * 1e3:.1f} ms"
            if health.clock_uncertainty > limits.uncertainty:
                said["uncertainty"] = f"clock known to {health.clock_uncertainty * 1e3:.1f} ms only"
            if stream.name in self._hosts and (verdict := self._hosts[stream.name].verdict()):
                said["clock"] = verdict
            found += [Warning(stream.name, kind, words) for kind, words in said.items()]
        for clock, when in self._stepped.items():
            if self._now is not None and self._now - when <= limits.step_shown * 1e9:
                model = self.clocks[clock]
                words = f"stepped by {model.last_step:+.6g} s, {model.steps} in all"
                found.append(Warning(f"clock {clock}", "step", words))
        return found


def _share(of: deque[bool]) -> float:
    return sum(of) / len(of) if len(of) >= 30 else 0.0
