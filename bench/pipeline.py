# SPDX-License-Identifier: Apache-2.0
"""From the operator's stamp to joint_commands, stage by stage, every node in its own process."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from bench.report import BenchError, Figure
from bench.rig import REPOSITORY, ROBOT_CONFIG, Rig, node
from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import StageTrace

DOMAIN = 64
SETTLE = 4.0  # [s] after take-over: calibration, ramp-in
STAGES = ("device", "retargeting", "safety")


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    robot = f"robot_config:={ROBOT_CONFIG}"
    teleop = str(REPOSITORY / "src/humanoid_teleop/config/retargeting.yaml")
    safety = str(REPOSITORY / "src/humanoid_safety/config/safety.yaml")
    heartbeat = str(REPOSITORY / "src/humanoid_safety/config/heartbeat.yaml")
    processes = {
        "robot": ["-m", "bench.nodes", "robot", "--ros-args", "-p", robot],
        "operator": ["-m", "bench.nodes", "operator"],
        "heartbeat": node("humanoid_safety.heartbeat_node", config=heartbeat),
        "retargeting": node("humanoid_teleop.retargeting_node", robot, "trace:=true", config=teleop),
        "safety": node("humanoid_safety.safety_node", robot, "trace:=true", config=safety),
    }
    passed: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)  # stage -> stamp -> received, published [ns]

    def on_trace(trace: StageTrace) -> None:
        times = convert.stamp_ns(trace.received), convert.stamp_ns(trace.header.stamp)
        passed[trace.stage][convert.stamp_ns(trace.source_stamp)] = times

    with Rig(processes, DOMAIN) as rig:
        ros.subscribe(rig.node, endpoints.TRACE, on_trace, depth=10_000)
        rig.engage("teleop")
        rig.spin(SETTLE)
        passed.clear()
        before = rig.cpu()
        rig.spin(seconds)
        rig.check_commanding("teleop")
        spent = {name: 100.0 * (value - before[name]) / seconds for name, value in rig.cpu().items()}
    # The last frames may still be on their way.
    frames = sorted(passed["device"])[:-100]
    whole = [stamp for stamp in frames if all(stamp in passed[stage] for stage in STAGES)]
    if len(whole) < 0.5 * len(frames) or not whole:
        counts = {stage: len(passed[stage]) for stage in STAGES}
        raise BenchError(f"pipeline: only {len(whole)} of {len(frames)} frames passed all stages, traces: {counts}")
    at = {stage: np.array([passed[stage][stamp] for stamp in whole]) for stage in STAGES}
    stamps = np.array(whole)
    times = {
        "operator stamp to joint_commands": at["safety"][:, 1] - stamps,
        "device, stamp to publish": at["device"][:, 1] - stamps,
        # Publishing returns after the message is out: a reader may have it before the publisher says so.
        "transport to retargeting": at["retargeting"][:, 0] - at["device"][:, 1],
        "retargeting, arrival to publish": at["retargeting"][:, 1] - at["retargeting"][:, 0],
        "operator stamp to joint_targets": at["retargeting"][:, 1] - stamps,
        "transport to limiter": at["safety"][:, 0] - at["retargeting"][:, 1],
        "limiter, arrival to first use": at["safety"][:, 1] - at["safety"][:, 0],
    }
    figures = {
        f"{name}, p{share}": Figure(float(np.percentile(values, share)) * 1e-6)
        for name, values in times.items()
        for share in ((50, 99) if name == "operator stamp to joint_targets" else (50, 95, 99))
    }
    missing = sum(stamp not in passed["safety"] for stamp in frames)
    figures["frames without a command"] = Figure(100.0 * missing / len(frames))
    figures["retargeting, share of a core, tracing"] = Figure(spent["retargeting"])
    figures["limiter, share of a core, tracing"] = Figure(spent["safety"])
    return figures
