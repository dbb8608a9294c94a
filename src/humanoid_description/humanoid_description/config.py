# SPDX-License-Identifier: Apache-2.0
"""What config/robots/<robot>.yaml holds, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from humanoid_description.sensors import Camera, ForceTorque, Imu, Lidar, Microphone, TactilePad

SIDES = ("left", "right")


@dataclass(frozen=True)
class Description:
    """Model files, relative to the share folder of humanoid_description (or absolute).

    Attributes:
        xacro: Top xacro (or URDF) file.
        srdf: SRDF file.
        arguments: xacro arguments.
    """

    xacro: str
    srdf: str
    arguments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Joint:
    """Limits that the safety limiter and the retargeting keep, and the gains of the joint's position controller.

    Of a prismatic joint: m in place of rad, N in place of Nm.

    Attributes:
        velocity: [rad/s].
        acceleration: [rad/s2].
        jerk: [rad/s3].
        margin: Kept clear of both ends of the URDF's range [rad].
        torque: [Nm].
        kp: Position gain [Nm/rad].
        kd: Velocity gain [Nm s/rad].
    """

    velocity: float
    acceleration: float
    jerk: float
    margin: float
    torque: float
    kp: float
    kd: float

    def __post_init__(self) -> None:
        for name in ("velocity", "acceleration", "jerk", "torque"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} {getattr(self, name)}: must be above 0")
        for name in ("margin", "kp", "kd"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} {getattr(self, name)}: must not be below 0")


@dataclass(frozen=True)
class OperatorArm:
    """How one arm follows one of the operator's.

    Attributes:
        group: The arm's joints.
        wrist_frame: Robot frame that follows the operator's wrist.
        fingers_axis: Unit vector in wrist_frame along the straight fingers: the operator wrist's x.
        back_axis: Unit vector in wrist_frame out of the back of the hand: the operator wrist's z.
        shoulder_joints: Joints whose axes meet in the shoulder.
        elbow_joint: Joint in the elbow.
    """

    group: str
    wrist_frame: str
    fingers_axis: np.ndarray
    back_axis: np.ndarray
    shoulder_joints: tuple[str, ...]
    elbow_joint: str

    def __post_init__(self) -> None:
        for name in ("fingers_axis", "back_axis"):
            axis = getattr(self, name)
            if axis.shape != (3,) or abs(np.linalg.norm(axis) - 1.0) > 1e-6:
                raise ValueError(f"{name} {axis.tolist()}: must be a unit vector of 3")
        if abs(self.fingers_axis @ self.back_axis) > 1e-6:
            raise ValueError("fingers_axis and back_axis must be at right angles")

    @property
    def wrist_from_operator(self) -> np.ndarray:
        """Rotation from the operator's wrist axes to wrist_frame, (3, 3)."""
        x, z = self.fingers_axis, self.back_axis
        return np.column_stack([x, np.cross(z, x), z])


@dataclass(frozen=True)
class Lift:
    """Joints of the torso that raise and lower it, moved together and by themselves: the arms' retargeting leaves them.

    On the way between the two ends all joints move in proportion.

    Attributes:
        low: Their positions at the lowest height [rad or m].
        high: Their positions at the greatest height [rad or m].
    """

    low: dict[str, float]
    high: dict[str, float]

    def __post_init__(self) -> None:
        strange = set(self.low) ^ set(self.high)
        if strange or not self.low:
            raise ValueError(f"low and high differ by {', '.join(sorted(strange)) or 'nothing: both are empty'}")

    @property
    def joints(self) -> tuple[str, ...]:
        """In the order of the configuration."""
        return tuple(self.low)


@dataclass(frozen=True)
class Operator:
    """How the robot follows a person.

    Attributes:
        torso_frame: Follows the operator's chest; shoulders are fixed in it.
        head_frame: Where the robot looks.
        arms: By side.
        posture_weights: By group: how strongly its joints are drawn to the home pose, relative to each other.
        lift: Torso joints that are not the chest's but a lift's; the operator's torso moves the others of the group.
    """

    torso_frame: str
    head_frame: str
    arms: dict[str, OperatorArm]
    posture_weights: dict[str, float]
    lift: Lift | None = None


