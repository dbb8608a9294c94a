# SPDX-License-Identifier: Apache-2.0
"""What makes an episode less than complete, as sentences."""

from __future__ import annotations

from humanoid_recorder.recording import Recording
from humanoid_recorder.selection import Selection, matches
from humanoid_recorder.sidecar import Episode
from humanoid_recorder.topic_state import TopicState

_RATE_SHORT = 0.8  # below this share of the expected rate it is a problem


def missing(selection: Selection, namespace: str, recording: Recording, states: list[TopicState]) -> list[str]:
    """Required names and patterns that no recorded message meets."""
    counters = {state.topic.name: recording.counter(state) for state in states}
    alive = [name for name, counter in counters.items() if counter.received or counter.repeated]
    required = [wanted.name for wanted in selection.topics if wanted.required]
    return [pattern for pattern in required if not any(matches(pattern, name, namespace) for name in alive)]


def problems_of(recording: Recording, states: list[TopicState], episode: Episode, causes: list[str]) -> list[str]:
    """Everything that is worth a sentence in episode.yaml.

    Args:
        recording: Its counts.
        states: Every topic.
        episode: What is known at the end.
        causes: Why messages may get lost on their way here; said where some were.
    """
    problems = [f"{name}: required, but nothing was received" for name in episode.missing]
    problems += [f"the system clock was set by {step.step:+.3f} s" for step in episode.clock_steps]
    for state in states:
        problems += _of_topic(recording, state, episode.duration)
    if any(recording.counter(state).lost for state in states):
        problems += causes
    return problems


def _of_topic(recording: Recording, state: TopicState, duration: float) -> list[str]:
    counter, wanted, name = recording.counter(state), state.wanted, state.topic.name
    problems = []
    if counter.lost:
        why = " (best effort: what is lost is not sent again)" if state.best_effort else ""
        sent = counter.lost + counter.received
        problems.append(f"{name}: {counter.lost} of {sent} messages lost on the way here{why}")
    if counter.dropped:
        problems.append(f"{name}: {counter.dropped} messages dropped by the recorder")
    if counter.stamps_back and state.publishers == 1:
        problems.append(f"{name}: {counter.stamps_back} stamps are before the one before")
    if counter.gaps:
        longest = counter.longest_gap_ns * 1e-9
        problems.append(f"{name}: {counter.gaps} gaps over {wanted.max_gap:g} s, the longest {longest:.3f} s")
    if counter.received and duration > 1.0 and counter.received < _RATE_SHORT * wanted.rate * duration:
        problems.append(f"{name}: {counter.received / duration:.1f} Hz, expected {wanted.rate:g} Hz")
    return problems
