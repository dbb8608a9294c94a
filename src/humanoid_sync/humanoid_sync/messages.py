# SPDX-License-Identifier: Apache-2.0
"""Frames and health as messages."""

from __future__ import annotations

import numpy as np
from rclpy.time import Time

from humanoid_core.convert import to_stamp
from humanoid_interfaces.msg import StreamHealth, SyncedFrame, SyncedStream, SyncStatus
from humanoid_sync.aligner import Aligner, Frame

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


def status(aligner: Aligner, now: Time) -> SyncStatus:
    """The message of the streams' health."""
    message = SyncStatus(frames=aligner.frames, warnings=aligner.warnings())
    message.header.stamp = now.to_msg()
    message.latency_p95 = float(np.percentile(aligner.waits, 95)) * 1e-9 if aligner.waits else float("nan")
    message.streams = [StreamHealth(**{name: getattr(health, name) for name in _SAME}) for health in aligner.health()]
    return message
