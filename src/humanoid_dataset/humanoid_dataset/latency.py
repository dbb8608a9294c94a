# SPDX-License-Identifier: Apache-2.0
"""How long it takes from the operator's movement to the command that answers it, from what was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from humanoid_dataset.episode import Episode

STAGES = ("device", "retargeting", "safety")


@dataclass(frozen=True)
class Latency:
    """Delay of operator frames on their way to joint_commands.

    Attributes:
        seconds: One value per operator frame that could be followed, (n,) [s].
        clock: What was measured with, in words.
        stages: Delay inside each stage where the nodes traced themselves, (n,) [s] by stage.
    """

    seconds: np.ndarray
    clock: str
    stages: dict[str, np.ndarray] = field(default_factory=dict)


def latency(episode: Episode) -> Latency:
    """From operator/frame to joint_commands: by the nodes' own trace if recorded, else by the recorder's reception."""
    return _traced(episode) if "trace" in episode.streams else _received(episode)


def _traced(episode: Episode) -> Latency:
    done: dict[str, dict[int, int]] = {stage: {} for stage in STAGES}
    inside: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for message in episode.messages("trace"):
        if message.stage in done:
            source, published, received = map(_ns, (message.source_stamp, message.header.stamp, message.received))
            done[message.stage].setdefault(source, published)
            inside[message.stage].append((published - received) * 1e-9)
    first, last = done["device"], done["safety"]
    seconds = np.array([(last[source] - first[source]) * 1e-9 for source in sorted(first) if source in last])
    return Latency(seconds, "system clock of the nodes", {stage: np.array(v) for stage, v in inside.items() if v})


def _received(episode: Episode) -> Latency:
    """Frame's stamp to the first command that the recorder got after the targets made from that frame."""
    clock = "simulated" if episode.sidecar.get("clock") == "simulated" else "system"
    words = f"recorder's reception, {clock} clock"
    frames = episode.streams.get("operator/frame")
    targets, commands = episode.streams.get("joint_targets/teleop"), episode.streams.get("joint_commands")
    if frames is None or targets is None or commands is None or not len(commands):
        return Latency(np.zeros(0), words)
    answered = dict(zip(targets.stamps.tolist()[::-1], targets.received.tolist()[::-1]))
    pairs = [(stamp, answered[stamp]) for stamp in frames.stamps.tolist() if stamp in answered]
    if not pairs:
        return Latency(np.zeros(0), words)
    asked, made = np.array(pairs, np.int64).T
    received = np.sort(commands.received)
    engaged = made >= received[0]  # before, nothing is answered
    asked, made = asked[engaged], made[engaged]
    index = np.searchsorted(received, made, side="left")
    inside = index < len(received)
    return Latency((received[index[inside]] - asked[inside]) * 1e-9, words)


def _ns(stamp: object) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)  # type: ignore[attr-defined]