@dataclass(frozen=True)
class Finger:
    """One finger.

    Attributes:
        joints: From the palm outwards; empty where all of them only mimic joints of other fingers.
        tip_frame: Frame at its end.
        follows: The operator's finger or fingers that it follows.
    """

    joints: tuple[str, ...]
    tip_frame: str
    follows: tuple[Literal["thumb", "index", "middle", "ring", "little"], ...]


@dataclass(frozen=True)
class Hand:
    """One hand.

    Attributes:
        group: The hand's joints.
        palm_frame: Frame of the palm.
        gripper_frame: REP-120 grasp frame.
        fingers: By name.
        open: Joint positions, hand open [rad].
        closed: Joint positions, hand closed around something slim [rad].
        press: Joint positions for pressing on something large with the whole hand [rad].
    """

    group: str
    palm_frame: str
    gripper_frame: str
    fingers: dict[str, Finger]
    open: dict[str, float]
    closed: dict[str, float]
    press: dict[str, float]


@dataclass(frozen=True)
class Wheel:
    """A wheel of the base: the joint that rolls it and, where it steers, the joint that turns it."""

    rolling: str
    steering: str = ""


@dataclass(frozen=True)
class Drive:
    """How a wheeled base moves: what cmd_vel may ask of base_frame, and the wheels that do it.

    Attributes:
        sideways: Whether it also moves along y.
        linear_velocity: In any direction [m/s].
        linear_acceleration: [m/s2].
        linear_jerk: [m/s3].
        angular_velocity: About z [rad/s].
        angular_acceleration: [rad/s2].
        angular_jerk: [rad/s3].
        wheel_radius: [m].
        wheels: Their places are the URDF's.
    """

    sideways: bool
    linear_velocity: float
    linear_acceleration: float
    linear_jerk: float
    angular_velocity: float
    angular_acceleration: float
    angular_jerk: float
    wheel_radius: float
    wheels: tuple[Wheel, ...]

    def __post_init__(self) -> None:
        for name in ("linear", "angular"):
            for order in ("velocity", "acceleration", "jerk"):
                if getattr(self, f"{name}_{order}") <= 0.0:
                    raise ValueError(f"{name}_{order} {getattr(self, f'{name}_{order}')}: must be above 0")
        if self.wheel_radius <= 0.0:
            raise ValueError(f"wheel_radius {self.wheel_radius}: must be above 0")

    @property
    def joints(self) -> tuple[str, ...]:
        """All joints of the wheels: each wheel's steering joint, then its rolling joint."""
        return tuple(joint for wheel in self.wheels for joint in (wheel.steering, wheel.rolling) if joint)


@dataclass(frozen=True)
class Symmetry:
    """What the checker's left/right comparison takes for sides, and what it leaves out.

    Attributes:
        tolerance: How far places, centres of mass [m], axes and ends of ranges [rad] may be from mirrored ones.
        mass_tolerance: By what share masses and inertias may differ.
        sides: Words between the underscores of names that tell left from right.
        except_links: Links whose mass, centre and inertia may differ.
        except_joints: Joints whose place, axis and range may differ.
    """

    tolerance: float = 3e-3
    mass_tolerance: float = 0.03
    sides: tuple[tuple[str, str], ...] = (("left", "right"), ("l", "r"), ("L", "R"))
    except_links: tuple[str, ...] = ()
    except_joints: tuple[str, ...] = ()


