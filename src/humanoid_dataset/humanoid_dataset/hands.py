# SPDX-License-Identifier: Apache-2.0
"""What hands did, taken from an episode: its joints, its kinematics, and the forces at its wrists."""

from __future__ import annotations

import numpy as np

from humanoid_dataset.episode import Episode
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.proposals import Hand, Proposal, propose, together
from humanoid_dataset.results import workspace_file
from humanoid_dataset.robot import read_robot, robot_facts

_QUIET = 1.0  # [s] at the beginning, in which nothing is held
_SMOOTH = 0.2  # [s] of force
_EVERY = 0.02  # [s] between samples that are looked at


def hands_of(episode: Episode) -> dict[str, Hand]:
    """What each hand did, at 50 Hz.

    Raises:
        EpisodeError: the episode tells neither robot nor joints.
    """
    return episode.once("hands", lambda: _hands(episode))


def _hands(episode: Episode) -> dict[str, Hand]:
    facts = robot_facts(episode)
    states = episode.joints("joint_states")
    if facts.kinematics is None or len(states.stamps) < 2 or not facts.name:
        raise EpisodeError(f"{episode.name}: found no robot_description or joint states, expected both")
    data = read_robot(workspace_file(f"robots/{facts.name}.yaml"))
    start = int(episode.sidecar.get("start_ns", states.stamps[0]))
    period = float(np.median(np.diff(states.stamps))) * 1e-9
    rows = slice(None, None, max(1, round(_EVERY / period)))
    found = {}
    for side, frame in facts.wrists.items():
        group = (data.get("hands") or {}).get(side, {}).get("group")
        fingers = [name for name in data["groups"].get(group, []) if name in states.names]
        where, _ = facts.kinematics.pose(frame, states.names, states.position[rows])
        columns = [states.column(name) for name in fingers]
        stamps = states.stamps[rows]
        force = _force(episode, f"wrench/{side}_wrist", stamps)
        found[side] = Hand((stamps - start) * 1e-9, states.position[rows][:, columns], where, force)
    return found


def _force(episode: Episode, topic: str, stamps: np.ndarray) -> np.ndarray:
    """Change of the force since the beginning, smoothed, at some stamps [N]; zero where it was not measured."""
    tables = episode.columns(topic)
    if not tables or len(episode.streams[topic]) < 2:
        return np.zeros(len(stamps))
    forces = np.zeros((len(episode.streams[topic]), 3))
    for part in tables:
        forces[part.index] = np.stack([part.column(f"wrench.force.{axis}") for axis in "xyz"], axis=1)
    times = episode.streams[topic].stamps
    quiet = times <= times[0] + round(_QUIET * 1e9)
    change = np.linalg.norm(forces - np.median(forces[quiet], axis=0), axis=1)
    width = max(1, round(_SMOOTH / max(float(np.median(np.diff(times))) * 1e-9, 1e-4)))
    return np.interp(stamps, times, np.convolve(change, np.ones(width) / width, mode="same"))


def proposals_of(episode: Episode) -> list[Proposal]:
    """Sub-tasks of both hands in order: one sequence where both hold one thing, else one for each hand."""
    hands = hands_of(episode)
    joined = together(*hands.values()) if len(hands) == 2 else None
    both = [one for hand in ([joined] if joined else hands.values()) for one in propose(hand)]
    return sorted(both, key=lambda one: one.start)
