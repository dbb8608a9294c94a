# SPDX-License-Identifier: Apache-2.0
"""A biped on its own feet: what the twin has in place of the maker's balance controller. It stands and never steps."""

from __future__ import annotations

import mujoco
import numpy as np

from humanoid_description import RobotConfig
from humanoid_robots.errors import ModelError

# Where the ground's push should meet the soles, from where the centre of mass is and how fast it goes, both against
# rest: beyond the centre of mass, so that it is pushed back. Gain over distance [1], and time over the fall time
# sqrt(z/g) [1].
_DISTANCE, _SPEED = 2.0, 1.6
_SMOOTH = 0.02  # time constant of the velocity of the centre of mass [s]
_SOLE = 0.7  # share of a foot's length and width that the push may use


class Stance:
    """Torques of the legs that carry the robot and keep its centre of mass over its feet.

    The legs' servos hold the home pose. To that come the torques that push with the robot's weight on the ground, at a
    point of the soles that leads the centre of mass back to where it was at rest (the ankle strategy; Kajita et al.,
    "Introduction to Humanoid Robotics", 2014, chapter 3): tau = -J^T f for each foot.

    Args:
        model: The compiled model; the base has a free joint.
        config: The robot's.
        period: Between two calls [s].

    Raises:
        ModelError: the robot has no two legs.
    """

    def __init__(self, model: mujoco.MjModel, config: RobotConfig, period: float) -> None:
        self._model = model
        self._trunk = model.body(config.base_frame).id
        legs = [config.groups.get(f"{side}_leg", ()) for side in ("left", "right")]
        if not all(legs):
            raise ModelError(f"{config.name} has no two legs to stand on")
        self._feet = [int(model.joint(leg[-1]).bodyid[0]) for leg in legs]
        zero = mujoco.MjData(model)
        mujoco.mj_kinematics(model, zero)
        # Feet as seen in axes that are the world's while all joints are at 0: makers turn their links as they like.
        self._foot_from_upright = [zero.xmat[foot].reshape(3, 3).T.copy() for foot in self._feet]
        self._soles = [_sole(model, zero, foot) for foot in self._feet]
        self._weight = float(model.body_subtreemass[self._trunk]) * -model.opt.gravity[2]
        self._period = period
        self._rest: np.ndarray | None = None  # of the centre of mass against the middle of the feet (2,) [m]
        self._last = np.zeros(2)
        self._velocity = np.zeros(2)
        self._jacobian = np.zeros((3, model.nv))

    def torques(self, data: mujoco.MjData) -> np.ndarray:
        """Of all degrees of freedom (nv,) [N m], to be added to the legs' servos."""
        middle = 0.5 * (data.xpos[self._feet[0]] + data.xpos[self._feet[1]])
        center = data.subtree_com[self._trunk]
        away = (center - middle)[:2]
        if self._rest is None:
            self._rest, self._last = away.copy(), away.copy()
        share = min(1.0, self._period / _SMOOTH)
        self._velocity += share * ((away - self._last) / self._period - self._velocity)
        self._last = away
        fall_time = np.sqrt(max(center[2] - middle[2], 0.1) / 9.81)
        lead = _DISTANCE * (away - self._rest) + _SPEED * fall_time * self._velocity
        push = middle[:2] + self._rest + lead
        feet = [data.xmat[foot].reshape(3, 3) @ turned for foot, turned in zip(self._feet, self._foot_from_upright)]
        places = [data.xpos[foot] + turn @ sole[0] for foot, turn, sole in zip(self._feet, feet, self._soles)]
        across = places[0][:2] - places[1][:2]
        left = float(np.clip((push - places[1][:2]) @ across / (across @ across), 0.0, 1.0))
        torques = np.zeros(self._model.nv)
        for foot, turn, sole, place, part in zip(self._feet, feet, self._soles, places, (left, 1.0 - left)):
            wanted = np.array((*(push + (part - 1.0 if foot == self._feet[0] else 1.0 - part) * across), place[2]))
            local = np.clip(turn.T @ (wanted - place), -_SOLE * sole[1], _SOLE * sole[1])
            point = place + turn @ (local * (1.0, 1.0, 0.0))
            mujoco.mj_jac(self._model, data, self._jacobian, None, point, foot)
            torques -= part * self._weight * self._jacobian[2]
        return torques


def _sole(model: mujoco.MjModel, data: mujoco.MjData, foot: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle of a foot's lowest side, from its frame, and half its extent, in the world's axes (3,) each [m]."""
    corners = []
    for geom in np.flatnonzero((model.geom_bodyid == foot) & (model.geom_contype != 0)):
        middle, half = model.geom_aabb[geom].reshape(2, 3)
        signs = np.array(np.meshgrid(*[(-1.0, 1.0)] * 3)).reshape(3, -1)
        box = middle[:, None] + half[:, None] * signs
        corners.append(data.geom_xpos[geom][:, None] + data.geom_xmat[geom].reshape(3, 3) @ box)
    local = np.concatenate(corners, axis=1) - data.xpos[foot][:, None]
    low, high = local.min(axis=1), local.max(axis=1)
    return np.array((*(0.5 * (low + high))[:2], low[2])), 0.5 * (high - low)
