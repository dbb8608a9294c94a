# SPDX-License-Identifier: Apache-2.0
"""Time synchronisation: clock error and honesty, skew against truth, cost of core and node, memory over a day."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import psutil

from bench import sync_plots
from bench.report import BenchError, Figure
from bench.rig import REPOSITORY, Rig, node
from bench.sync_peers import ApproximateTime, least_offset, mean_offset
from bench.sync_referee import Part, Verdict, judge
from bench.sync_world import DEVICES, SECOND, START, WRENCH, World, clock_pairs, simulate
from humanoid_core import endpoints, ros
from humanoid_interfaces.msg import SyncStatus
from humanoid_sync.aligner import Aligner
from humanoid_sync.batch import align
from humanoid_sync.clock_model import ClockModel
from humanoid_sync.frames import Flag, Frame
from humanoid_sync.recording import Recording
from humanoid_sync.streams import Clock, Plan, Stream

DOMAIN = 49
OUT = Path("build/bench")
LEAST = 0.002  # [s] least delay of the clock samples: cannot be seen, so it is taken off
LEAST_NS = round(LEAST * 1e9)
RUN = 45.0  # [s] of each clock
CLOCKS = {  # rate [Hz], jitter sd [s], share of spikes, drift [ppm], runs
    "30 Hz, sd 3 ms, 1 % spikes": (30.0, 3e-3, 0.01, 20.0, 60),
    "30 Hz, sd 5 ms, 5 % spikes": (30.0, 5e-3, 0.05, -50.0, 60),
    "100 Hz, sd 1.5 ms, 1 % spikes": (100.0, 1.5e-3, 0.01, 50.0, 24),
    "500 Hz, sd 0.3 ms, 1 % spikes": (500.0, 0.3e-3, 0.01, -30.0, 6),
    "1 kHz, sd 0.3 ms, 5 % spikes": (1000.0, 0.3e-3, 0.05, 20.0, 8),
}
STEPS = (-0.5, -0.02, 0.02, 0.5)  # [s]
SKEW_SECONDS = 120.0
PEERS = {  # what people set: stamps, queue, slop [ms]
    "ApproximateTime, arrival, 10, 50 ms (restatement)": ("arrival", 10, 50),
    "ApproximateTime, true stamps, 50, 20 ms (restatement)": ("true", 50, 20),
}


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    figures: dict[str, Figure] = {}
    for name, clock in CLOCKS.items():
        figures |= _clock(name, *clock)
    figures |= _steps()
    figures |= _alignment()
    figures["memory gained from hour 1 to hour 24"] = Figure(_day())
    share, taken = _node_share(seconds)
    figures["node, 500 Hz joints, 200 Hz IMU, 3 cameras, share of a core"] = Figure(share)
    figures["node, messages taken per second of the 790 sent"] = Figure(taken)
    return figures


# --- clocks ---


def _clock(name: str, rate: float, jitter: float, spikes: float, ppm: float, runs: int) -> dict[str, Figure]:
    errors: dict[str, list[np.ndarray]] = {"ours": [], "arrival": [], "mean": [], "least": []}
    times, stated = [], []
    for seed in range(runs):
        true, device, arrivals = clock_pairs(rate, jitter, spikes, ppm, RUN, seed, LEAST)
        pairs = list(zip(device.tolist(), arrivals.tolist()))
        model, hosts, widths = ClockModel(), [], []
        for stamp, arrival in pairs:
            model.add(stamp, arrival)
            host, width = model.to_host(stamp, arrival)
            hosts.append(host)
            widths.append(width)
        late = true > 5 * SECOND
        others = {
            "ours": hosts,
            "arrival": arrivals,
            "mean": list(mean_offset(pairs)),
            "least": list(least_offset(pairs)),
        }
        for who, found in others.items():
            errors[who].append((np.asarray(found) - true - LEAST_NS)[late] * 1e-9)
        times.append(true[late] * 1e-9)
        stated.append(np.array(widths)[late])
    when, widths_all = np.concatenate(times), np.concatenate(stated)
    joined = {who: np.abs(np.concatenate(parts)) for who, parts in errors.items()}
    known = ~np.isnan(widths_all)
    early = when < 20.0
    sync_plots.clock(OUT, name, times[0], {who: parts[0] for who, parts in errors.items()}, stated[0])

    def figure(part: np.ndarray) -> Figure:
        p95 = {who: 1e3 * float(np.percentile(error[part], 95)) for who, error in joined.items()}
        peers = {"arrival stamps": p95["arrival"], "mean offset": p95["mean"], "least offset": p95["least"]}
        return Figure(p95["ours"], peers)

    inside = 100.0 * float((joined["ours"][known] <= widths_all[known]).mean())
    return {
        f"clock {name}, p95 error after 5 s": figure(early),
        f"clock {name}, p95 error after 20 s": figure(~early),
        f"clock {name}, truth inside the stated uncertainty": Figure(inside),
        f"clock {name}, the same, distance from 96 %": Figure(abs(inside - 96.0)),
        f"clock {name}, stamps without a stated uncertainty": Figure(100.0 * float((~known).mean())),
    }


def _steps() -> dict[str, Figure]:
    """Clocks that are set: how long until the model says so, and how often it says so without reason."""
    longest, false = 0.0, 0
    for rate, jitter, spikes, ppm, _ in CLOCKS.values():
        if rate > 100.0:
            continue
        for step in STEPS:
            true, device, arrivals = clock_pairs(rate, jitter, spikes, ppm, 30.0, 7, LEAST)
            model, found = ClockModel(), math.inf
            for t, d, a in zip(true.tolist(), device.tolist(), arrivals.tolist()):
                stepped = t >= 15 * SECOND
                model.add(d + (round(step * 1e9) if stepped else 0), a)
                if model.steps and math.isinf(found):
                    found = t * 1e-9 - 15.0
                    false += not stepped
            longest = max(longest, found)
            false += model.steps > 1
    return {"clock step to its report, longest": Figure(longest), "clock steps reported without reason": Figure(false)}


# --- alignment ---


def _plan(master: str) -> Plan:
    streams, clocks = [], {}
    for device in DEVICES:
        if device.offset is not None:
            clocks[device.name] = Clock("streams", device.wraps)
        streams.append(
            Stream(
                device.name,
                device.name,
                WRENCH,
                device.rate,
                "linear" if device.numeric else "nearest",
                tolerance=0.02,
                max_gap=max(0.05, 3.0 / device.rate),
                latency=device.least if device.offset is not None else 0.0,  # as calibrated
                clock=device.name if device.offset is not None else "",
                values=device.numeric,
            )
        )
    return Plan(rate=30.0, deadline=0.15, streams=streams, clocks=clocks, master=master)


def _parts(frames: Iterable[Frame]) -> Iterable[tuple[int, dict[str, Part]]]:
    wrong = Flag.MISSING | Flag.INTERPOLATED_GAP | Flag.CLOCK_UNCERTAIN
    for frame in frames:
        parts = {}
        for part in frame.streams:
            value = part.values[0] if part.values and not part.flags & Flag.INTERPOLATED_GAP else None
            parts[part.name] = Part(part.source_stamps, value, bool(part.flags & wrong))
        yield frame.stamp, parts


def _recorded(plan: Plan, world: World) -> Recording:
    recording = Recording.of(plan)
    for message in world.messages:
        recording.add(message.stream, message.payload, message.arrival)
    return recording


def _alignment() -> dict[str, Figure]:
    world = simulate(SKEW_SECONDS)
    figures: dict[str, Figure] = {}
    verdicts = {}
    frames = {}
    for master in ("cam0", ""):
        plan = _plan(master)
        aligner = Aligner(plan)
        begin = time.process_time()
        made = []
        for message in world.messages:
            made += aligner.push(message.stream, message.payload, message.arrival)
        cpu = time.process_time() - begin
        frames[master] = made
        verdicts[master] = judge(world, _parts(made), SECOND // 30, tolerance=0.02)
    plan = _plan("")
    recording = _recorded(plan, world)
    offline = math.inf
    for _ in range(3):  # other programs disturb caches: the best counts
        begin = time.process_time()
        batch = align(plan, recording)
        offline = min(offline, time.process_time() - begin)
    same = sum(repr(a) == repr(b) for a, b in zip(batch.frames(), frames[""])) if len(batch) == len(frames[""]) else 0
    sets, speeds = _peers(world)
    led, fixed = verdicts["cam0"], verdicts[""]
    spread = {name: 1e3 * float(np.median(found)) for name, found in sets.items()}
    p95 = {name: 1e3 * float(np.percentile(found, 95)) for name, found in sets.items()}
    share = {name: 100.0 * len(found) / (30.0 * SKEW_SECONDS) for name, found in sets.items()}
    sync_plots.skew(OUT, led, sets)
    above = np.percentile(np.array(led.spread) - np.array(led.floor), 95)
    figures["images, phase floor of a set, median"] = Figure(1e3 * float(np.median(led.floor)))
    figures["images, best choice there was, median"] = Figure(1e3 * float(np.median(led.best)))
    figures["images, true skew of a set, median"] = Figure(1e3 * float(np.median(led.spread)), spread)
    figures["images, true skew of a set, p95"] = Figure(1e3 * float(np.percentile(led.spread, 95)), p95)
    figures["images, p95 skew above the cameras' phase floor"] = Figure(1e3 * float(above))
    numeric = np.array(led.numeric + fixed.numeric)
    figures["interpolated streams, p95 skew"] = Figure(1e3 * float(np.percentile(numeric, 95)))
    silent, unflagged = led.silent + fixed.silent, led.unflagged + fixed.unflagged
    figures["sets with a silent stream that flag it"] = Figure(100.0 * (1.0 - unflagged / silent))
    figures["parts flagged missing though a sample was there"] = Figure(100.0 * _alarms(led, fixed))
    figures["instants answered"] = Figure(100.0 * min(led.answered, fixed.answered), share)
    figures["offline frames that are the live ones to the bit"] = Figure(100.0 * same / max(len(frames[""]), 1))
    count = len(world.messages)
    figures["offline core, messages per CPU second"] = Figure(count / offline, speeds)
    figures["live core, messages per CPU second"] = Figure(count / cpu, speeds)
    figures["live core, share of a core"] = Figure(100.0 * cpu / SKEW_SECONDS)
    return figures


def _alarms(*verdicts: Verdict) -> float:
    return max(verdict.false_alarms for verdict in verdicts)


def _peers(world: World) -> tuple[dict[str, list[float]], dict[str, float]]:
    """True spread of the images in each set that the peers give [s], and their messages per CPU second."""
    names = [device.name for device in DEVICES]
    sets: dict[str, list[float]] = {}
    speeds: dict[str, float] = {}
    for peer, (stamps, queue, slop) in PEERS.items():
        synchroniser = ApproximateTime(len(names), queue, slop * 1_000_000)
        topics = {name: i for i, name in enumerate(names)}
        found = []
        begin = time.process_time()
        for i, message in enumerate(world.messages):
            stamp = message.arrival if stamps == "arrival" else message.true
            chosen = synchroniser.add(topics[message.stream], stamp, i)
            if chosen is not None:
                found.append(chosen)
        speeds[peer] = len(world.messages) / (time.process_time() - begin)
        images = [[world.messages[i].true for i in chosen[:3]] for chosen in found]
        sets[peer] = [(max(times) - min(times)) * 1e-9 for times in images]
    return sets, speeds


# --- cost ---


def _day() -> float:
    """Memory that the live core gains from hour 1 to hour 24 of a robot with slow streams [MB]."""
    streams = [
        Stream("joints", "joints", WRENCH, 2.0, "linear", 0.6, 2.0, clock="joints", values=True),
        Stream("cam", "cam", WRENCH, 1.0, "nearest", 0.6, 3.0),
        Stream("dead", "dead", WRENCH, 1.0, "nearest", 0.6, 3.0),
    ]
    aligner = Aligner(Plan(0.5, 0.15, streams, {"joints": Clock("streams", 65.536)}))
    payload = simulate(1.0).messages[0].payload
    process, early = psutil.Process(), 0
    for i in range(24 * 3600 * 2):
        arrival = START + i * SECOND // 2
        aligner.push_stamp("joints", (arrival - 7 * SECOND) % 65_536_000_000, payload, arrival + i * 7919 % 1_000_000)
        if i % 2 == 0:
            aligner.push_stamp("cam", arrival, payload, arrival + 1_000_000)
        if i == 3600 * 2:
            early = process.memory_info().rss
    return (process.memory_info().rss - early) / 1e6


def _node_share(seconds: float) -> tuple[float, float]:
    """Share of a core [%], and messages that the node took meanwhile [1/s]."""
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(REPOSITORY / "config" / "transport" / "fastdds.xml")
    config_folder = REPOSITORY / "config"
    parameters = (
        f"streams:={config_folder / 'sync' / 'default.yaml'}",
        f"latencies:={config_folder / 'sync' / 'latencies.yaml'}",
        f"robot_config:={config_folder / 'robots' / 'unitree_g1.yaml'}",
        "robot_name:=bench",
    )
    config = str(REPOSITORY / "src/humanoid_sync/config/sync.yaml")
    commands = {
        "sync": node("humanoid_sync.sync_node", *parameters, config=config),
        "sensors": ["-m", "bench.streams", "numeric"],
    }
    with Rig(commands, DOMAIN) as rig:
        counts: list[tuple[float, int]] = []

        def on_status(message: SyncStatus) -> None:
            counts.append((time.monotonic(), sum(stream.messages for stream in message.streams)))

        ros.subscribe(rig.node, endpoints.SYNC_STATUS, on_status)
        rig.spin(4.0)
        before, begin, first = rig.cpu()["sync"], time.monotonic(), len(counts)
        rig.spin(seconds)
        share = 100.0 * (rig.cpu()["sync"] - before) / (time.monotonic() - begin)
        if len(counts) - first < 2:
            raise BenchError("the sync node said nothing")
        (t0, n0), (t1, n1) = counts[first], counts[-1]
        return share, (n1 - n0) / (t1 - t0)
