# SPDX-License-Identifier: Apache-2.0
"""Checks of integrity and timing: is everything there, whole, and in time."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np

from humanoid_dataset.episode import Episode, Stream
from humanoid_dataset.results import CheckLimits, CheckResult, StreamRule, at_least, at_most
from humanoid_dataset.robot import RobotFacts

MISSING = 1  # SyncedStream.MISSING


def intact(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """The bag opens, chunk checksums hold, and hash and message counts are what the recorder wrote down."""
    faults = [episode.damage] if episode.damage else []
    bag = episode.sidecar.get("bag") or {}
    whole = bool(bag) and episode.digests().get(bag["file"]) == bag["sha256"]
    if bag and not whole:
        faults.append(f"{bag['file']}: SHA-256 is not the one that the recorder noted")
    if not whole and not episode.damage and (fault := episode.checksum_fault()):
        faults.append(fault)
    if not episode.metadata:
        faults.append("metadata.yaml is missing")
    for entry in episode.metadata.get("topics_with_message_count", []):
        name, count = entry["topic_metadata"]["name"], entry["message_count"]
        stream = episode.stream_by_full_name(name)
        found = len(stream) if stream else 0
        if found != count:
            faults.append(f"{name}: {found} of {count} messages")
    against = "counts in metadata.yaml and " + ("the recorder's SHA-256" if bag else "no hash: the recorder noted none")
    detail = "; ".join(faults[:4]) + (f"; {len(faults) - 4} more" if len(faults) > 4 else "")
    return at_most("intact", len(faults), 0, "faults", detail or against)


def topics(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Every required topic was recorded with at least one message."""
    missing = []
    found = {s.topic for s in episode.streams.values() if len(s)}
    for rule in limits.streams:
        if rule.required:
            own = [topic for topic in robot.rates if matches(topic, rule)]
            if own or (rule.sensor and robot.rates):
                missing += [topic for topic in own if topic not in found]
            elif sum(matches(topic, rule) for topic in found) < rule.at_least:
                missing.append(rule.topic)
    recorded = f"{sum(1 for s in episode.streams.values() if len(s))} topics recorded"
    return at_most("topics", len(missing), 0, "missing", "missing: " + ", ".join(missing) if missing else recorded)


