# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_dataset propose_labels <folder>...` proposes sub-task labels and, with `--write`, keeps them.

Exit code: 0 done; 2 an episode could not be read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from humanoid_core.config import read_yaml
from humanoid_core.errors import HumanoidError
from humanoid_dataset.check import table
from humanoid_dataset.entries import folders
from humanoid_dataset.episode import Episode
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.proposals import Hand, Proposal, propose, together, write_proposals
from humanoid_dataset.results import workspace_file
from humanoid_dataset.robot import robot_facts

_QUIET = 1.0  # [s] at the beginning, in which nothing is held
_SMOOTH = 0.2  # [s] of force
_EVERY = 0.02  # [s] between samples that are looked at


def hands_of(episode: Episode) -> dict[str, Hand]:
    """What each hand did, at 50 Hz.

    Raises:
        EpisodeError: the episode tells neither robot nor joints.
    """
    facts = robot_facts(episode)
    states = episode.joints("joint_states")
    if facts.kinematics is None or len(states.stamps) < 2 or not facts.name:
        raise EpisodeError(f"{episode.name}: found no robot_description or joint states, expected both")
    data = read_yaml(workspace_file(f"robots/{facts.name}.yaml"))
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
    forces = np.array([[m.wrench.force.x, m.wrench.force.y, m.wrench.force.z] for m in episode.messages(topic)])
    if len(forces) < 2:
        return np.zeros(len(stamps))
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


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="propose_labels", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER", help="episode folders, or folders above them")
    parser.add_argument(
        "--write", action="store_true", help="put them into episode.yaml, in place of earlier proposals"
    )
    options = parser.parse_args(arguments)
    try:
        for folder in [folder for path in options.paths for folder in folders(path)]:
            found = proposals_of(Episode.open(folder))
            rows = [[f"{one.start:.2f}", f"{one.end:.2f}", one.label] for one in found]
            print(f"{folder.name}\n{table([['from s', 'to s', 'label'], *rows], right={0, 1})}\n")
            if options.write:
                write_proposals(folder, found)
    except HumanoidError as reason:
        print(f"propose_labels: {reason}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
