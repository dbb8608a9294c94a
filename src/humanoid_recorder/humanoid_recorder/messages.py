# SPDX-License-Identifier: Apache-2.0
"""Between the recorder's plain values and the messages of its services and topics."""

from __future__ import annotations

import math

from diagnostic_msgs.msg import KeyValue
from rclpy.time import Time

from humanoid_core.convert import stamp_ns, to_stamp
from humanoid_interfaces.msg import Annotation, EpisodeStatus, SyncStatus, TopicCount
from humanoid_recorder.errors import EpisodeError, StorageError
from humanoid_recorder.folders import free_bytes
from humanoid_recorder.recorder import Recorder
from humanoid_recorder.sidecar import ClockReport, Label, Outcome

OUTCOMES: dict[int, Outcome] = {0: "unsure", 1: "success", 2: "failure"}
_CODES = {"unsure": 0, "success": 1, "failure": 2, "discarded": 3}


def outcome(code: int) -> Outcome:
    """The word for StopEpisode's number.

    Raises:
        EpisodeError: it has none.
    """
    if code not in OUTCOMES:
        raise EpisodeError(f"outcome: found {code}, expected one of {OUTCOMES}")
    return OUTCOMES[code]


def tags(pairs: list[KeyValue]) -> dict[str, str]:
    """Tags as a mapping.

    Raises:
        EpisodeError: a key stands twice.
    """
    keys = [pair.key for pair in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise EpisodeError(f"tags: found {', '.join(twice)} twice, expected it once")
    return {pair.key: pair.value for pair in pairs}


def label(message: Annotation, now_ns: int) -> Label:
    """An annotation; without a stamp it is meant for now."""
    start = stamp_ns(message.header.stamp) or now_ns
    return Label(start, stamp_ns(message.end), message.label, message.author, message.tool, message.note)


def clocks(message: SyncStatus) -> list[ClockReport]:
    """The clock models of the streams that have a clock of their own."""
    return [
        ClockReport(stream.name, stream.clock_offset, stream.clock_drift, stream.clock_uncertainty)
        for stream in message.streams
        if not math.isnan(stream.clock_offset)
    ]


def status(recorder: Recorder, now: Time, finalising: bool = False) -> EpisodeStatus:
    """What `recorder/status` says."""
    message = EpisodeStatus()
    message.header.stamp = now.to_msg()
    recording, last = recorder.recording, recorder.last
    message.message = recorder.message
    if recording is not None:
        message.state = EpisodeStatus.FINALISING if finalising else EpisodeStatus.RECORDING
        message.episode_id = recording.episode.episode_id
        message.path = str(recording.staging.final)
        message.task = recording.episode.task
        message.duration = (now.nanoseconds - recording.episode.start_ns) * 1e-9
        message.bytes = recording.bytes
        message.message = recording.trouble
        if recording.error:
            message.state = EpisodeStatus.ERROR
    elif recorder.failed:
        message.state = EpisodeStatus.ERROR
    try:
        message.disk_free = float(free_bytes(recorder.settings.out))
    except StorageError as error:
        message.state, message.message = EpisodeStatus.ERROR, str(error)
    if last is not None:
        message.last_episode_id, message.last_path = last.episode_id, str(last.path)
        message.last_outcome = _CODES[last.outcome]
    for state in list(recorder.topics.values()):
        counter = recorder.counter(state)
        message.topics.append(
            TopicCount(
                name=state.topic.name,
                type=state.topic.type,
                received=counter.received,
                written=counter.written,
                lost=counter.lost,
                dropped=counter.dropped,
                bytes=counter.bytes,
                rate=counter.rate(now.nanoseconds),
                longest_gap=counter.longest_gap_ns * 1e-9,
            )
        )
    return message


def annotation(entry: Label) -> Annotation:
    """The message of a label."""
    message = Annotation(label=entry.label, author=entry.author, tool=entry.tool, note=entry.note)
    message.header.stamp, message.end = to_stamp(entry.start_ns), to_stamp(entry.end_ns)
    return message
