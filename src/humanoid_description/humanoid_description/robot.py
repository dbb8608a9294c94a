# SPDX-License-Identifier: Apache-2.0
"""A robot: its configuration, its model files, and the models made from them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pinocchio as pin

from humanoid_core import config as core_config
from humanoid_core.errors import ConfigError
from humanoid_description import meshes, shapes, sources
from humanoid_description.completion import completed
from humanoid_description.config import RobotConfig
from humanoid_description.errors import DescriptionError, child
from humanoid_description.srdf import Srdf, pair, parse

MANY_TURNS = 1e5  # range of a continuous joint [rad]


@dataclass(frozen=True)
class JointLimits:
    """Limits of some joints, each (n,): [rad], [rad/s], [rad/s2], [rad/s3], [Nm]. lower and upper keep the margin.

    Of prismatic joints: m in place of rad, N in place of Nm.
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    torque: np.ndarray


@dataclass(frozen=True)
class Mimic:
    """A joint that follows `joint`: it stands at multiplier * position + offset [rad or m]."""

    joint: str
    multiplier: float
    offset: float


@dataclass(frozen=True)
class Arm:
    """An arm as a person's arm is measured, derived from the model.

    Attributes:
        side: "left" or "right".
        joints: From shoulder to wrist.
        torso_frame: Frame of shoulder.
        shoulder: Point closest to the axes of the shoulder joints, in torso_frame at zero, (3,) [m].
        elbow_frame: Link that the elbow joint moves; its origin is the elbow.
        upper_length: Shoulder to elbow at zero [m].
        fore_length: Elbow to wrist at zero [m].
        wrist_frame: Frame that follows the operator's wrist.
        wrist_from_operator: Rotation from the operator's wrist axes (x along the fingers, z out of the back of the
            hand) to wrist_frame, (3, 3).
    """

    side: str
    joints: tuple[str, ...]
    torso_frame: str
    shoulder: np.ndarray
    elbow_frame: str
    upper_length: float
    fore_length: float
    wrist_frame: str
    wrist_from_operator: np.ndarray

    @property
    def length(self) -> float:
        """Shoulder to wrist, stretched [m]."""
        return self.upper_length + self.fore_length


