# SPDX-License-Identifier: Apache-2.0
"""Stick figures of a person and of the robot that follows."""

from __future__ import annotations

import matplotlib
import numpy as np
import pinocchio as pin

from humanoid_core import rotations
from humanoid_description import Robot
from humanoid_teleop.calibration import about_z, yaw
from humanoid_teleop.motion import OperatorMotion
from humanoid_teleop.offline import Retargeted
from humanoid_teleop.operator import LOST, PART_INDEX, SIDES

matplotlib.use("Agg")
from matplotlib import pyplot as plt

_PERSON = [
    ("head", "torso"),
    ("torso", "pelvis"),
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in SIDES
        for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "foot"))
    ),
    *(("torso", f"{side}_shoulder") for side in SIDES),
    *(("pelvis", f"{side}_hip") for side in SIDES),
]
_COLOURS = {"left": "tab:blue", "right": "tab:red", "middle": "0.3"}


def side_by_side(person: OperatorMotion, robot: Robot, result: Retargeted, file: str, columns: int = 8) -> None:
    """Draw both at evenly spread times: the person above, seen from the front, the robot below at the same
    instants.

    Args:
        person: The clip.
        robot: The robot.
        result: Its motion.
        file: Picture to write.
        columns: How many instants.
    """
    model = robot.pinocchio()
    data = model.createData()
    index = robot.index(result.joints)
    figure, axes = plt.subplots(2, columns, figsize=(2.1 * columns, 7.5))
    ticks = np.flatnonzero(result.moving)
    for column, tick in enumerate(ticks[np.linspace(0, len(ticks) - 1, columns).astype(int)]):
        frame = person.at(result.clip_time[tick], 0, 0, False)
        upper, lower = axes[0, column], axes[1, column]
        pelvis = frame.position("pelvis") * (1, 1, 0)
        facing = rotations.matrix(about_z(-yaw(frame.rotation("pelvis"))))
        for a, b in _PERSON:
            if frame.validity[PART_INDEX[a]] != LOST and frame.validity[PART_INDEX[b]] != LOST:
                _line(upper, facing @ (frame.position(a) - pelvis), facing @ (frame.position(b) - pelvis), _side(b))
        for side in SIDES:
            turn = facing @ rotations.matrix(frame.rotation(f"{side}_wrist"))
            _hand(upper, facing @ (frame.position(f"{side}_wrist") - pelvis), turn, 0.12)
        upper.set_title(f"{result.clip_time[tick]:.1f} s", fontsize=9)

        q = robot.home()
        q[index] = result.position[tick]
        pin.framesForwardKinematics(model, data, q)
        for joint in range(2, model.njoints):
            name = model.names[joint]
            if not any(
                name in hand
                for hand in (robot.config.groups.get(hand.group, ()) for hand in robot.config.hands.values())
            ):
                _line(lower, data.oMi[model.parents[joint]].translation, data.oMi[joint].translation, _side(name))
        torso = data.oMf[robot.frame_id(robot.config.operator.torso_frame)].translation
        gaze = data.oMf[robot.frame_id(robot.config.operator.head_frame)].translation
        _line(lower, torso, gaze, "middle")
        for side in SIDES:
            arm = robot.config.operator.arms[side]
            wrist = data.oMf[robot.frame_id(arm.wrist_frame)]
            _hand(lower, wrist.translation, wrist.rotation @ arm.wrist_from_operator, 0.1)
    for row, (low, high) in enumerate(((0.0, 1.9), (-0.8, 0.7))):
        for axis in axes[row]:
            axis.set(xlim=(-0.8, 0.8) if row == 0 else (-0.6, 0.6), ylim=(low, high), aspect="equal")
            axis.set_axis_off()
    figure.suptitle(
        f"{person.source} and {robot.config.title}: blue left, red right; black fingers, green back of the hand"
    )
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    plt.close(figure)


def _project(point: np.ndarray) -> tuple[float, float]:
    """Seen from the front, a little from the person's left and from above."""
    return float(point[1] + 0.35 * point[0]), float(point[2] - 0.2 * point[0])


def _line(axis: plt.Axes, a: np.ndarray, b: np.ndarray, colour: str, width: float = 3.0) -> None:
    (x1, y1), (x2, y2) = _project(a), _project(b)
    axis.plot([x1, x2], [y1, y2], color=_COLOURS.get(colour, colour), linewidth=width, solid_capstyle="round")


def _hand(axis: plt.Axes, wrist: np.ndarray, rotation: np.ndarray, length: float) -> None:
    _line(axis, wrist, wrist + length * rotation[:, 0], "black", 2.0)
    _line(axis, wrist, wrist + 0.6 * length * rotation[:, 2], "tab:green", 2.0)


def _side(name: str) -> str:
    return next((side for side in SIDES if name.startswith(side)), "middle")
