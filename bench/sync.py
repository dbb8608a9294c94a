# SPDX-License-Identifier: Apache-2.0
"""Time synchronisation: clock error and honesty, skew against truth, cost of core and node."""

from __future__ import annotations

import os
import random
import struct
import time

import numpy as np

from bench.report import Figure
from bench.rig import REPOSITORY, Rig, node
from humanoid_sync.aligner import Aligner
from humanoid_sync.clock_model import ClockModel
from humanoid_sync.frames import Flag, Frame
from humanoid_sync.streams import Plan, Stream

DOMAIN = 79
SECOND = 1_000_000_000
MS = 1_000_000
LEAST = 2 * MS  # least delay of the clock samples: cannot be seen, so it is taken off
CLOCKS = {  # rate [Hz], jitter sd [s], share of spikes, drift [ppm]
    "30 Hz, sd 3 ms, 1 % spikes": (30.0, 3e-3, 0.01, 20.0),
    "30 Hz, sd 5 ms, 5 % spikes": (30.0, 5e-3, 0.05, -50.0),
    "100 Hz, sd 1.5 ms, 1 % spikes": (100.0, 1.5e-3, 0.01, 50.0),
    "1 kHz, sd 0.3 ms, 5 % spikes": (1000.0, 0.3e-3, 0.05, 20.0),
}
CAMERAS = {"cam0": (0.0, 20), "cam1": (11.0, 40), "cam2": (22.0, 60)}  # phase [ms], latency [ms]
NUMERIC = {"joints": 1000.0, "imu": 200.0, "tactile": 150.0}


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    figures: dict[str, Figure] = {}
    for name, clock in CLOCKS.items():
        figures |= _clock(name, *clock)
    figures |= _alignment()
    figures["node, 500 Hz joints, 200 Hz IMU, 3 cameras, share of a core"] = Figure(_node_share(seconds))
    return figures


def _clock(name: str, rate: float, jitter: float, spikes: float, ppm: float) -> dict[str, Figure]:
    early: list[float] = []
    late: list[float] = []
    arrival: list[float] = []
    covered: list[bool] = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        true = np.arange(0.0, 45.0, 1.0 / rate)
        delay = LEAST * 1e-9 + np.abs(rng.normal(0.0, jitter, len(true)))
        delay += (rng.random(len(true)) < spikes) * rng.exponential(0.05, len(true))
        arrivals = np.maximum.accumulate(true + delay)
        columns = (true, true * (1.0 + ppm * 1e-6) + 3.2, arrivals)
        model = ClockModel()
        for truth, device, arrived in zip(*((column * 1e9).astype(np.int64).tolist() for column in columns)):
            model.add(device, arrived)
            error = abs(model.to_host(device)[0] - truth - LEAST) * 1e-9
            if truth > 5 * SECOND:
                (early if truth < 20 * SECOND else late).append(error)
                arrival.append(abs(arrived - truth - LEAST) * 1e-9)
                covered.append(error <= model.uncertainty())
    stamps = {"arrival stamps": 1e3 * float(np.percentile(arrival, 95))}
    return {
        f"clock {name}, p95 error after 5 s": Figure(1e3 * float(np.percentile(early, 95)), stamps),
        f"clock {name}, p95 error after 20 s": Figure(1e3 * float(np.percentile(late, 95)), stamps),
        f"clock {name}, truth inside the stated uncertainty": Figure(100.0 * float(np.mean(covered))),
    }


def _plan() -> Plan:
    kind = "geometry_msgs/msg/WrenchStamped"
    cameras = [Stream(name, name, "x", 30.0, "nearest", tolerance=0.03, max_gap=0.1) for name in CAMERAS]
    numeric = [
        Stream(name, name, kind, rate, "linear", tolerance=0.03, max_gap=5.0 / rate, values=True)
        for name, rate in NUMERIC.items()
    ]
    return Plan(rate=30.0, deadline=0.15, streams=[*cameras, *numeric])


def _message(stamp: int) -> bytes:
    """A WrenchStamped whose first number is its own stamp [s]: interpolated, it says how far off the frame is."""
    head = b"\x00\x01\x00\x00" + struct.pack("<iI", *divmod(stamp, SECOND)) + struct.pack("<I", 1) + b"\0\0\0\0"
    return head + struct.pack("<6d", stamp * 1e-9, 0.0, 0.0, 0.0, 0.0, 0.0)


def _events(seconds: float) -> list[tuple[int, str, bytes]]:
    rng = random.Random(1)
    start = 1000 * SECOND
    events = []
    for name, (phase, latency) in CAMERAS.items():
        for i in range(round(30 * seconds)):
            stamp = start + round(phase * MS) + i * SECOND // 30
            if not (name == "cam1" and 10.0 < i / 30 < 14.5) and rng.random() > 0.01:
                events.append((stamp + latency * MS + round(rng.random() * 5 * MS), name, _message(stamp)))
    for name, rate in NUMERIC.items():
        for i in range(round(rate * seconds)):
            stamp = start + round(i * SECOND / rate)
            if rng.random() > 0.01:
                events.append((stamp + round(abs(rng.gauss(0, 0.5)) * MS), name, _message(stamp)))
    return sorted(events)


def _alignment() -> dict[str, Figure]:
    events = _events(30.0)
    aligner = Aligner(_plan())
    frames: list[Frame] = []
    begin = time.process_time()
    for arrival, name, payload in events:
        frames += aligner.push(name, payload, arrival)
    cpu = time.process_time() - begin
    skew: list[float] = []
    phase: list[float] = []
    numeric: list[float] = []
    silent = flagged = 0
    for frame in frames[5:]:
        for part in frame.streams:
            if part.name in CAMERAS:
                gap = part.name == "cam1" and 1010.05 < frame.stamp * 1e-9 < 1014.45
                silent += gap
                flagged += bool(gap and part.flags & Flag.MISSING)
                if part.source_stamps:
                    skew.append(abs(part.source_stamps[0] - frame.stamp) * 1e-9)
                    offset = ((frame.stamp - 1000 * SECOND) * 1e-9 - CAMERAS[part.name][0] * 1e-3) % (1.0 / 30.0)
                    phase.append(min(offset, 1.0 / 30.0 - offset))
            elif part.source_stamps:
                numeric.append(abs(part.values[0] - frame.stamp * 1e-9))
    ticks = (frames[-1].stamp - frames[0].stamp) // round(1e9 / 30) + 1
    above = float(np.percentile(skew, 95) - np.percentile(phase, 95))
    return {
        "images, p95 skew above the cameras' phase": Figure(1e3 * above),
        "interpolated streams, p95 skew": Figure(1e3 * float(np.percentile(numeric, 95))),
        "frames of a silent stream that are flagged": Figure(100.0 * flagged / silent),
        "instants answered": Figure(100.0 * len(frames) / ticks),
        "core, messages per CPU second": Figure(len(events) / cpu),
        "core, share of a core live": Figure(100.0 * cpu / 30.0),
    }


def _node_share(seconds: float) -> float:
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
        rig.spin(4.0)
        before = rig.cpu()["sync"]
        rig.spin(seconds)
        return 100.0 * (rig.cpu()["sync"] - before) / seconds
