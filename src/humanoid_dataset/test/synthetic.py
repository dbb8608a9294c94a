# SPDX-License-Identifier: Apache-2.0
"""Writes small episodes that look like recorded ones, with defects where a test asks for them.

The robot: a waist, two arms of two joints, a head camera carried by the waist and one at the left wrist, one LiDAR,
one pad and one wrench.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import yaml
from mcap.writer import CompressionType, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

INTERFACES = Path(__file__).resolve().parents[2] / "humanoid_interfaces" / "msg"
JOINTS = ["waist_yaw", "left_shoulder", "left_elbow", "right_shoulder", "right_elbow"]
LATCHED = "- history: unknown\n  depth: 0\n  reliability: reliable\n  durability: transient_local\n"
FLOWING = "- history: unknown\n  depth: 0\n  reliability: reliable\n  durability: volatile\n"
START = 1_000_000_000  # [ns] simulated time at the start of the episode
LAG = 0.04  # [s] of the measured joints behind the commands

URDF = """<robot name="testbot"><link name="base"/><link name="torso"/>
<joint name="waist_yaw" type="revolute"><parent link="base"/><child link="torso"/><axis xyz="0 0 1"/>
  <limit lower="-1.0" upper="1.0" velocity="5" effort="50"/></joint>
<link name="camera_optical"/><joint name="camera" type="fixed"><parent link="torso"/><child link="camera_optical"/>
  <origin xyz="0 0 0.4"/></joint>
{arms}</robot>"""
ARM = """<link name="{s}_upper"/>
<joint name="{s}_shoulder" type="revolute"><parent link="torso"/><child link="{s}_upper"/>
  <origin xyz="0 {y} 0.3"/><axis xyz="0 1 0"/><limit lower="-2" upper="2" velocity="5" effort="30"/></joint>
<link name="{s}_wrist"/><joint name="{s}_elbow" type="revolute"><parent link="{s}_upper"/><child link="{s}_wrist"/>
  <origin xyz="0 0 -0.25"/><axis xyz="0 1 0"/><limit lower="-2" upper="2" velocity="5" effort="30"/></joint>
<link name="{s}_camera_optical"/><joint name="{s}_camera" type="fixed"><parent link="{s}_wrist"/>
  <child link="{s}_camera_optical"/></joint>
