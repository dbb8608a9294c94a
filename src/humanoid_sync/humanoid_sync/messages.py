# SPDX-License-Identifier: Apache-2.0
"""Frames and health as messages."""

from __future__ import annotations

import math

import numpy as np
from rclpy.time import Time

from humanoid_core.convert import to_stamp
from humanoid_interfaces.msg import Annotation, StreamHealth, SyncedFrame, SyncedStream, SyncStatus
from humanoid_sync.aligner import Aligner
from humanoid_sync.frames import Frame, Warning
from humanoid_sync.remarks import Remark

_SAME = (
    "name",
    "rate",
    "jitter",
    "messages",
    "gaps",
    "longest_gap",
    "missing",
    "late",
    "skew_p50",
    "skew_p95",
    "skew_max",
    "clock_offset",
    "clock_drift",
    "clock_uncertainty",
)


def frame(source: Frame) -> SyncedFrame:
    """The message of a frame."""
    message = SyncedFrame(sequence=source.sequence)
    message.header.stamp = to_stamp(source.stamp)
    message.streams = [
        SyncedStream(
            name=part.name,
            flags=int(part.flags),
            source_stamps=[to_stamp(stamp) for stamp in part.source_stamps],
            residual=part.residual,
            uncertainty=part.uncertainty,
            values=part.values,
        )
        for part in source.streams
    ]
    return message


def status(aligner: Aligner, warnings: list[Warning], now: Time) -> SyncStatus:
    """The message of the streams' health."""
    message = SyncStatus(frames=aligner.frames, warnings=[str(warning) for warning in warnings])
    message.header.stamp = now.to_msg()
    message.latency_p95 = float(np.percentile(aligner.waits, 95)) * 1e-9 if aligner.waits else float("nan")
    message.streams = [StreamHealth(**{name: getattr(health, name) for name in _SAME}) for health in aligner.health()]
    return message


def key_values(message: SyncStatus) -> dict[str, str]:
    """The health of each stream in one line, for /diagnostics."""
    values = {"frames": str(message.frames), "latency_p95_ms": f"{message.latency_p95 * 1e3:.1f}"}
    for stream in message.streams:
        words = f"{stream.rate:.1f} Hz, jitter {stream.jitter * 1e3:.2f} ms, skew p95 {stream.skew_p95 * 1e3:.2f} ms"
        words += f", gaps {stream.gaps}, missing {stream.missing}, late {stream.late}"
        if not math.isnan(stream.clock_drift):
            words += f", clock {stream.clock_drift * 1e6:+.2f} ppm, known to {stream.clock_uncertainty * 1e6:.0f} us"
        values[stream.name] = words
    return values


def annotation(remark: Remark) -> Annotation:
    """A warning as the recorder puts it into the episode."""
    message = Annotation(label="sync_warning", author="sync", tool="humanoid_sync", note=remark.text)
    message.header.stamp = to_stamp(remark.begin)
    if remark.end > remark.begin:  # otherwise an instant
        message.end = to_stamp(remark.end)
    return message