def rates(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Each stream runs at its configured rate, by stamps and over the whole episode."""
    worst, detail, seen = -1.0, "", 0
    for stream in episode.streams.values():
        rule = rule_of(stream.topic, limits)
        wanted, found = expected_rate(stream, rule, robot), stream.rate
        floor = rule.rate_min if rule else None
        if wanted is None and floor is None:
            continue
        if math.isnan(found):
            deviation, text = 1.0, f"{stream.topic}: {len(stream)} message(s), no rate"
        elif wanted is not None:
            deviation, text = abs(found / wanted - 1.0), f"{stream.topic}: {found:.2f} Hz, configured {wanted:g} Hz"
        else:
            assert floor is not None
            deviation, text = max(0.0, 1.0 - found / floor), f"{stream.topic}: {found:.2f} Hz, at least {floor:g} Hz"
        seen += 1
        if deviation > worst:
            worst, detail = deviation, text
    if not seen:
        return CheckResult("rates", "not_assessed", detail="no topic with a configured rate")
    return at_most("rates", 100 * worst, 100 * limits.timing.rate_tolerance, "%", f"worst of {seen}: {detail}")


def gaps(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No stream pauses longer than allowed: between stamps, after the start, or before the end of the episode."""
    worst, result = -math.inf, CheckResult("gaps", "not_assessed", detail="no topic with a gap limit")
    counted = 0
    for stream in episode.streams.values():
        rule = rule_of(stream.topic, limits)
        if rule is None or rule.max_gap is None or not len(stream):
            continue
        counted += len(pauses(episode, stream, rule, limits))
        for length, allowed, where in longest_gaps(episode, stream, rule, limits):
            if length / allowed > worst:
                worst = length / allowed
                result = at_most("gaps", length, allowed, "s", f"{stream.topic} {where}")
    if counted:
        result = replace(result, detail=f"{counted} gap(s), worst: {result.detail}")
    return result


def loss(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Nothing was lost on the way, by the publishers' sequence numbers, nor dropped by the recorder."""
    counts = episode.sidecar.get("topics")
    if not counts:
        return CheckResult("loss", "not_assessed", detail="the recorder left no counts (no episode.yaml)")
    gone = {entry["name"]: int(entry.get("lost", 0)) + int(entry.get("dropped", 0)) for entry in counts}
    sent = sum(int(entry["written"]) for entry in counts) + sum(gone.values())
    guilty = sorted((name for name in gone if gone[name]), key=lambda name: -gone[name])
    detail = ", ".join(f"{name} {gone[name]}" for name in guilty[:5]) or f"0 of {sent} messages"
    return at_most("loss", 100 * sum(gone.values()) / max(sent, 1), 100 * limits.timing.loss, "%", detail)


def operator_frames(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No operator frame is missing between the device and the bag, by the device's own sequence numbers."""
    sequence = _in_order(episode, "operator/frame", "sequence").astype(np.int64)
    if len(sequence) < 2:
        return CheckResult("operator_frames", "not_assessed", detail="no operator frames")
    steps = np.diff(sequence)
    steps = steps[steps > 0]  # a restarted device counts from 0 again
    lost = int((steps - 1).sum())
    share = 100 * lost / (lost + len(sequence))
    return at_most("operator_frames", share, 100 * limits.timing.loss, "%", f"{lost} lost, {len(sequence)} recorded")


def monotonic(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Stamps of each stream only ever increase."""
    faults = {}
    for stream in episode.streams.values():
        rule = rule_of(stream.topic, limits)
        if stream.stamped and not stream.latched and rule is not None:
            steps = np.diff(stream.stamps)
            back = int(((steps < 0) if rule.repeats else (steps <= 0)).sum())
            if back:
                faults[stream.topic] = back
    detail = ", ".join(f"{topic} {count}" for topic, count in sorted(faults.items(), key=lambda item: -item[1])[:5])
    return at_most("monotonic", sum(faults.values()), 0, "stamps", detail or "all stamps increase")


def skew(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Streams joined in one synchronised frame were measured at one time (95th percentile of the worst stream)."""
    residuals, _ = sync_residuals(episode)
    if not residuals:
        return CheckResult("skew", "not_assessed", detail="no synchronised frames")
    p95 = {name: float(np.percentile(np.abs(values), 95)) for name, values in residuals.items() if len(values)}
    if not p95:
        return CheckResult("skew", "failed", detail="every stream is missing in every synchronised frame")
    periods = sync_periods(episode)
    allowed = {name: max(limits.timing.skew, limits.timing.skew_periods * periods[name]) for name in p95}
    name = max(p95, key=lambda key: p95[key] / allowed[key])
    return at_most("skew", 1e3 * p95[name], 1e3 * allowed[name], "ms", f"{name}, worst of {len(p95)} streams")


def sync_complete(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Synchronised frames hold all their streams."""
    residuals, missing = sync_residuals(episode, {rule.topic for rule in limits.streams if rule.late_start})
    frames = {name: count + len(residuals[name]) for name, count in missing.items()}
    share = {name: missing[name] / count for name, count in frames.items() if count}  # none of one that never began
    if not share:
        return CheckResult("sync_complete", "not_assessed", detail="no synchronised frames")
    name = max(share, key=lambda key: share[key])
    detail = f"{name} missing in {missing[name]} frame(s)" if missing[name] else f"{len(share)} streams in every frame"
    return at_most("sync_complete", 100 * share[name], 100 * limits.timing.missing, "%", detail)


def duration(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """The episode is long enough to be one."""
    return at_least("duration", episode.duration, limits.timing.duration_min, "s", "")


def rule_of(topic: str, limits: CheckLimits) -> StreamRule | None:
    """First rule whose pattern matches a topic."""
    return next((rule for rule in limits.streams if matches(topic, rule)), None)


def matches(topic: str, rule: StreamRule) -> bool:
    """Whether a rule speaks about a topic."""
    return fnmatchcase(topic, rule.topic)


def expected_rate(stream: Stream, rule: StreamRule | None, robot: RobotFacts) -> float | None:
    """Configured rate of a stream [Hz]: the robot's configuration goes before the limits' file."""
    if rule is None:
        return None
    return robot.rates.get(stream.topic, rule.rate)


def longest_gaps(
    episode: Episode, stream: Stream, rule: StreamRule, limits: CheckLimits
) -> list[tuple[float, float, str]]:
    """Longest pauses, between messages and at both ends of the episode: length [s], allowed [s], where in words.

    Between messages stamps count. At the ends reception counts, since a stamp may lie before the start, and streams are
    given the time that a recorder needs to begin and end. A stream with `late_start` may begin at any time.
    """
    assert rule.max_gap is not None
    start, end = episode.span
    at_ends = max(rule.max_gap, limits.timing.ends)
    found = [((end - int(stream.received[-1])) * 1e-9, at_ends, "before the end")]
    if not rule.late_start:
        found.append(((int(stream.received[0]) - start) * 1e-9, at_ends, "after the start"))
    steps = np.diff(stream.stamps) * 1e-9
    if len(steps):
        index = int(np.argmax(steps))
        where = f"at {(int(stream.stamps[index]) - start) * 1e-9:.2f} s"
        found.append((float(steps[index]), rule.max_gap, where))
    return found


def pauses(episode: Episode, stream: Stream, rule: StreamRule, limits: CheckLimits) -> list[tuple[float, float]]:
    """Begin and end of each pause that is longer than allowed, in seconds of the episode; see `longest_gaps`."""
    if rule.max_gap is None or not len(stream):
        return []
    start, end = episode.span
    seconds = (stream.stamps - start) * 1e-9
    found = [(float(seconds[i]), float(seconds[i + 1])) for i in np.flatnonzero(np.diff(seconds) > rule.max_gap)]
    first, last = ((int(stream.received[i]) - start) * 1e-9 for i in (0, -1))
    at_ends = max(rule.max_gap, limits.timing.ends)
    if first > at_ends and not rule.late_start:
        found.append((0.0, first))
    if (end - start) * 1e-9 - last > at_ends:
        found.append((last, (end - start) * 1e-9))
    return found


def sync_periods(episode: Episode) -> dict[str, float]:
    """Median time between samples of each synchronised stream, as far as frames show it [s]; 0 where they do not."""
    stamps: dict[str, list[np.ndarray]] = {}
    for table in episode.columns("sync/frame"):
        for i in range(table.count("streams")):
            found = stamps.setdefault(table.text(f"streams[{i}].name"), [])
            for k in range(table.count(f"streams[{i}].source_stamps")):
                found.append(table.stamps(f"streams[{i}].source_stamps[{k}]"))
    periods = {}
    for name, lists in stamps.items():
        steps = np.diff(np.unique(np.concatenate(lists))) if lists else np.zeros(0)
        periods[name] = float(np.median(steps)) * 1e-9 if len(steps) > 1 else 0.0
    return periods


def sync_residuals(episode: Episode, late: Container[str] = ()) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """By stream: distance from the instant of each frame that has it [s]; in how many frames it is missing.

    Args:
        episode: Of which.
        late: Streams that need not be in the frames before their own first message in the episode.
    """
    residuals: dict[str, list[np.ndarray]] = {}
    missing: dict[str, int] = {}
    begins = {name: int(s.stamps[0]) for name, s in episode.streams.items() if name in late and len(s)}
    for table in episode.columns("sync/frame"):
        instants = table.stamps("header.stamp")
        for i in range(table.count("streams")):
            name = table.text(f"streams[{i}].name")
            gone = table.column(f"streams[{i}].flags") & MISSING != 0
            residuals.setdefault(name, []).append(table.column(f"streams[{i}].residual")[~gone])
            begin = begins.get(name)
            counted = gone if begin is None else gone & (instants > begin)
            missing[name] = missing.get(name, 0) + int(counted.sum())
    return {name: np.concatenate(lists) for name, lists in residuals.items()}, missing


def _in_order(episode: Episode, topic: str, path: str) -> np.ndarray:
    """One number of each message of a topic, (n,)."""
    tables = episode.columns(topic)
    if not tables:
        return np.zeros(0)
    order = np.argsort(np.concatenate([table.index for table in tables]), kind="stable")
    values: np.ndarray = np.concatenate([table.column(path) for table in tables])[order]
    return values
