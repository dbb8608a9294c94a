# SPDX-License-Identifier: Apache-2.0
"""Checks of clocks: were stamps taken when they say. Arrival at the recorder is the witness."""

from __future__ import annotations

import math

import numpy as np

from humanoid_dataset.episode import Episode, Stream
from humanoid_dataset.results import CheckLimits, CheckResult, StreamRule, at_least, at_most
from humanoid_dataset.robot import RobotFacts
from humanoid_dataset.stream_checks import expected_rate, rule_of

UNCERTAIN = 8  # SyncedStream.CLOCK_UNCERTAIN
_PIECES = 16  # of a third of an episode


def stamp_age(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Messages are neither older than their kind may be when they arrive (median), nor from the future."""
    result, worst = CheckResult("stamp_age", "not_assessed", detail="no topic with a limit of age"), -math.inf
    for stream, rule in _aged(episode, limits):
        assert rule.max_age is not None
        ages = (stream.received - stream.stamps) * 1e-9
        early = float(np.percentile(ages, 5))
        if early < -limits.timing.future:
            share, found = early / -limits.timing.future, early
            judged = at_least("stamp_age", 1e3 * found, -1e3 * limits.timing.future, "ms", f"{stream.topic}: future")
        else:
            found = float(np.median(ages))
            share = found / rule.max_age
            judged = at_most("stamp_age", 1e3 * found, 1e3 * rule.max_age, "ms", stream.topic)
        if share > worst:
            worst, result = share, judged
    return result


def clock_drift(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No stream's clock runs away from the recorder's: the youngest messages do not go on getting older or younger.

    A machine that gets busy makes them older once; a clock that runs away does so in the second half as in the first.
    """
    result, worst = CheckResult("clock_drift", "not_assessed", detail="no topic with a limit of age"), -1.0
    for stream, rule in _aged(episode, limits):
        assert rule.max_age is not None
        ages = (stream.received - stream.stamps) * 1e-9
        first, middle, last = (_youngest(part) for part in np.array_split(ages, 3))
        steps = middle - first, last - middle
        drift = 2.0 * min(steps, key=abs) if steps[0] * steps[1] > 0.0 else 0.0
        allowed = limits.timing.drift * rule.max_age
        if abs(drift) / allowed > worst:
            worst = abs(drift) / allowed
            seconds = (int(stream.stamps[-1]) - int(stream.stamps[0])) * 1e-9 * 2 / 3
            rate = 1e6 * drift / seconds if seconds > 0 else math.nan
            result = at_most("clock_drift", 1e3 * abs(drift), 1e3 * allowed, "ms", f"{stream.topic}: {rate:.0f} ppm")
    return result


def _youngest(ages: np.ndarray) -> float:
    """How old the youngest messages of a stretch are [s]: the median of the least ages of pieces of it."""
    return float(np.median([piece.min() for piece in np.array_split(ages, min(_PIECES, len(ages)))]))


def clock_uncertainty(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Synchronisation could vouch for the clocks: the stamps' uncertainty in the frames (95th percentile)."""
    found: dict[str, list[np.ndarray]] = {}
    flagged: dict[str, list[np.ndarray]] = {}
    for table in episode.columns("sync/frame"):
        for i in range(table.count("streams")):
            name = table.text(f"streams[{i}].name")
            values = table.column(f"streams[{i}].uncertainty")
            found.setdefault(name, []).append(values[np.isfinite(values)])
            flagged.setdefault(name, []).append(table.column(f"streams[{i}].flags") & UNCERTAIN != 0)
    doubtful = {name: float(np.concatenate(lists).mean()) for name, lists in flagged.items()}
    known = {name: np.concatenate(lists) for name, lists in found.items()}
    p95 = {name: float(np.percentile(values, 95)) for name, values in known.items() if len(values)}
    if doubtful and max(doubtful.values()) > limits.timing.missing:
        name = max(doubtful, key=lambda key: doubtful[key])
        detail = f"{name}: clock uncertain in so many frames"
        return at_most("clock_uncertainty", 100 * doubtful[name], 100 * limits.timing.missing, "%", detail)
    if not p95:
        why = "no stream has a clock of its own that was measured" if doubtful else "no synchronised frames"
        return CheckResult("clock_uncertainty", "not_applicable" if doubtful else "not_assessed", detail=why)
    name = max(p95, key=lambda key: p95[key])
    detail = f"{name}, worst of {len(p95)} streams whose clock was measured"
    return at_most("clock_uncertainty", 1e3 * p95[name], 1e3 * limits.timing.uncertainty, "ms", detail)


def missed_samples(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Between stamps there are no holes of one period or more, whoever lost what should be there."""
    worst, detail, seen = -1.0, "", 0
    for stream in episode.streams.values():
        rate = expected_rate(stream, rule_of(stream.topic, limits), robot)
        if rate is None or len(stream) < 10:
            continue
        seen += 1
        gone = (np.round(np.diff(stream.stamps) * 1e-9 * rate) - 1).clip(0)
        share = float(gone.sum() / (len(stream) + gone.sum()))
        if share > worst:
            worst, detail = share, f"{stream.topic}: {int(gone.sum())} of {len(stream) + int(gone.sum())}"
    if not seen:
        return CheckResult("missed_samples", "not_assessed", detail="no topic with a configured rate")
    return at_most("missed_samples", 100 * worst, 100 * limits.timing.missed, "%", f"worst of {seen}: {detail}")


def _aged(episode: Episode, limits: CheckLimits) -> list[tuple[Stream, StreamRule]]:
    """Streams whose age is limited, with enough messages to tell."""
    found = []
    for stream in episode.streams.values():
        rule = rule_of(stream.topic, limits)
        if rule is not None and rule.max_age is not None and stream.stamped and len(stream) >= 30:
            found.append((stream, rule))
    return found