@dataclass(frozen=True)
class Robot:
    """A robot model.

    Attributes:
        config: Contents of config/robots/<robot>.yaml.
        urdf: URDF text, xacro expanded.
        srdf: SRDF text.
        config_path: Where the configuration was read.
        srdf_path: Where the SRDF was read.
    """

    config: RobotConfig
    urdf: str
    srdf: str
    config_path: Path
    srdf_path: Path

    # --- models ---

    def pinocchio(self, joints: Iterable[str] | None = None) -> pin.Model:
        """A new pinocchio model, the base fixed; callers may change it. The base's own mass is in `inertias[0]`.

        Joints that mimic others follow them and have no place of their own in q; a continuous joint is a hinge that may
        turn many times, so that every joint has one number in q and one in v.

        Args:
            joints: Only these move, and what mimics them; all others stay as at home. None: all of them.

        Raises:
            DescriptionError: the model has no such joint.
        """
        if joints is None:
            return self._model.copy()
        kept = set(joints)
        self.index(kept)
        kept |= {joint for joint, mimic in self.mimics.items() if mimic.joint in kept}
        locked = [i for i, name in enumerate(self._model.names) if i and name not in kept]
        return pin.buildReducedModel(self._model, locked, self.home())

    def geometry(self) -> pin.GeometryModel:
        """A new collision model: primitives (capsules put together again) and the pairs that the SRDF leaves to check.

        Objects are named `<link>_<n>`.
        """
        geometry = pin.GeometryModel()
        model = self._model
        counts: dict[str, int] = {}
        links: list[str] = []
        for shape in shapes.collision_shapes(self.urdf):
            frame = model.frames[model.getFrameId(shape.link, pin.BODY)]
            pose = frame.placement * pin.SE3(shape.link_from_shape)
            number = counts[shape.link] = counts.get(shape.link, -1) + 1
            geometry.addGeometryObject(
                pin.GeometryObject(f"{shape.link}_{number}", frame.parentJoint, pose, shape.coal())
            )
            links.append(shape.link)
        disabled = self.semantics.disabled
        objects = geometry.geometryObjects
        for first in range(len(links)):
            for second in range(first + 1, len(links)):
                same_body = objects[first].parentJoint == objects[second].parentJoint
                if not same_body and pair(links[first], links[second]) not in disabled:
                    geometry.addCollisionPair(pin.CollisionPair(first, second))
        return geometry

    @cached_property
    def semantics(self) -> Srdf:
        """The SRDF, read."""
        return parse(self.srdf, self.srdf_path)

    @cached_property
    def _model(self) -> pin.Model:
        try:
            return pin.buildModelFromXML(_with_hinges_for_continuous(self.urdf), mimic=True)
        except (ValueError, RuntimeError) as error:
            raise DescriptionError(self.config.description.xacro, error, "a URDF that pinocchio reads") from error

    # --- joints ---

    @property
    def joints(self) -> tuple[str, ...]:
        """All joints that move by themselves, in pinocchio's order (that of q); not those that mimic others."""
        return tuple(
            name for name, joint in zip(self._model.names, self._model.joints) if joint.nq and joint.idx_q >= 0
        )

    @cached_property
    def mimics(self) -> dict[str, Mimic]:
        """Joints that follow another one, by name."""
        return {
            joint.attrib["name"]: Mimic(
                tag.attrib["joint"], float(tag.get("multiplier", "1")), float(tag.get("offset", "0"))
            )
            for joint in ElementTree.fromstring(self.urdf).findall("joint")
            for tag in joint.findall("mimic")
        }

    def group(self, *names: str) -> tuple[str, ...]:
        """Joints of some groups of the configuration, in order."""
        return tuple(joint for name in names for joint in self.config.groups[name])

    def index(self, joints: Iterable[str]) -> np.ndarray:
        """Where joints stand in q, (n,).

        Raises:
            DescriptionError: the model has no such joint.
        """
        place = {name: i for i, name in enumerate(self.joints)}
        unknown = [joint for joint in joints if joint not in place]
        if unknown:
            raise DescriptionError(self.config.name, f"joint {unknown[0]}", f"one of {', '.join(place)}")
        return np.array([place[joint] for joint in joints], dtype=int)

    def q(self, positions: Mapping[str, float]) -> np.ndarray:
        """Configuration with the named joints at the given positions and all others at 0, (nq,) [rad]."""
        q = np.zeros(self._model.nq)
        q[self.index(list(positions))] = list(positions.values())
        return q

    def home(self) -> np.ndarray:
        """The home pose, (nq,) [rad]."""
        return self.q(self.config.home)

    def limits(self, joints: Iterable[str]) -> JointLimits:
        """Limits of joints: the URDF's ranges less the margin; the rest from the configuration, capped by the URDF."""
        names = list(joints)
        index = self.index(names)
        model, entries = self._model, [self.config.joints[name] for name in names]
        margin = np.array([entry.margin for entry in entries])
        return JointLimits(
            lower=model.lowerPositionLimit[index] + margin,
            upper=model.upperPositionLimit[index] - margin,
            velocity=np.minimum([entry.velocity for entry in entries], model.velocityLimit[index]),
            acceleration=np.array([entry.acceleration for entry in entries]),
            jerk=np.array([entry.jerk for entry in entries]),
            torque=np.minimum([entry.torque for entry in entries], model.effortLimit[index]),
        )

    # --- the operator's arm on the robot ---

    def arm(self, side: str) -> Arm:
        """The arm of a side, measured on the model at zero.

        Raises:
            ConfigError: the configuration has no such arm.
        """
        if side not in self.config.operator.arms:
            known = ", ".join(self.config.operator.arms) or "no arms"
            raise ConfigError(self.config_path, f"operator.arms.{side}", "nothing", f"one of {known}")
        entry = self.config.operator.arms[side]
        model = self._model
        data = model.createData()
        pin.computeJointJacobians(model, data, np.zeros(model.nq))
        pin.updateFramePlacements(model, data)
        torso = data.oMf[self.frame_id(self.config.operator.torso_frame)]
        shoulder = _meeting_point([_axis(model, data, self._joint_id(joint)) for joint in entry.shoulder_joints])
        elbow = data.oMi[self._joint_id(entry.elbow_joint)].translation
        wrist = data.oMf[self.frame_id(entry.wrist_frame)].translation
        return Arm(
            side=side,
            joints=self.config.groups[entry.group],
            torso_frame=self.config.operator.torso_frame,
            shoulder=torso.actInv(shoulder),
            elbow_frame=self._child_link(entry.elbow_joint),
            upper_length=float(np.linalg.norm(elbow - shoulder)),
            fore_length=float(np.linalg.norm(wrist - elbow)),
            wrist_frame=entry.wrist_frame,
            wrist_from_operator=entry.wrist_from_operator,
        )

    def frame_id(self, frame: str) -> int:
        """Number of a link's frame in the pinocchio model.

        Raises:
            DescriptionError: the model has no such link.
        """
        if not self._model.existFrame(frame, pin.BODY):
            raise DescriptionError(self.config.name, f"no link {frame}", "a link of the URDF")
        return int(self._model.getFrameId(frame, pin.BODY))

    def _joint_id(self, joint: str) -> int:
        if not self._model.existJointName(joint):
            raise DescriptionError(self.config.name, f"no joint {joint}", f"one of {', '.join(self.joints)}")
        return int(self._model.getJointId(joint))

    def _child_link(self, joint: str) -> str:
        parent = self._joint_id(joint)
        frames = self._model.frames
        return next(str(f.name) for f in frames if f.type == pin.BODY and f.parentJoint == parent)