@dataclass(frozen=True)
class RobotConfig:
    """A robot: everything that differs between robots and is no part of its URDF.

    Attributes:
        name: Of files, folders and the default namespace.
        title: For people.
        description: Model files.
        base_frame: Root of the model.
        base: "biped": the maker's balance controller owns the legs. "wheeled": it drives with cmd_vel.
        base_height: Of base_frame over the floor when standing in the home pose [m].
        groups: Joint names by group, each in the order of the chain. Joints that mimic others stand in none; those of
            the drive stand in "wheels".
        commanded: Groups that may be commanded.
        home: Joint positions; a joint left out is at 0 [rad].
        joints: By joint name.
        operator: Mapping from the operator.
        hands: By side.
        cameras: By camera name: `camera/<name>/...`.
        imus: By place: `imu/<place>`.
        lidar: The LiDAR, if there is one.
        tactile: By place: `tactile/<place>`.
        wrenches: By place: `wrench/<place>`.
        joint_state_rate: [Hz].
        command_rate: Of joint_commands [Hz].
        drive: Of a wheeled base.
        microphone: `audio`, if there is one.
        assumed: What the maker does not publish and is our assumption here, in words, for reports.
        symmetry: For the checker.
    """

    name: str
    title: str
    description: Description
    base_frame: str
    base: Literal["biped", "wheeled"]
    base_height: float
    groups: dict[str, tuple[str, ...]]
    commanded: tuple[str, ...]
    home: dict[str, float]
    joints: dict[str, Joint]
    operator: Operator
    hands: dict[str, Hand]
    cameras: dict[str, Camera]
    imus: dict[str, Imu]
    lidar: Lidar | None
    tactile: dict[str, TactilePad]
    wrenches: dict[str, ForceTorque]
    joint_state_rate: float
    command_rate: float
    drive: Drive | None = None
    microphone: Microphone | None = None
    assumed: tuple[str, ...] = ()
    symmetry: Symmetry = Symmetry()

    def __post_init__(self) -> None:
        for name in self.commanded:
            if name not in self.groups:
                raise ValueError(f"commanded group {name} is not one of the groups {', '.join(self.groups)}")
        listed = [joint for group in self.groups.values() for joint in group]
        for joint in listed:
            if listed.count(joint) > 1:
                raise ValueError(f"joint {joint} stands in two groups")
            if joint not in self.joints:
                raise ValueError(f"joint {joint} of the groups has no entry under joints")
        for joint in (*self.joints, *self.home):
            if joint not in listed:
                raise ValueError(f"joint {joint} stands in no group")
        for where, group in [(f"operator.arms.{s}", a.group) for s, a in self.operator.arms.items()] + [
            (f"hands.{s}", h.group) for s, h in self.hands.items()
        ]:
            if group not in self.groups:
                raise ValueError(f"{where}.group {group} is not one of the groups {', '.join(self.groups)}")
        if (self.base == "wheeled") != (self.drive is not None):
            raise ValueError(f"base {self.base}: a drive belongs to a wheeled base, and only there")
        if self.drive and set(self.drive.joints) != set(self.groups.get("wheels", ())):
            raise ValueError("group wheels: must hold the joints of drive.wheels")
        lift = self.operator.lift.joints if self.operator.lift else ()
        for joint in lift:
            if joint not in self.groups.get("torso", ()):
                raise ValueError(f"operator.lift: joint {joint} does not stand in group torso")
        for side, hand in self.hands.items():
            for pose in ("open", "closed", "press"):
                strange = set(getattr(hand, pose)) ^ set(self.groups[hand.group])
                if strange:
                    raise ValueError(
                        f"hands.{side}.{pose} and group {hand.group} differ by {', '.join(sorted(strange))}"
                    )

    @property
    def commanded_joints(self) -> tuple[str, ...]:
        """Joints that may be commanded, in the order of the commanded groups."""
        return tuple(joint for group in self.commanded for joint in self.groups[group])

    @property
    def frames(self) -> dict[str, str]:
        """Every frame the configuration names, by the key that names it."""
        named = {
            "base_frame": self.base_frame,
            "operator.torso_frame": self.operator.torso_frame,
            "operator.head_frame": self.operator.head_frame,
        }
        for side, arm in self.operator.arms.items():
            named[f"operator.arms.{side}.wrist_frame"] = arm.wrist_frame
        for side, hand in self.hands.items():
            named[f"hands.{side}.palm_frame"] = hand.palm_frame
            named[f"hands.{side}.gripper_frame"] = hand.gripper_frame
            for name, finger in hand.fingers.items():
                named[f"hands.{side}.fingers.{name}.tip_frame"] = finger.tip_frame
        for name, camera in self.cameras.items():
            named[f"cameras.{name}.color.frame"] = camera.color.frame
            if camera.depth:
                named[f"cameras.{name}.depth.frame"] = camera.depth.frame
        for kind in ("imus", "tactile", "wrenches"):
            for name, sensor in getattr(self, kind).items():
                named[f"{kind}.{name}.frame"] = sensor.frame
        if self.lidar:
            named["lidar.frame"] = self.lidar.frame
        if self.microphone:
            named["microphone.frame"] = self.microphone.frame
        return named