"""

ROBOT_CONFIG = {
    "name": "testbot",
    "title": "Test robot",
    "groups": {"torso": ["waist_yaw"], "left_arm": JOINTS[1:3], "right_arm": JOINTS[3:]},
    "commanded": ["torso", "left_arm", "right_arm"],
    "joints": {name: {"velocity": 3.0, "acceleration": 20.0} for name in JOINTS},
    "operator": {
        "arms": {side: {"group": f"{side}_arm", "wrist_frame": f"{side}_wrist"} for side in ("left", "right")},
    },
    "cameras": {
        "head": {"color": {"rate": 30}, "depth": {"rate": 15}},
        "left_wrist": {"color": {"rate": 30}, "depth": None},
    },
    "lidar": {"rate": 10},
    "imus": {"pelvis": {"rate": 100}},
    "tactile": {"left_palm": {"rate": 50}},
    "wrenches": {"left_wrist": {"rate": 100}},
    "joint_state_rate": 500,
    "command_rate": 500,
}


@dataclass
class Recorded:
    """One message before it is written: change it, or return None for losing it."""

    topic: str
    seconds: float
    message: Any


Defect = Callable[[Recorded], "Recorded | None"]


@dataclass
class Plan:
    """What to write.

    Attributes:
        seconds: Length of the episode, in whole tenths.
        defect: Applied to each message.
        task: Written into the sidecar.
        sidecar: Changes to episode.yaml; None: no sidecar at all.
        namespace: In front of every topic.
        placed: Whether the parcel ends in its bin.
    """

    seconds: float = 3.0
    defect: Defect = lambda recorded: recorded
    task: str = "parcel_sorting"
    sidecar: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda sidecar: sidecar
    namespace: str = "/testbot/"
    placed: bool = True


def wave(seconds: np.ndarray | float) -> np.ndarray:
    """Positions of JOINTS: a smooth start and end, and well inside every limit. (n,) [s] -> (n, 5) [rad]."""
    t = np.atleast_1d(np.asarray(seconds, float))[:, None]
    envelope = 0.5 - 0.5 * np.cos(np.clip(2.0 * t, 0.0, np.pi))
    return envelope * np.array([0.2, 0.5, 0.4, -0.5, -0.4]) * np.sin(2.5 * t + np.arange(5))


class Types:
    """Message classes, definitions and serialisation without ROS."""

    def __init__(self) -> None:
        self.store = get_typestore(Stores.ROS2_JAZZY)
        for path in sorted(INTERFACES.glob("*.msg")):
            name = f"humanoid_interfaces/msg/{path.stem}"
            self.store.register(get_types_from_msg(path.read_text(), name))
        self.store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage"))

    def new(self, type_name: str, **values: Any) -> Any:
        return self.store.types[type_name](**values)

    def stamp(self, seconds: float) -> Any:
        sec, nanosec = divmod(START + round(seconds * 1e9), 1_000_000_000)
        return self.new("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)

    def header(self, seconds: float, frame: str = "") -> Any:
        return self.new("std_msgs/msg/Header", stamp=self.stamp(seconds), frame_id=frame)

    def vector(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Any:
        return self.new("geometry_msgs/msg/Vector3", x=x, y=y, z=z)

    def pose(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Any:
        point = self.new("geometry_msgs/msg/Point", x=x, y=y, z=z)
        return self.new("geometry_msgs/msg/Pose", position=point, orientation=self.quaternion())

    def quaternion(self) -> Any:
        return self.new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)


TYPES = Types()


def write_episode(folder: Path, plan: Plan | None = None) -> Path:
    """Write an episode folder and return it."""
    plan = plan or Plan()
    folder.mkdir(parents=True)
    bag = folder / f"{folder.name}_0.mcap"
    counts: dict[str, int] = {}
    types: dict[str, tuple[str, str]] = {}
    recorded = [kept for item in _messages(plan) if (kept := plan.defect(item)) is not None]
    recorded.sort(key=lambda item: item.seconds)
    with bag.open("wb") as stream:
        writer = Writer(stream, chunk_size=1 << 18, compression=CompressionType.ZSTD)
        writer.start("ros2", "synthetic")
        channels: dict[str, int] = {}
        for item in recorded:
            type_name = item.message.__msgtype__
            name = plan.namespace + item.topic
            if name not in channels:
                text, _ = TYPES.store.generate_msgdef(type_name, ros_version=2)
                schema = writer.register_schema(type_name, "ros2msg", text.encode())
                qos = LATCHED if item.topic in {"robot_description", "tf_static"} else FLOWING
                channels[name] = writer.register_channel(name, "cdr", schema, {"offered_qos_profiles": qos})
                types[name] = (type_name, qos)
            received = START + round(item.seconds * 1e9) + 500_000
            data = bytes(TYPES.store.serialize_cdr(item.message, type_name))
            writer.add_message(channels[name], received, data, received)
            counts[name] = counts.get(name, 0) + 1
        writer.finish()
    _write_metadata(folder, bag, counts, types)
    digest = hashlib.sha256(bag.read_bytes()).hexdigest()
    sidecar = plan.sidecar(
        {
            "schema": 1,
            "episode_id": folder.name,
            "robot": "testbot",
            "task": plan.task,
            "instruction": "Put each parcel into its bin.",
            "outcome": "success",
            "bag": {"file": bag.name, "sha256": digest, "bytes": bag.stat().st_size, "messages": sum(counts.values())},
            "annotations": [
                {"start_ns": START, "end_ns": START + 1_200_000_000, "label": "reach", "author": "test"},
                {
                    "start_ns": START + 1_200_000_000,
                    "end_ns": START + round(min(2.4, plan.seconds) * 1e9),
                    "label": "carry",
                    "author": "test",
                },
            ],
            "topics": [{"name": n, "received": c, "written": c, "lost": 0, "dropped": 0} for n, c in counts.items()],
        }
    )
    if sidecar is not None:
        (folder / "episode.yaml").write_text(yaml.safe_dump(sidecar))
    return folder


def _write_metadata(folder: Path, bag: Path, counts: dict[str, int], types: dict[str, tuple[str, str]]) -> None:
    listed = []
    for name, count in counts.items():
        type_name, qos = types[name]
        described = {"name": name, "type": type_name, "serialization_format": "cdr", "offered_qos_profiles": qos}
        listed.append({"topic_metadata": described, "message_count": count})
    information = {
        "version": 9,
        "storage_identifier": "mcap",
        "relative_file_paths": [bag.name],
        "message_count": sum(counts.values()),
        "topics_with_message_count": listed,
    }
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": information}))


def _messages(plan: Plan) -> list[Recorded]:
    end = plan.seconds
    out: list[Recorded] = []

    def flow(topic: str, rate: float, make: Callable[[float, int], Any]) -> None:
        count = round(end * rate)
        out.extend(Recorded(topic, index / rate, make(index / rate, index)) for index in range(count + 1))

    urdf = URDF.format(arms="".join(ARM.format(s=side, y=y) for side, y in (("left", 0.15), ("right", -0.15))))
    out.append(Recorded("robot_description", 0.0, TYPES.new("std_msgs/msg/String", data=urdf)))
    out.append(Recorded("tf_static", 0.0, TYPES.new("tf2_msgs/msg/TFMessage", transforms=[_transform(0.0)])))
    flow("tf", 50, lambda t, i: TYPES.new("tf2_msgs/msg/TFMessage", transforms=[_transform(t)]))
    flow("operator/frame", 100, _operator_frame)
    flow("joint_targets/teleop", 250, lambda t, i: _joints(t, wave(t)[0]))
    flow("joint_commands", 500, lambda t, i: _joints(t, wave(t)[0]))
    noise = np.random.default_rng(7).normal(0.0, 5e-4, (round(end * 500) + 1, len(JOINTS)))
    flow("joint_states", 500, lambda t, i: _joints(t, wave(t - LAG)[0] + noise[i], full=True))
    flow("teleop/status", 10, _teleop_status)
    flow("safety/status", 10, _safety_status)
    for name, frame in (("head", "camera_optical"), ("left_wrist", "left_camera_optical")):
        flow(f"camera/{name}/color/image_raw/compressed", 30, _picture(frame))
        flow(f"camera/{name}/color/camera_info", 30, _camera_info(frame))
    flow("camera/head/depth/image_rect_raw/compressedDepth", 15, _depth)
    flow("camera/head/depth/camera_info", 15, _camera_info("camera_optical"))
    flow("lidar/points", 10, _cloud)
    flow("tactile/left_palm", 50, _tactile)
    flow("wrench/left_wrist", 100, _wrench)
    flow("imu/pelvis", 100, _imu)
    flow("sync/frame", 30, _synced)
    flow("scene/objects", 30, lambda t, i: _scene(t, end, plan.placed))
    return out


def _transform(seconds: float) -> Any:
    rotation = TYPES.quaternion()
    transform = TYPES.new("geometry_msgs/msg/Transform", translation=TYPES.vector(), rotation=rotation)
    header = TYPES.header(seconds, "base")
    return TYPES.new("geometry_msgs/msg/TransformStamped", header=header, child_frame_id="torso", transform=transform)


def _joints(seconds: float, position: np.ndarray, full: bool = False) -> Any:
    extra = np.zeros(len(JOINTS)) if full else np.zeros(0)
    header = TYPES.header(seconds)
    return TYPES.new(
        "sensor_msgs/msg/JointState",
        header=header,
        name=list(JOINTS),
        position=position.copy(),
        velocity=extra,
        effort=extra.copy(),
    )


def _operator_frame(seconds: float, index: int) -> Any:
    kind = "humanoid_interfaces/msg/"
    swing = 0.1 * np.sin(2.5 * seconds)
    places = {"head": (0.0, 0.0, 1.6), "left_wrist": (0.4 + swing, 0.2, 1.1), "right_wrist": (0.4 - swing, -0.2, 1.1)}
    poses = [
        TYPES.new(kind + "TrackedPose", name=name, pose=TYPES.pose(*xyz), validity=2) for name, xyz in places.items()
    ]
    hands = [
        TYPES.new(
            kind + "OperatorHand",
            engaged=True,
            validity=0,
            joints=[],
            grip=0.0,
            trigger=0.0,
            axes=np.zeros(0, np.float32),
            buttons=np.zeros(0, bool),
        )
        for _ in range(2)
    ]
    return TYPES.new(
        kind + "OperatorFrame",
        header=TYPES.header(seconds, "operator"),
        source="scripted",
        sequence=index,
        poses=poses,
        left_hand=hands[0],
        right_hand=hands[1],
    )


def _teleop_status(seconds: float, index: int) -> Any:
    kind = "humanoid_interfaces/msg/"
    errors = [
        TYPES.new(kind + "BodyError", name=f"{side}_wrist", position=0.004 + 0.001 * np.sin(seconds), orientation=0.02)
        for side in ("left", "right")
    ]
    return TYPES.new(
        kind + "TeleopStatus",
        header=TYPES.header(seconds),
        state=3,
        message="",
        source="scripted",
        scale=0.8,
        errors=errors,
        joints_at_limit=[],
        closest_distance=0.05,
        closest_link_a="",
        closest_link_b="",
        frame_age=0.0,
        solve_time=2e-4,
        frames=index,
        frames_lost=0,
        frames_rejected=0,
    )


def _safety_status(seconds: float, index: int) -> Any:
    return TYPES.new(
        "humanoid_interfaces/msg/SafetyStatus",
        header=TYPES.header(seconds),
        state=1 if index > 3 else 0,
        reasons=[],
        joint_names=list(JOINTS),
        joint_reasons=np.zeros(len(JOINTS), np.uint32),
        interference=np.zeros(len(JOINTS)),
        closest_distance=0.05,
        closest_link_a="left_wrist",
        closest_link_b="torso",
        operator_age=0.01,
        robot_age=0.002,
    )


def _picture(frame: str) -> Callable[[float, int], Any]:
    def make(seconds: float, index: int) -> Any:
        image = np.full((48, 64, 3), 90, np.uint8)
        x = int(32 + 20 * np.sin(2.5 * seconds))
        cv2.circle(image, (x, 24), 8, (30, 140, 230), -1)
        image[:2, :, 0] = (index * 7) % 200  # sensors never repeat a picture bit by bit
        ok, data = cv2.imencode(".jpg", image)
        assert ok
        header = TYPES.header(seconds, frame)
        return TYPES.new(
            "sensor_msgs/msg/CompressedImage", header=header, format="bgr8; jpeg compressed bgr8", data=data.ravel()
        )

    return make


def _depth(seconds: float, index: int) -> Any:
    image = np.linspace(400, 2500, 48 * 64).reshape(48, 64).astype(np.uint16)
    image[:, :4] = 0
    image[0, :] += index
    ok, data = cv2.imencode(".png", image)
    assert ok
    payload = np.concatenate((np.zeros(12, np.uint8), data.ravel()))
    header = TYPES.header(seconds, "camera_optical")
    return TYPES.new(
        "sensor_msgs/msg/CompressedImage", header=header, format="16UC1; compressedDepth png", data=payload
    )


def _camera_info(frame: str) -> Callable[[float, int], Any]:
    def make(seconds: float, index: int) -> Any:
        roi = TYPES.new("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        k = np.array([60.0, 0, 32, 0, 60, 24, 0, 0, 1])
        return TYPES.new(
            "sensor_msgs/msg/CameraInfo",
            header=TYPES.header(seconds, frame),
            height=48,
            width=64,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=k,
            r=np.eye(3).ravel(),
            p=np.zeros(12),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    return make


def _cloud(seconds: float, index: int) -> Any:
    angle = np.linspace(-np.pi, np.pi, 180, endpoint=False)
    points = np.stack((2 * np.cos(angle), 3 * np.sin(angle), 0.1 * angle), axis=1).astype(np.float32)
    fields = [
        TYPES.new("sensor_msgs/msg/PointField", name=n, offset=4 * i, datatype=7, count=1) for i, n in enumerate("xyz")
    ]
    return TYPES.new(
        "sensor_msgs/msg/PointCloud2",
        header=TYPES.header(seconds, "torso"),
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        data=np.frombuffer(points.tobytes(), np.uint8),
        is_dense=True,
    )


def _tactile(seconds: float, index: int) -> Any:
    values = np.full(9, max(0.0, 4e3 * np.sin(seconds)), np.float32)
    return TYPES.new(
        "humanoid_interfaces/msg/TactileArray",
        header=TYPES.header(seconds, "left_wrist"),
        quantity=0,
        rows=3,
        columns=3,
        values=values,
        positions=[],
    )


def _wrench(seconds: float, index: int) -> Any:
    wrench = TYPES.new("geometry_msgs/msg/Wrench", force=TYPES.vector(z=-5.0 - np.sin(seconds)), torque=TYPES.vector())
    return TYPES.new("geometry_msgs/msg/WrenchStamped", header=TYPES.header(seconds, "left_wrist"), wrench=wrench)


def _imu(seconds: float, index: int) -> Any:
    zeros = np.zeros(9)
    return TYPES.new(
        "sensor_msgs/msg/Imu",
        header=TYPES.header(seconds, "base"),
        orientation=TYPES.quaternion(),
        orientation_covariance=zeros,
        angular_velocity=TYPES.vector(),
        angular_velocity_covariance=zeros.copy(),
        linear_acceleration=TYPES.vector(z=9.81),
        linear_acceleration_covariance=zeros.copy(),
    )


def _synced(seconds: float, index: int) -> Any:
    residuals = {"joint_states": 0.0, "camera/head": 0.004 * np.sin(index), "lidar": 0.03 * np.sin(index)}
    streams = [
        TYPES.new(
            "humanoid_interfaces/msg/SyncedStream",
            name=name,
            flags=0,
            source_stamps=[TYPES.stamp(seconds)],
            residual=float(residual),
            uncertainty=float("nan"),
            values=np.zeros(0),
        )
        for name, residual in residuals.items()
    ]
    return TYPES.new(
        "humanoid_interfaces/msg/SyncedFrame", header=TYPES.header(seconds), sequence=index, streams=streams
    )


def _scene(seconds: float, end: float, placed: bool) -> Any:
    share = seconds / end * (1.0 if placed else 0.3)
    objects = [
        _object("left_bin", "bin", (0.0, 0.4, 0.7), (0.4, 0.4, 0.1)),
        _object("parcel_1", "parcel", (0.4 - 0.4 * share, 0.2 + 0.2 * share, 0.75), (0.15, 0.2, 0.14), "left_bin"),
    ]
    header = TYPES.header(seconds, "odom")
    return TYPES.new(
        "humanoid_interfaces/msg/SceneObjects", header=header, scene="parcel_sorting", seed=1, objects=objects
    )


def _object(name: str, category: str, place: tuple[float, ...], size: tuple[float, ...], goal: str = "") -> Any:
    return TYPES.new(
        "humanoid_interfaces/msg/SceneObject",
        name=name,
        category=category,
        pose=TYPES.pose(*place),
        size=TYPES.vector(*size),
        goal=goal,
    )


# Defects


def lose(topic: str, keep: Callable[[float], bool] = lambda seconds: False) -> Defect:
    """Lose the messages of a topic, except those that `keep` says."""
    return lambda item: None if item.topic == topic and not keep(item.seconds) else item


def change(topic: str, when: Callable[[float], bool], edit: Callable[[Any], None]) -> Defect:
    """Edit the messages of a topic at some times."""

    def defect(item: Recorded) -> Recorded:
        if item.topic == topic and when(item.seconds):
            edit(item.message)
        return item

    return defect


def freeze(topic: str, start: float, end: float) -> Defect:
    """Repeat the picture of `start` until `end`."""
    held = SimpleNamespace(data=None)

    def defect(item: Recorded) -> Recorded:
        if item.topic == topic and start <= item.seconds <= end:
            held.data = item.message.data if held.data is None else held.data
            item.message.data = held.data
        return item

    return defect
