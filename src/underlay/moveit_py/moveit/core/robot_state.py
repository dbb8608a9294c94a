# SPDX-License-Identifier: Apache-2.0
"""RobotState: positions, velocities and accelerations of all joints, and where that puts the links."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pinocchio as pin
from geometry_msgs.msg import Pose

from moveit._poses import matrix, pose
from moveit.core.robot_model import JointModelGroup, RobotModel

_CLOSE = 1e-4  # [m and rad] an inverse-kinematics solution is exact to this


class RobotState:
    """State of a robot, all joints at their defaults: 0, or the middle of the range where 0 is outside.

    Args:
        robot_model: The model.
    """

    def __init__(self, robot_model: RobotModel) -> None:
        self.robot_model = robot_model
        count = robot_model._pin.nq
        self._q, self._v, self._a = np.zeros(count), np.zeros(count), np.zeros(count)
        self.set_to_default_values()

    @cached_property
    def _data(self) -> pin.Data:
        """Made when links are asked for: a trajectory has hundreds of states."""
        return self.robot_model._pin.createData()

    def __copy__(self) -> RobotState:
        other = RobotState(self.robot_model)
        other._q, other._v, other._a = self._q.copy(), self._v.copy(), self._a.copy()
        return other

    def __deepcopy__(self, memo: dict[int, object]) -> RobotState:
        return self.__copy__()

    def _group(self, name: str) -> JointModelGroup:
        group = self.robot_model.get_joint_model_group(name)
        if group is None:
            raise RuntimeError(f"Group '{name}' not found in model '{self.robot_model.name}'")
        return group

    # --- joints ---

    @property
    def joint_positions(self) -> dict[str, float]:
        values = {joint: float(self._q[i]) for joint, i in self.robot_model._index.items()}
        for joint, (leader, scale, offset) in self.robot_model._mimics.items():
            values[joint] = scale * values[leader] + offset
        return values

    @joint_positions.setter
    def joint_positions(self, values: Mapping[str, float]) -> None:
        for joint, value in values.items():
            if joint in self.robot_model._index:
                self._q[self.robot_model._index[joint]] = value

    def set_joint_group_positions(self, joint_model_group_name: str, position_values: np.ndarray) -> None:
        self._q[self._group(joint_model_group_name)._columns] = position_values

    def set_joint_group_active_positions(self, joint_model_group_name: str, position_values: np.ndarray) -> None:
        self.set_joint_group_positions(joint_model_group_name, position_values)

    def get_joint_group_positions(self, joint_model_group_name: str) -> np.ndarray:
        return self._q[self._group(joint_model_group_name)._columns]

    def set_joint_group_velocities(self, joint_model_group_name: str, velocity_values: np.ndarray) -> None:
        self._v[self._group(joint_model_group_name)._columns] = velocity_values

    def get_joint_group_velocities(self, joint_model_group_name: str) -> np.ndarray:
        return self._v[self._group(joint_model_group_name)._columns]

    def set_joint_group_accelerations(self, joint_model_group_name: str, acceleration_values: np.ndarray) -> None:
        self._a[self._group(joint_model_group_name)._columns] = acceleration_values

    def get_joint_group_accelerations(self, joint_model_group_name: str) -> np.ndarray:
        return self._a[self._group(joint_model_group_name)._columns]

    def set_to_default_values(
        self, joint_model_group_name: str | JointModelGroup | None = None, name: str | None = None
    ) -> bool:
        if joint_model_group_name is None or name is None:
            for joint, i in self.robot_model._index.items():
                bounds = self.robot_model._bounds[joint]
                inside = bounds.min_position <= 0.0 <= bounds.max_position
                self._q[i] = 0.0 if inside else 0.5 * (bounds.min_position + bounds.max_position)
            return True
        group = joint_model_group_name if isinstance(joint_model_group_name, str) else joint_model_group_name.name
        values = self.robot_model._states.get((group, name))
        if values is None:
            return False
        self.joint_positions = values
        return True

    def set_to_random_positions(self, joint_model_group: JointModelGroup | None = None) -> None:
        joints = joint_model_group.active_joint_model_names if joint_model_group else list(self.robot_model._index)
        for joint in joints:
            bounds = self.robot_model._bounds[joint]
            low, high = max(bounds.min_position, -np.pi), min(bounds.max_position, np.pi)
            self._q[self.robot_model._index[joint]] = np.random.uniform(low, high)

    # --- links ---

    def update(self, force: bool = False, type: str = "all") -> None:
        pin.forwardKinematics(self.robot_model._pin, self._data, self._q)
        pin.updateFramePlacements(self.robot_model._pin, self._data)

    def get_global_link_transform(self, link_name: str) -> np.ndarray:
        self.update()
        return np.array(self._data.oMf[self.robot_model._frame(link_name)].homogeneous)

    def get_frame_transform(self, frame_id: str) -> np.ndarray:
        if frame_id == self.robot_model.model_frame:
            return np.eye(4)
        return self.get_global_link_transform(frame_id)

    def get_pose(self, link_name: str) -> Pose:
        return pose(self.get_global_link_transform(link_name))

    def get_jacobian(
        self,
        joint_model_group_name: str,
        reference_point_position: np.ndarray,
        link_name: str | None = None,
        use_quaternion_representation: bool = False,
    ) -> np.ndarray:
        """Of a point (3,) [m] fixed to a link (the group's last one), in the model frame: linear rows first, (6, n)."""
        if use_quaternion_representation:
            raise NotImplementedError("moveit.core.robot_state: Jacobians of quaternions are left out of this stand-in")
        group = self._group(joint_model_group_name)
        link = link_name or group.link_model_names[-1]
        model = self.robot_model._pin
        pin.computeJointJacobians(model, self._data, self._q)
        pin.updateFramePlacements(model, self._data)
        frame = self.robot_model._frame(link)
        jacobian = pin.getFrameJacobian(model, self._data, frame, pin.LOCAL_WORLD_ALIGNED)
        arm = self._data.oMf[frame].rotation @ np.asarray(reference_point_position, dtype=float).reshape(3)
        columns = jacobian[:, group._columns]
        columns[:3] += np.cross(columns[3:].T, arm).T
        return columns

    def set_from_ik(
        self, joint_model_group_name: str, geometry_pose: Pose, tip_name: str, timeout: float = 0.0
    ) -> bool:
        """Levenberg-Marquardt from where the group stands, then from random places until the timeout [s].

        Source: Sugihara, "Solvability-unconcerned inverse kinematics by the Levenberg-Marquardt method", 2011.
        """
        group = self._group(joint_model_group_name)
        wanted, columns = pin.SE3(matrix(geometry_pose)), group._columns
        bounds = [entry[0] for entry in group.active_joint_model_bounds]
        low, high = np.array([b.min_position for b in bounds]), np.array([b.max_position for b in bounds])
        model, frame, given = self.robot_model._pin, self.robot_model._frame(tip_name), self._q.copy()
        end = time.perf_counter() + timeout
        while True:
            for _ in range(100):
                pin.computeJointJacobians(model, self._data, self._q)
                pin.updateFramePlacement(model, self._data, frame)
                error = pin.log6(self._data.oMf[frame].actInv(wanted)).vector
                if np.abs(error).max() < _CLOSE:
                    return True
                jacobian = pin.getFrameJacobian(model, self._data, frame, pin.LOCAL)[:, columns]
                damping = (0.5 * error @ error + 1e-6) * np.eye(len(columns))
                step = np.linalg.solve(jacobian.T @ jacobian + damping, jacobian.T @ error)
                self._q[columns] = np.clip(self._q[columns] + step, low, high)
            if time.perf_counter() >= end:
                self._q = given
                return False
            self.set_to_random_positions(group)
