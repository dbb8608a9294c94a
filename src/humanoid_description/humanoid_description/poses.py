# SPDX-License-Identifier: Apache-2.0
"""Poses that every robot can be shown in, computed from its model: both arms stretched along given directions."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from scipy.optimize import least_squares

from humanoid_description.robot import Arm, Robot

# What a pose owes to: the limbs' directions, the hand's, its back's, and the home pose where nothing else decides.
_WEIGHTS = (1.0, 0.3, 0.2, 0.02)


def named(robot: Robot) -> dict[str, np.ndarray]:
    """The poses of the picture sheet by name, each (nq,) [rad]: home, T (arms sideways, palms down) and reach (arms
    forward, palms facing each other). Arms that cannot get there come as near as their limits let them."""
    return {
        "home": robot.home(),
        "T": _stretched(robot, {"left": (0.0, 1.0, 0.0), "right": (0.0, -1.0, 0.0)}, back="up"),
        "reach": _stretched(robot, {"left": (1.0, 0.0, 0.0), "right": (1.0, 0.0, 0.0)}, back="out"),
    }


def _stretched(robot: Robot, along: dict[str, tuple[float, float, float]], back: str) -> np.ndarray:
    q = robot.home()
    for side in robot.config.operator.arms:
        outwards = np.array((0.0, 1.0 if side == "left" else -1.0, 0.0))
        up = np.array((0.0, 0.0, 1.0))
        q = pointing(robot, q, side, np.array(along[side]), up if back == "up" else outwards)
    return q


def pointing(robot: Robot, q: np.ndarray, side: str, direction: np.ndarray, back: np.ndarray) -> np.ndarray:
    """A configuration whose arm points somewhere, inside its limits; least squares from three starts.

    Args:
        robot: The robot.
        q: Where all other joints stand (nq,).
        side: Which arm.
        direction: Of upper arm, forearm and hand in the torso's frame, unit (3,).
        back: Of the back of the hand in the torso's frame, unit (3,).

    Returns:
        q with the arm's joints replaced, (nq,).
    """
    arm, model = robot.arm(side), robot.pinocchio()
    data, index, limits = model.createData(), robot.index(arm.joints), robot.limits(arm.joints)
    frames = [robot.frame_id(name) for name in (arm.torso_frame, arm.elbow_frame, arm.wrist_frame)]
    rest = np.clip(robot.home()[index], limits.lower, limits.upper)

    def residuals(positions: np.ndarray) -> np.ndarray:
        trial = q.copy()
        trial[index] = positions
        pin.framesForwardKinematics(model, data, trial)
        return _misses(arm, [data.oMf[frame] for frame in frames], direction, back, positions - rest)

    middle = 0.5 * (limits.lower + limits.upper)
    starts = [rest, np.clip(np.zeros(len(index)), limits.lower, limits.upper), middle]
    solutions = [least_squares(residuals, start, bounds=(limits.lower, limits.upper)) for start in starts]
    found = q.copy()
    found[index] = min(solutions, key=lambda solution: float(solution.cost)).x
    return found


def _misses(
    arm: Arm, placements: list[pin.SE3], direction: np.ndarray, back: np.ndarray, away: np.ndarray
) -> np.ndarray:
    """Weighted errors of a pose: of both limbs, the hand and its back, and the distance from the home pose."""
    torso, elbow, wrist = placements
    bend = torso.actInv(elbow.translation)
    upper = (bend - arm.shoulder) / arm.upper_length
    fore = (torso.actInv(wrist.translation) - bend) / arm.fore_length
    hand = torso.rotation.T @ wrist.rotation @ arm.wrist_from_operator
    limb, along, palm, still = _WEIGHTS
    return np.concatenate(
        [
            limb * (upper - direction),
            limb * (fore - direction),
            along * (hand[:, 0] - direction),
            palm * (hand[:, 2] - back),
            still * away,
        ]
    )
