# SPDX-License-Identifier: Apache-2.0
"""The physics of the twin: one robot in one scene, advanced one control period at a time, and what its sensors feel."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from humanoid_core.task import ObjectState
from humanoid_description import Robot
from humanoid_robots.events import Touch
from humanoid_robots.model import DRIVE_JOINTS, Base, build
from humanoid_robots.readings import BaseReading, ImuReading, JointReading, WrenchReading
from humanoid_robots.scene import Layout
from humanoid_robots.standing import Stance

_HIT = 10.0  # force of a contact that counts as a collision [N]


class Plant:
    """Robot and scene in MuJoCo.

    A period begins with `begin`: the first physics step, after which forces, accelerations and contacts are those of
    the period's first instant; then the sensors are read; `finish` does the remaining steps. All of one period's
    readings therefore belong to one instant, the one before its first step.

    Args:
        robot: The robot.
        layout: The scene.
        period: Control period [s].
        substeps: Physics steps in it.
        base: How the base is held.
    """

    def __init__(self, robot: Robot, layout: Layout, period: float, substeps: int, base: Base = "held") -> None:
        self.layout = layout
        self.period = period
        self.model, self.handles = build(robot, layout, period / substeps, base)
        self.data = mujoco.MjData(self.model)
        self._substeps = substeps
        self._robot = robot
        self._base_body = self.model.body(robot.config.base_frame).id
        self._fixed = tuple(layout.fixed_objects())
        self._parcels = [(parcel, self.model.body(parcel.name).id) for parcel in layout.parcels]
        self._owner = self._owners()
        self._parcel_geoms = np.array([name in {p.name for p in layout.parcels} for name, _ in self._owner], dtype=bool)
        self._robot_geoms = np.array([is_robot for _, is_robot in self._owner], dtype=bool)
        self._force = np.zeros(6)
        self._floor = self.model.geom("floor").id
        self._legs = self._moved_by(
            [joint for leg in ("left_leg", "right_leg") for joint in robot.config.groups.get(leg, ())]
        )
        handles = self.handles
        self.data.qpos[handles.qpos] = handles.home
        self.data.ctrl[handles.actuator] = handles.kp * handles.home
        for name, mimic in robot.mimics.items():
            start = mimic.offset + mimic.multiplier * robot.config.home.get(mimic.joint, 0.0)
            self.data.qpos[self.model.joint(name).qposadr] = start
        self._imus = {
            place: (
                self.model.body(imu.frame).id,
                int(self.model.sensor(f"imu/{place}/gyro").adr[0]),
                int(self.model.sensor(f"imu/{place}/accelerometer").adr[0]),
            )
            for place, imu in robot.config.imus.items()
        }
        self._drive = [self.model.actuator(name).id for name in DRIVE_JOINTS] if robot.config.drive else []
        mujoco.mj_forward(self.model, self.data)
        on_feet = base != "held" and robot.config.base == "biped"
        self._free = self.model.joint(robot.config.base_frame).dofadr[0] + np.arange(6) if on_feet else []
        self._stance = Stance(self.model, robot.config, period) if on_feet and base == "standing" else None
        self._qpos = self.data.qpos.copy()
        self._qvel = self.data.qvel.copy()

    # --- stepping ---

    def begin(self, position: np.ndarray, velocity: np.ndarray, effort: np.ndarray) -> None:
        """Apply set-points and do the first physics step of a period.

        Args:
            position: Of all joints (n,) [rad].
            velocity: (n,) [rad/s].
            effort: Added torque (n,) [N m].
        """
        handles = self.handles
        # The servos compensate gravity; the base has none, and MuJoCo would hold it up by magic.
        if len(self._free):
            self.data.qfrc_applied[self._free] = -self.data.qfrc_gravcomp[self._free]
        if self._stance is not None:
            effort = effort + self._stance.torques(self.data)[handles.dof]
        self.data.ctrl[handles.actuator] = handles.kp * position + handles.kd * velocity + effort
        self._qpos[:] = self.data.qpos
        self._qvel[:] = self.data.qvel
        mujoco.mj_step(self.model, self.data)

    def roll(self, pose: np.ndarray, twist: np.ndarray) -> None:
        """Take a wheeled base on its way: set-point x, y [m] and heading [rad] in odom (3,), and their rates (3,).

        Valid for the period that begins next.
        """
        stiffness, damping = -self.model.actuator_biasprm[self._drive, 1:3].T
        self.data.ctrl[self._drive] = stiffness * pose + damping * twist

    def wheel_places(self) -> dict[str, np.ndarray]:
        """Where the drive's joints stand in the base, at home (2,) [m]."""
        drive = self._robot.config.drive
        joints = drive.joints if drive is not None else ()
        base = self.model.body(self._base_body)
        home = mujoco.MjData(self.model)
        mujoco.mj_kinematics(self.model, home)
        return {joint: home.joint(joint).xanchor[:2] - home.body(base.id).xpos[:2] for joint in joints}

    def finish(self) -> None:
        """Do the rest of the period."""
        if self._substeps > 1:
            mujoco.mj_step(self.model, self.data, self._substeps - 1)

    def adopt(self, other: Plant) -> None:
        """Take the robot's positions and velocities from the same robot in another scene."""
        qpos, dof = self._state_of_robot()
        qpos_there, dof_there = other._state_of_robot()
        self.data.qpos[qpos] = other.data.qpos[qpos_there]
        self.data.qvel[dof] = other.data.qvel[dof_there]
        self.data.ctrl[:] = other.data.ctrl
        mujoco.mj_forward(self.model, self.data)

    # --- what the sensors feel: valid between begin and finish ---

    @property
    def configuration(self) -> np.ndarray:
        """Generalised positions at the period's first instant, all that is needed to draw the scene (nq,); a copy."""
        return self._qpos.copy()

    def joints(self, stamp: int) -> JointReading:
        """Joint positions, velocities and motor torques."""
        handles = self.handles
        effort = self.data.qfrc_actuator[handles.dof]
        return JointReading(stamp, self._qpos[handles.qpos], self._qvel[handles.dof], effort)

    def imu(self, place: str, stamp: int) -> ImuReading:
        """An IMU."""
        body, gyro, accelerometer = self._imus[place]
        rate, force = self.data.sensordata[gyro : gyro + 3], self.data.sensordata[accelerometer : accelerometer + 3]
        if self.model.body_weldid[body] == 0:  # MuJoCo works out no accelerations for what stands fast
            force = -self.model.opt.gravity @ self.data.xmat[body].reshape(3, 3)
        return ImuReading(stamp, place, _xyzw(self.data.xquat[body]), rate.copy(), force.copy())

    def wrench(self, place: str, stamp: int) -> WrenchReading:
        """A wrench sensor."""
        # MuJoCo gives what the arm side exerts on the hand side.
        force = -self.data.sensor(f"wrench/{place}/force").data
        return WrenchReading(stamp, place, force, -self.data.sensor(f"wrench/{place}/torque").data)

    def base(self, stamp: int) -> BaseReading:
        """The base in odom."""
        velocity = np.zeros(6)
        mujoco.mj_objectVelocity(self.model, self.data, mujoco.mjtObj.mjOBJ_XBODY, self._base_body, velocity, 1)
        body = self.data.body(self._base_body)
        return BaseReading(stamp, body.xpos.copy(), _xyzw(body.xquat), velocity[3:], velocity[:3])

    def objects(self) -> tuple[ObjectState, ...]:
        """All objects of the scene."""
        moving = tuple(
            ObjectState(
                parcel.name,
                "parcel",
                self.data.xpos[body].copy(),
                _xyzw(self.data.xquat[body]),
                parcel.size,
                parcel.goal,
            )
            for parcel, body in self._parcels
        )
        return moving + self._fixed

    def touch(self) -> Touch:
        """What the robot touches."""
        held, collisions = set(), set()
        geoms = self.data.contact.geom[: self.data.ncon]
        for i in np.flatnonzero(self._robot_geoms[geoms].any(axis=1)):
            first, second = (int(geom) for geom in geoms[i])
            if not self._robot_geoms[first]:
                first, second = second, first
            mujoco.mj_contactForce(self.model, self.data, int(i), self._force)
            if self._force[0] <= 0.0:
                continue
            if self._parcel_geoms[second]:
                held.add(self._owner[second][0])
            elif self._force[0] > _HIT and not (second == self._floor and self._legs[first]):
                collisions.add((self._owner[first][0], self._owner[second][0]))
        return Touch(frozenset(held), frozenset(collisions))

    def _moved_by(self, joints: Sequence[str]) -> np.ndarray:
        """Which geoms hang on one of these joints (ngeom,)."""
        moved = {int(self.model.joint(joint).bodyid[0]) for joint in joints}
        for body in range(1, self.model.nbody):  # parents come first
            if int(self.model.body_parentid[body]) in moved:
                moved.add(body)
        return np.isin(self.model.geom_bodyid, list(moved))

    def _state_of_robot(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices in qpos and qvel of everything that is not a parcel's."""
        loose = {parcel.name for parcel, _ in self._parcels}
        qpos, dof = [np.zeros(0, dtype=int)], [np.zeros(0, dtype=int)]
        for i in range(self.model.njnt):
            joint = self.model.joint(i)
            if joint.name not in loose:
                qpos.append(joint.qposadr[0] + np.arange(7 if joint.type[0] == mujoco.mjtJoint.mjJNT_FREE else 1))
                dof.append(joint.dofadr[0] + np.arange(6 if joint.type[0] == mujoco.mjtJoint.mjJNT_FREE else 1))
        return np.concatenate(qpos), np.concatenate(dof)

    def _owners(self) -> list[tuple[str, bool]]:
        """For each geom: the name of its body, and whether it is the robot's."""
        model = self.model
        robot = {self._base_body}
        for body in range(model.nbody):  # parents come first
            if int(model.body_parentid[body]) in robot:
                robot.add(body)
        bodies = [int(body) for body in model.geom_bodyid]
        return [(model.body(body).name, body in robot) for body in bodies]


def _xyzw(quaternion_wxyz: np.ndarray) -> np.ndarray:
    return quaternion_wxyz[[1, 2, 3, 0]]
