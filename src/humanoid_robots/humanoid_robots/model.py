# SPDX-License-Identifier: Apache-2.0
"""The MuJoCo model of a robot in a scene, built from the robot's URDF, SRDF and configuration; no MJCF file
anywhere."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np

from humanoid_description import Robot, RobotConfig, meshes
from humanoid_robots.errors import ModelError
from humanoid_robots.furnish import VISUAL_GROUP, furnish
from humanoid_robots.scene import Layout

COLLISION_GROUP = 3  # shapes that touch, where a link has others to look at
HIDDEN_GROUP = 4  # seen by cameras but not by the LiDAR: what it is mounted in
_EYE = "lidar/eye"

# Reflected rotor inertia over rated torque: published figures of the motors of the Unitree G1 lie between 1.2e-4 and
# 1.8e-4 kg m2 per N m (0.0036 at 25, 0.0102 at 88, 0.0251 at 139 N m). Fingers get a floor that a 1 ms step can carry.
_ARMATURE_PER_TORQUE = 1.5e-4
_LEAST_ARMATURE = 5e-4

# Of a wheeled base's servos: how heavy a robot they hold critically damped [kg, kg m2], and how stiffly [rad/s].
_BASE_MASS, _BASE_INERTIA, _BASE_STIFFNESS = 200.0, 20.0, 60.0

Base = Literal["held", "standing", "free"]
DRIVE_JOINTS = ("base/x", "base/y", "base/yaw")  # of a wheeled base, in the plane of the floor


@dataclass(frozen=True)
class Handles:
    """Where things are in the arrays of the compiled model.

    Attributes:
        joints: Movable joints in the order of the URDF, n of them.
        qpos: Index of each in qpos (n,).
        dof: Index of each in qvel (n,).
        lower: Ends of the URDF's range (n,) [rad].
        upper: (n,) [rad].
        actuator: Index of its servo in ctrl (n,).
        effort: Effort limit of the URDF (n,) [N m].
        kp: Position gain (n,) [N m/rad].
        kd: Velocity gain (n,) [N m s/rad].
        home: Home pose (n,) [rad].
    """

    joints: tuple[str, ...]
    qpos: np.ndarray
    dof: np.ndarray
    actuator: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    effort: np.ndarray
    kp: np.ndarray
    kd: np.ndarray
    home: np.ndarray

    def index(self) -> dict[str, int]:
        """Position of each joint in the arrays."""
        return {name: i for i, name in enumerate(self.joints)}


def build(robot: Robot, layout: Layout, timestep: float, base: Base = "held") -> tuple[mujoco.MjModel, Handles]:
    """Build and compile the model.

    Args:
        robot: URDF, SRDF and configuration.
        layout: The scene around it.
        timestep: Of the physics [s].
        base: Of a biped. "held": at its standing height; "standing", "free": on its feet. A wheeled one rolls.

    Raises:
        ModelError: the URDF does not compile, or lacks what the configuration names.
    """
    spec = _robot_spec(robot, base)
    _options(spec, timestep)
    furnish(spec, layout)
    try:
        model = spec.compile()
    except ValueError as error:
        raise ModelError(f"{robot.config.name} in scene {layout.scene.name}: {error}") from error
    _hide_mounting(model, robot.config)
    return model, _handles(model, robot.config)


def _robot_spec(robot: Robot, base: Base) -> mujoco.MjSpec:
    config = robot.config
    root = ElementTree.fromstring(meshes.on_disk(robot.urdf))
    for old in root.findall("mujoco"):
        root.remove(old)
    extension = ElementTree.SubElement(root, "mujoco")
    # Every link stays a body, so that frames keep their names, and visual shapes stay visible.
    ElementTree.SubElement(extension, "compiler", fusestatic="false", discardvisual="false", autolimits="true")
    try:
        spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding="unicode"))
    except ValueError as error:
        raise ModelError(f"the URDF of {config.name}: {error}") from error
    bodies = {body.name: body for body in spec.bodies}
    for key, frame in config.frames.items():
        if frame not in bodies:
            raise ModelError(f"{config.name}: {key} names the link {frame}, which the URDF does not have")
    pelvis = bodies[config.base_frame]
    pelvis.pos = (0.0, 0.0, config.base_height)
    if config.base == "wheeled":
        _planar(spec, pelvis, bodies, config)
    elif base != "held":
        pelvis.add_freejoint(name=config.base_frame)
    for body in bodies.values():
        _merge_capsules(spec, body)
    _collisions(spec, robot, bodies)
    _servos(spec, config)
    _sensors(spec, config, bodies)
    return spec


def _planar(spec: mujoco.MjSpec, base: mujoco.MjsBody, bodies: dict[str, mujoco.MjsBody], config: RobotConfig) -> None:
    """A base that moves in the plane of the floor: stiff servos take it where the drive's set-point is, as steered and
    braked wheels on a hard floor do. The wheels turn with it but carry nothing."""
    slide, hinge = mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE
    axes = zip(DRIVE_JOINTS, (slide, slide, hinge), np.eye(3), (_BASE_MASS, _BASE_MASS, _BASE_INERTIA))
    for name, kind, axis, mass in axes:
        base.add_joint(name=name, type=kind, axis=axis)
        servo = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.gaintype, servo.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
        servo.gainprm[0] = 1.0
        servo.biasprm[:3] = (0.0, -mass * _BASE_STIFFNESS**2, -2.0 * mass * _BASE_STIFFNESS)
    turned = set(config.drive.joints) if config.drive is not None else set()
    for body in bodies.values():
        if any(joint.name in turned for joint in body.joints):
            spec.add_exclude(bodyname1=body.name, bodyname2="world")


def _merge_capsules(spec: mujoco.MjSpec, body: mujoco.MjsBody) -> None:
    """A cylinder followed by balls of its radius at both ends, which is how a URDF writes a capsule, becomes one."""
    kind = mujoco.mjtGeom
    geoms = list(body.geoms)
    for rod, *caps in zip(geoms, geoms[1:], geoms[2:]):
        if rod.type != kind.mjGEOM_CYLINDER or any(cap.type != kind.mjGEOM_SPHERE for cap in caps):
            continue
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, rod.quat)
        half = rod.size[1] * rotation.reshape(3, 3)[:, 2]
        fits = [np.allclose(np.abs(cap.pos - rod.pos), np.abs(half), atol=1e-6) for cap in caps]
        if all(fits) and all(np.isclose(cap.size[0], rod.size[0]) and cap.contype == rod.contype for cap in caps):
            rod.type = kind.mjGEOM_CAPSULE
            for cap in caps:
                spec.delete(cap)


def _collisions(spec: mujoco.MjSpec, robot: Robot, bodies: dict[str, mujoco.MjsBody]) -> None:
    spec.add_material(name="robot", specular=0.45, shininess=0.6, rgba=(0.75, 0.76, 0.78, 1.0))
    for body in bodies.values():
        geoms = list(body.geoms)
        looks = [geom for geom in geoms if geom.contype == 0 and geom.conaffinity == 0]
        for geom in geoms:
            geom.material = "robot"
            if geom in looks:
                geom.group = VISUAL_GROUP
            elif looks:
                geom.group = COLLISION_GROUP
            geom.condim = 4
            geom.friction = (1.0, 0.01, 0.0001)
    for pair in ElementTree.fromstring(robot.srdf).iter("disable_collisions"):
        one, two = pair.get("link1", ""), pair.get("link2", "")
        if one not in bodies or two not in bodies:
            raise ModelError(
                f"the SRDF of {robot.config.name} disables {one} and {two}: not both are links of the URDF"
            )
        spec.add_exclude(bodyname1=one, bodyname2=two)


def _hide_mounting(model: mujoco.MjModel, config: RobotConfig) -> None:
    """Hide from the LiDAR what it is mounted in: shapes of its own rigid body that are nearer than it can see."""
    if config.lidar is None:
        return
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    eye = model.geom(_EYE).id
    rigid = model.body_weldid[model.geom_bodyid]
    for geom in np.flatnonzero((rigid == rigid[eye]) & (model.geom_bodyid != 0)):
        near = mujoco.mj_geomDistance(model, data, eye, int(geom), config.lidar.near, None) < config.lidar.near
        if near and model.geom_group[geom] != COLLISION_GROUP:
            model.geom_group[geom] = HIDDEN_GROUP


def _servos(spec: mujoco.MjSpec, config: RobotConfig) -> None:
    """A position servo per joint: torque = kp (q* - q) - kd dq + gravity, cut at the effort limit.

    What the set-point gives goes in through `ctrl` (see Plant), gravity through MuJoCo's own compensation, counted as
    part of the actuator's force.
    """
    followers = {equality.name1 for equality in spec.equalities}
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_FREE or joint.name in DRIVE_JOINTS:
            continue
        if joint.name in followers:  # mimics another: a gear, whose friction keeps it from ringing
            joint.armature = _LEAST_ARMATURE
            continue
        gains = config.joints.get(joint.name)
        if gains is None:
            raise ModelError(f"{config.name}: joint {joint.name} of the URDF has no entry under joints")
        effort = float(joint.actfrcrange[1])
        if effort <= 0.0:
            raise ModelError(f"{config.name}: joint {joint.name} has no effort limit in the URDF")
        joint.armature = max(_LEAST_ARMATURE, _ARMATURE_PER_TORQUE * effort)
        joint.actfrclimited, joint.actgravcomp = mujoco.mjtLimited.mjLIMITED_TRUE, True
        servo = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        servo.gaintype, servo.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
        servo.gainprm[0] = 1.0
        servo.biasprm[:3] = (0.0, -gains.kp, -gains.kd)
    for body in spec.bodies:
        if body.name != "world":
            body.gravcomp = 1.0


def _sensors(spec: mujoco.MjSpec, config: RobotConfig, bodies: dict[str, mujoco.MjsBody]) -> None:
    kind = mujoco.mjtSensor
    for place, imu in config.imus.items():
        bodies[imu.frame].add_site(name=f"imu/{place}")
        for word, sensor in (("gyro", kind.mjSENS_GYRO), ("accelerometer", kind.mjSENS_ACCELEROMETER)):
            spec.add_sensor(
                name=f"imu/{place}/{word}", type=sensor, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=f"imu/{place}"
            )
    for place, wrench in config.wrenches.items():
        body, position, quaternion = _carrying(bodies[wrench.frame])
        body.add_site(name=f"wrench/{place}", pos=position, quat=quaternion)
        for word, sensor in (("force", kind.mjSENS_FORCE), ("torque", kind.mjSENS_TORQUE)):
            spec.add_sensor(
                name=f"wrench/{place}/{word}", type=sensor, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=f"wrench/{place}"
            )
    if config.lidar is not None:
        eye = bodies[config.lidar.frame].add_geom(name=_EYE, type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(1e-3, 0.0, 0.0))
        eye.contype, eye.conaffinity, eye.mass, eye.group = 0, 0, 0.0, COLLISION_GROUP
    for name, camera in config.cameras.items():
        imagers = {"color": camera.color, "depth": camera.depth}
        for stream, imager in imagers.items():
            if imager is not None:
                # MuJoCo looks along -z with y up; an optical frame looks along z with y down: half a turn about x.
                lens = bodies[imager.frame].add_camera(name=f"{name}/{stream}", quat=(0.0, 1.0, 0.0, 0.0))
                lens.fovy = float(np.degrees(imager.fov_y))


def _carrying(body: mujoco.MjsBody) -> tuple[mujoco.MjsBody, np.ndarray, np.ndarray]:
    """The body that a force sensor in this frame weighs, and the frame's pose in it: position (3,), wxyz (4,).

    A frame that nothing hangs on is a mark on its parent: then it is the parent whose joint to the rest is the sensor.
    """
    position, quaternion = np.zeros(3), np.array((1.0, 0.0, 0.0, 0.0))
    while not _has_mass(body) and not list(body.joints) and body.parent.name != "world":
        moved, turned = np.empty(3), np.empty(4)
        mujoco.mju_rotVecQuat(moved, position, body.quat)
        mujoco.mju_mulQuat(turned, body.quat, quaternion)
        position, quaternion, body = moved + body.pos, turned, body.parent
    return body, position, quaternion


def _has_mass(body: mujoco.MjsBody) -> bool:
    return body.mass > 0.0 or any(_has_mass(child) for child in body.bodies)


def _options(spec: mujoco.MjSpec, timestep: float) -> None:
    option = spec.option
    option.timestep = timestep
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0  # friction ten times as stiff as the normal: a held parcel does not creep
    option.iterations, option.ls_iterations = 50, 30
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 960
    spec.visual.quality.shadowsize = 1024
    spec.visual.quality.offsamples = 0
    # Round shapes of 16 by 8 faces: half the time of MuJoCo's 28 by 16 on a processor, and hard to tell apart.
    spec.visual.quality.numslices, spec.visual.quality.numstacks, spec.visual.quality.numquads = 16, 8, 1
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 20.0
    # The near and far planes are multiples of the extent.
    spec.stat.extent, spec.stat.center = 1.0, (0.3, 0.0, 0.8)


def _handles(model: mujoco.MjModel, config: RobotConfig) -> Handles:
    joints = tuple(name for name in (model.actuator(i).name for i in range(model.nu)) if name in config.joints)
    ids = np.array([model.joint(name).id for name in joints])
    limited = model.jnt_limited[ids].astype(bool)
    return Handles(
        joints=joints,
        qpos=model.jnt_qposadr[ids],
        dof=model.jnt_dofadr[ids],
        actuator=np.array([model.actuator(name).id for name in joints]),
        lower=np.where(limited, model.jnt_range[ids, 0], -np.inf),
        upper=np.where(limited, model.jnt_range[ids, 1], np.inf),
        effort=model.jnt_actfrcrange[ids, 1].copy(),
        kp=np.array([config.joints[name].kp for name in joints]),
        kd=np.array([config.joints[name].kd for name in joints]),
        home=np.array([config.home.get(name, 0.0) for name in joints]),
    )
