# SPDX-License-Identifier: Apache-2.0
"""What must hold for any streams, however they come: live equals offline to the bit, nothing is bridged silently,
every instant is answered, no stream holds up another."""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from humanoid_sync.aligner import Aligner
from humanoid_sync.batch import align
from humanoid_sync.frames import Flag, Frame
from humanoid_sync.recording import Recording
from humanoid_sync.streams import Clock, Plan, Stream

SECOND = 1_000_000_000
MS = 1_000_000
START = 1000 * SECOND
WRENCH, IMU = "geometry_msgs/msg/WrenchStamped", "sensor_msgs/msg/Imu"
POLICIES = ("nearest", "previous", "linear", "slerp", "window")


@dataclass(frozen=True)
class Source:
    """One stream and how it comes."""

    stream: Stream
    offset: int  # of its clock [ns]
    loss: float
    jitter: int  # [ms]
    silence: tuple[float, float]  # [s]
    reset: bool  # its clock is set back in the middle


@dataclass(frozen=True)
class Case:
    """Streams, and messages in order of arrival: (arrival, stream or "!" and clock, payload or device stamp)."""

    plan: Plan
    sources: list[Source]
    events: list[tuple[int, str, bytes | int]]
    seed: int


def message(kind: str, stamp: int, true: int) -> bytes:
    head = b"\x00\x01\x00\x00" + struct.pack("<iI", *divmod(stamp, SECOND)) + struct.pack("<I", 1) + b"\0\0\0\0"
    if kind == WRENCH:
        uneven = [math.sin(true * 1e-6 * k) for k in range(1, 6)]  # far apart, so that the last bit shows
        return head + struct.pack("<6d", true * 1e-9, *uneven)
    angle = true * 1e-9
    turned = struct.pack("<4d", 0.0, 0.0, math.sin(angle), math.cos(angle))
    return head + turned + bytes(72) + struct.pack("<3d", 1.0, 2.0, angle) + bytes(72) + bytes(24) + bytes(72)


@st.composite
def sources(draw: st.DrawFn, number: int) -> tuple[Source, dict[str, Clock]]:
    policy = draw(st.sampled_from(POLICIES))
    rate = draw(st.sampled_from([5.0, 30.0, 100.0, 200.0]))
    clock = draw(st.sampled_from([None, None, Clock("topic"), Clock("streams"), Clock("streams", wraps=4.0)]))
    clocks = {f"c{number}": clock} if clock else {}
    stream = Stream(
        f"s{number}",
        f"s{number}",
        IMU if policy == "slerp" else WRENCH,
        rate,
        policy,
        tolerance=0.6 / rate + draw(st.sampled_from([0.01, 0.2])),
        max_gap=max(3.0 / rate, draw(st.sampled_from([0.02, 0.3]))),
        max_age=draw(st.sampled_from([0.0, 0.0, 0.5 / rate + 0.02])),
        latency=draw(st.sampled_from([0.0, 0.02])),
        clock=next(iter(clocks), ""),
        values=policy in ("linear", "slerp") or draw(st.booleans()),
        wait=draw(st.booleans()) or draw(st.booleans()),
    )
    begin = draw(st.sampled_from([0.0, 0.7, 1.5]))
    source = Source(
        stream,
        offset=draw(st.sampled_from([-5 * SECOND - 12345, 77 * SECOND])) if clock else 0,
        loss=draw(st.sampled_from([0.0, 0.02, 0.3])),
        jitter=draw(st.sampled_from([0, 1, 8, 60])),
        silence=(begin, begin + draw(st.sampled_from([0.0, 0.0, 0.3, 1.2, 5.0]))),
        reset=draw(st.sampled_from([False, False, False, True])),
    )
    return source, clocks


