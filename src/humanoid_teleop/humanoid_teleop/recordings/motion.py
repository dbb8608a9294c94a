# SPDX-License-Identifier: Apache-2.0
"""A BVH clip as an operator: skeleton mappings, and the clip's body parts in the tracking frame at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from humanoid_core import config, rotations
from humanoid_core.errors import ConfigError
from humanoid_description.sources import share_folders
from humanoid_teleop.operator import BODY_PARTS, LOST, PART_INDEX, SIDES, TRACKED, Hand, OperatorFrame
from humanoid_teleop.recordings.bvh import Bvh


@dataclass(frozen=True)
class PartMap:
    """Which joint of the file is a body part.

    Attributes:
        joint: The joint whose origin is the part's position.
        rotation_joint: The joint whose rotation is the part's, where that is another one.
        x: The part's x axis in the joint's axes at rest; the skeleton's forward where left out.
        z: The part's z axis likewise; the skeleton's up where left out.
    """

    joint: str
    rotation_joint: str | None = None
    x: np.ndarray | None = None
    z: np.ndarray | None = None


@dataclass(frozen=True)
class SkeletonMap:
    """How a family of BVH files names its joints and places its axes.

    Attributes:
        up: Vertical axis of the file.
        forward: Where the person faces in the rest pose.
        parts: Body part -> joint.
        metres_per_unit: Length of a file unit [m]; None where `stature` gives the scale.
        stature: Height of the person [m] that the height of the rest pose is scaled to; None where the unit is known.
        file: Where the mapping came from, for errors.
    """

    up: np.ndarray
    forward: np.ndarray
    parts: dict[str, PartMap]
    metres_per_unit: float | None = None
    stature: float | None = None
    file: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if (self.metres_per_unit is None) == (self.stature is None):
            raise ValueError("both or neither of metres_per_unit and stature")
        for name in self.parts:
            if name not in PART_INDEX:
                raise ValueError(f"body part {name!r}, which is none of {', '.join(BODY_PARTS)}")
        axes(self.forward, self.up)
        for name, part in self.parts.items():
            if (part.x is None) != (part.z is None):
                raise ValueError(f"only one of x and z for {name}")

    @property
    def joints(self) -> set[str]:
        """Names of every joint that the mapping uses."""
        return {name for part in self.parts.values() for name in (part.joint, part.rotation_joint) if name}


def skeletons_folder() -> Path:
    """Where the mappings that ship with the workspace are.

    Raises:
        ConfigError: nowhere.
    """
    folders = [folder / "config" / "motions" / "skeletons" for folder in share_folders("humanoid_bringup")]
    for folder in folders:
        if folder.is_dir():
            return folder
    raise ConfigError("skeletons", "", f"none of {', '.join(map(str, folders))}", "a folder of skeleton mappings")


def load_skeletons(folder: str | Path) -> dict[str, SkeletonMap]:
    """Every mapping of a folder, by file name.

    Raises:
        ConfigError: the folder has none, or a file is not a mapping.
    """
    files = sorted(Path(folder).glob("*.yaml"))
    if not files:
        raise ConfigError(folder, "", "no *.yaml", "skeleton mappings")
    return {file.stem: config.load(SkeletonMap, file) for file in files}


def choose_skeleton(bvh: Bvh, skeletons: dict[str, SkeletonMap], name: str = "") -> tuple[str, SkeletonMap]:
    """The mapping called `name`, or where that is empty the one that fits the file's joint names.

    Raises:
        ConfigError: no mapping of that name, none that fits, or several that fit equally well.
    """
    if name:
        if name not in skeletons:
            raise ConfigError(bvh.file, "skeleton", name, f"one of {', '.join(skeletons)}")
        return name, skeletons[name]
    names = set(bvh.names)
    fits = {key: len(skeleton.joints) for key, skeleton in skeletons.items() if skeleton.joints <= names}
    if not fits:
        raise ConfigError(
            bvh.file, "skeleton", f"joints {', '.join(bvh.names)}", f"those of one of {', '.join(skeletons)}"
        )
    best = [key for key, size in fits.items() if size == max(fits.values())]
    if len(best) > 1:
        raise ConfigError(bvh.file, "skeleton", f"a file that fits {' and '.join(best)}", "the name of one of them")
    return best[0], skeletons[best[0]]


@dataclass(frozen=True)
class OperatorMotion:
    """A clip of a person, in the tracking frame.

    Attributes:
        source: Name of the clip's file.
        frame_time: Seconds between samples.
        positions: (frames, 15, 3) [m], in the order of BODY_PARTS.
        rotations: (frames, 15, 4) xyzw.
        validity: (15,) TRACKED or LOST, the same in all frames.
    """

    source: str
    frame_time: float
    positions: np.ndarray
    rotations: np.ndarray
    validity: np.ndarray

    @property
    def duration(self) -> float:
        """Time from the first to the last frame [s]."""
        return (len(self.positions) - 1) * self.frame_time

    def at(self, time: float, stamp: int, sequence: int, engaged: bool) -> OperatorFrame:
        """The person at `time` [s] of the clip, held at both ends: positions linear, rotations slerp between frames."""
        place = min(max(time / self.frame_time, 0.0), len(self.positions) - 1.0)
        before = int(place + 1e-9)
        share = place - before
        positions, turns = self.positions[before].copy(), self.rotations[before].copy()
        if share > 1e-9:
            positions += share * (self.positions[before + 1] - positions)
            for index in np.flatnonzero(self.validity):
                turns[index] = rotations.slerp(turns[index], self.rotations[before + 1, index], share)
        hands = (Hand(engaged=engaged), Hand(engaged=engaged))
        return OperatorFrame(stamp, self.source, sequence, positions, turns, self.validity.copy(), *hands)


def operator_motion(bvh: Bvh, skeleton: SkeletonMap, start: float = 0.0, duration: float = 0.0) -> OperatorMotion:
    """Body parts of a clip in the tracking frame.

    The tracking frame's heading is where the pelvis faces at `start`, its origin on the floor under the head there; the
    floor is the lowest point that the clip reaches.

    Args:
        bvh: The clip.
        skeleton: Its mapping.
        start: Where to begin [s].
        duration: How much to take [s]; 0: all that is left.

    Raises:
        ConfigError: the clip lacks a joint of the mapping, or the span lies outside it.
    """
    missing = sorted(skeleton.joints - set(bvh.names))
    if missing:
        raise ConfigError(bvh.file, "skeleton", f"no joint {', '.join(missing)}", "every joint of the mapping")
    for name in ("head", "pelvis"):
        if name not in skeleton.parts:
            raise ConfigError(
                skeleton.file or bvh.file, f"parts.{name}", "nothing", "a joint: heading and origin need it"
            )
    first = round(start / bvh.frame_time)
    frames = round(duration / bvh.frame_time) if duration > 0 else bvh.frames - first
    if not 0 <= first < bvh.frames or frames < 1 or first + frames > bvh.frames:
        length = bvh.frames * bvh.frame_time
        raise ConfigError(
            bvh.file, "start, duration", f"{start} s, {duration} s", f"a span inside the clip's {length:.2f} s"
        )

    span = slice(first, first + frames)
    tracking_from_file = axes(skeleton.forward, skeleton.up).T
    scale = unit_of(bvh, skeleton)
    joint_positions, joint_rotations = bvh.poses()
    joint_positions = scale * joint_positions @ tracking_from_file.T
    floor = joint_positions[..., 2].min()
    joint_positions, joint_rotations = joint_positions[span], tracking_from_file @ joint_rotations[span]

    positions = np.zeros((frames, len(BODY_PARTS), 3))
    turns = np.broadcast_to(np.eye(3), (frames, len(BODY_PARTS), 3, 3)).copy()
    validity = np.full(len(BODY_PARTS), LOST, dtype=np.uint8)
    for name, part in skeleton.parts.items():
        index = PART_INDEX[name]
        positions[:, index] = joint_positions[:, bvh.index(part.joint)]
        x, z = (skeleton.forward, skeleton.up) if part.x is None or part.z is None else (part.x, part.z)
        turns[:, index] = joint_rotations[:, bvh.index(part.rotation_joint or part.joint)] @ axes(x, z)
        validity[index] = TRACKED

    facing = turns[0, PART_INDEX["pelvis"]][:, 0]
    heading = Rotation.from_euler("z", -np.arctan2(facing[1], facing[0])).as_matrix()
    head = positions[0, PART_INDEX["head"]]
    origin = np.array([head[0], head[1], floor])
    positions = (positions - origin) @ heading.T
    positions[:, validity == LOST] = 0.0
    quaternions = Rotation.from_matrix((heading @ turns).reshape(-1, 3, 3)).as_quat().reshape(frames, -1, 4)
    return OperatorMotion(Path(bvh.file).name, bvh.frame_time, positions, quaternions, validity)


def mirrored(frame: OperatorFrame) -> OperatorFrame:
    """The frame seen in a mirror through the tracking frame's x-z plane: left and right change places."""
    out = OperatorFrame(frame.stamp, frame.source, frame.sequence)
    for part in BODY_PARTS:
        twin = part
        for side, other in zip(SIDES, reversed(SIDES)):
            if part.startswith(side):
                twin = part.replace(side, other)
        here, there = PART_INDEX[part], PART_INDEX[twin]
        out.positions[there] = frame.positions[here] * (1, -1, 1)
        out.rotations[there] = frame.rotations[here] * (-1, 1, -1, 1)
        out.validity[there] = frame.validity[here]
    out.left, out.right = frame.right, frame.left
    return out


def axes(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) whose columns are the axes x, y = z cross x, z.

    Raises:
        ValueError: x and z are not perpendicular or have no length.
    """
    lengths = np.linalg.norm(x), np.linalg.norm(z)
    if x.shape != (3,) or z.shape != (3,) or min(lengths) < 1e-9 or abs(x @ z) > 1e-6 * lengths[0] * lengths[1]:
        raise ValueError(f"axes {x} and {z}, which are not two perpendicular vectors")
    x, z = x / lengths[0], z / lengths[1]
    return np.column_stack([x, np.cross(z, x), z])


def unit_of(bvh: Bvh, skeleton: SkeletonMap) -> float:
    """Length of a file unit [m]."""
    if skeleton.metres_per_unit is not None:
        return skeleton.metres_per_unit
    assert skeleton.stature is not None
    return float(skeleton.stature / np.ptp(bvh.rest_positions() @ skeleton.up / np.linalg.norm(skeleton.up)))