def load(robot_config_path: str | Path, urdf: str | Path = "") -> Robot:
    """Read a robot.

    Args:
        robot_config_path: config/robots/<robot>.yaml.
        urdf: A URDF or xacro file in place of the configuration's, such as the maker's own with meshes: a path, or
            `package://<package>/<path>`. It is completed by our frames and collision primitives.

    Raises:
        ConfigError: the configuration or a file it names is missing or wrong.
        DescriptionError: the model is.
    """
    path = Path(robot_config_path)
    config = core_config.load(RobotConfig, path)
    theirs = None
    if urdf:
        file = sources.find_file(urdf)
        theirs = meshes.anchored(sources.expand(file), file.parent)
    own = sources.expand(sources.find_model(config.description.xacro, path), config.description.arguments)
    srdf_path = sources.find_model(config.description.srdf, path)
    robot = Robot(
        config=config,
        urdf=own if theirs is None else completed(theirs, own, urdf),
        srdf=srdf_path.read_text(encoding="utf-8"),
        config_path=path,
        srdf_path=srdf_path,
    )
    missing = [joint for joint in config.joints if joint not in robot.joints]
    if missing:
        raise ConfigError(
            path, f"joints.{missing[0]}", "a joint that the URDF lacks", f"one of {', '.join(robot.joints)}"
        )
    return robot


def _with_hinges_for_continuous(urdf: str) -> str:
    """URDF text in which continuous joints are revolute with a range of many turns: pinocchio gives them one number."""
    if "continuous" not in urdf:
        return urdf
    root = ElementTree.fromstring(urdf)
    for joint in root.findall("joint"):
        if joint.attrib["type"] == "continuous":
            joint.set("type", "revolute")
            child(joint, "limit").attrib.update(lower=str(-MANY_TURNS), upper=str(MANY_TURNS))
    return ElementTree.tostring(root, encoding="unicode")


def _axis(model: pin.Model, data: pin.Data, joint: int) -> tuple[np.ndarray, np.ndarray]:
    """A point on the axis of a revolute joint and the axis, both in the base frame; Jacobians must be computed."""
    columns = pin.getJointJacobian(model, data, joint, pin.LOCAL_WORLD_ALIGNED)
    return data.oMi[joint].translation, columns[3:, model.joints[joint].idx_v]


def _meeting_point(lines: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Point with the smallest sum of squared distances from lines given as (point, unit direction), (3,)."""
    left, right = np.zeros((3, 3)), np.zeros(3)
    for point, direction in lines:
        across = np.eye(3) - np.outer(direction, direction)
        left += across
        right += across @ point
    return np.linalg.solve(left, right)