@st.composite
def cases(draw: st.DrawFn) -> Case:
    seconds = draw(st.sampled_from([1.0, 3.0, 5.0]))
    seed = draw(st.integers(0, 1 << 30))
    rng = random.Random(seed)
    made, clocks = [], {}
    for number in range(draw(st.integers(1, 4))):
        source, own = draw(sources(number))
        made.append(source)
        clocks |= own
    events: list[tuple[int, str, bytes | int]] = []
    for source in made:
        events += arrivals(source, clocks, seconds, rng)
    events.sort(key=lambda event: event[0])
    jump = draw(st.sampled_from([0, 0, 0, -100 * SECOND, 70 * SECOND, -900 * MS, 50 * SECOND]))
    at = draw(st.integers(0, len(events)))
    events = events[:at] + [(arrival + jump, name, what) for arrival, name, what in events[at:]]
    if draw(st.booleans()):
        for i in (rng.randrange(len(events) - 1) for _ in range(len(events) // 10 if len(events) > 1 else 0)):
            (a, *first), (b, *second) = events[i], events[i + 1]
            events[i], events[i + 1] = (a, *second), (b, *first)
    plan = Plan(
        rate=draw(st.sampled_from([10.0, 30.0, 33.0])),
        deadline=draw(st.sampled_from([0.03, 0.15, 1.5])),
        streams=[source.stream for source in made],
        clocks=clocks,
        master=draw(st.sampled_from(["", "", "s0"])),
    )
    return Case(plan, made, events, seed)


def arrivals(
    source: Source, clocks: dict[str, Clock], seconds: float, rng: random.Random
) -> list[tuple[int, str, bytes | int]]:
    stream, events = source.stream, []
    clock = clocks.get(stream.clock)
    true = START + rng.randrange(200) * MS
    while true < START + seconds * SECOND:
        true += round(SECOND / stream.rate)
        passed = (true - START) / SECOND
        if rng.random() < source.loss or source.silence[0] < passed < source.silence[1]:
            continue
        stamp = true + source.offset - (1500 * MS if source.reset and passed > seconds / 2 else 0)
        if clock and clock.wraps:
            stamp %= round(clock.wraps * 1e9)
        arrival = true + rng.randrange(source.jitter * MS + 1) + rng.choice([0, 0, 0, 0, 20 * MS])
        if clock and clock.pairs == "topic":
            events.append((arrival, f"!{stream.clock}", stamp))
        payload = message(stream.type, stamp, true)
        events += [(arrival + i * MS, stream.name, payload) for i in range(2 if rng.random() < 0.05 else 1)]
    return events


def live(case: Case, look_ahead: bool, polls: bool) -> list[Frame]:
    """The live core, looked at often or only when a message comes."""
    aligner, frames, rng, now = Aligner(case.plan, look_ahead), [], random.Random(case.seed), None
    for arrival, name, what in case.events:
        if polls and now is not None and now < arrival < now + 59 * SECOND:
            while now < arrival:
                frames += aligner.advance(now)
                now += rng.randrange(1, 40) * MS if arrival - now < SECOND else SECOND
        now = arrival
        if isinstance(what, int):
            aligner.push_clock(name[1:], what, arrival)
        else:
            frames += aligner.push(name, what, arrival)
    return frames + aligner.finish() if look_ahead else frames


def offline(case: Case, look_ahead: bool) -> list[Frame]:
    recording = Recording.of(case.plan)
    for arrival, name, what in case.events:
        if isinstance(what, int):
            recording.add_pair(name[1:], what, arrival)
        else:
            recording.add(name, what, arrival)
    return list(align(case.plan, recording, look_ahead).frames())


def bits(frame: Frame) -> tuple[object, ...]:
    """All of a frame, to the last bit, whatever NaN is."""
    parts = [
        (p.name, int(p.flags), p.source_stamps, struct.pack("2d", p.residual, p.uncertainty), p.values.tobytes())
        for p in frame.streams
    ]
    return (frame.stamp, frame.sequence, *parts)


@settings(max_examples=80, derandomize=True)
@given(case=cases(), look_ahead=st.booleans(), polls=st.booleans())
def test_offline_frames_are_the_live_ones_to_the_bit(case: Case, look_ahead: bool, polls: bool) -> None:
    one = [bits(frame) for frame in live(case, look_ahead, polls and not look_ahead)]
    other = [bits(frame) for frame in offline(case, look_ahead)]
    assert len(one) == len(other)
    for a, b in zip(one, other):
        assert a == b


def test_frames_do_not_wait_for_a_silent_stream_offline_either() -> None:
    busy = Stream("s0", "s0", WRENCH, 200.0, "nearest", 0.05, 0.1)
    quiet = Stream("s1", "s1", WRENCH, 30.0, "nearest", 0.05, 0.1)
    made = [
        Source(busy, 0, 0.0, 60, (0.0, 0.0), False),  # out of order: a frame made later would have seen more
        Source(quiet, 0, 0.0, 1, (0.7, 4.0), False),
    ]
    rng = random.Random(1)
    events = sorted((e for source in made for e in arrivals(source, {}, 5.0, rng)), key=lambda event: event[0])
    case = Case(Plan(30.0, 0.5, [busy, quiet]), made, events, 1)
    assert [bits(frame) for frame in live(case, False, True)] == [bits(frame) for frame in offline(case, False)]


@settings(max_examples=40, derandomize=True)
@given(case=cases())
def test_nothing_is_bridged_silently(case: Case) -> None:
    for frame in live(case, False, False):
        for part, source in zip(frame.streams, case.sources):
            stream = source.stream
            if part.flags & Flag.MISSING:
                assert part.source_stamps == ()
                assert len(part.values) == 0
                continue
            if len(part.source_stamps) == 2 and stream.policy in ("linear", "slerp"):
                apart = (part.source_stamps[1] - part.source_stamps[0]) * 1e-9
                clock = case.plan.clocks.get(stream.clock)
                if clock is None:
                    assert bool(part.flags & Flag.INTERPOLATED_GAP) == (apart > stream.max_gap + 1e-12)
            elif stream.policy != "window":
                behind = stream.max_age if stream.policy == "previous" and stream.max_age else stream.tolerance
                assert -behind - 1e-9 <= part.residual <= stream.tolerance + 1e-9
            if math.isnan(part.uncertainty):
                assert part.flags & Flag.CLOCK_UNCERTAIN


@settings(max_examples=40, derandomize=True)
@given(case=cases())
def test_every_instant_is_answered_in_time_and_once(case: Case) -> None:
    aligner, last = Aligner(case.plan), 0
    stamps: list[int] = []
    for arrival, name, what in case.events:
        frames = [] if isinstance(what, int) else aligner.push(name, what, arrival)
        for frame in frames:
            stamps.append(frame.stamp)
        last = arrival if not last else max(last, arrival)
    period = round(1e9 / case.plan.rate)
    steps = [b - a for a, b in pairwise(stamps)]
    jumps = sum(b[0] - a[0] > 60 * SECOND or b[0] < a[0] - SECOND for a, b in pairwise(case.events))
    if not case.plan.master:
        assert sum(step != period for step in steps) <= jumps
        if not jumps and stamps:
            assert last - stamps[-1] <= case.plan.deadline * 1e9 + period
    assert sum(step <= 0 for step in steps) <= jumps


def test_memory_of_a_stream_that_nobody_asks_for_is_bounded() -> None:
    streams = [
        Stream("master", "master", WRENCH, 30.0, "nearest", 0.05, 0.2),
        Stream("joints", "joints", WRENCH, 500.0, "linear", 0.02, 0.05, values=True),
    ]
    aligner = Aligner(Plan(30.0, 0.15, streams, master="master"))
    payload = message(WRENCH, START, START)
    for i in range(20_000):
        aligner.push_stamp("joints", START + i * 2 * MS, payload, START + i * 2 * MS)
    assert len(aligner._tracks["joints"].stamps) <= 8192
