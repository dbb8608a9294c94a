# SPDX-License-Identifier: Apache-2.0
"""Biovision hierarchy (BVH) motion capture: a strict parser and forward kinematics for all frames at once.

The format: joint OFFSETs from the parent, per joint any of six channels in any order, then one line of channel values
per frame. A joint's rotation is the product of its elementary rotations in channel order; a position channel replaces
that coordinate of the OFFSET, which is what exporters that write positions for every joint mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humanoid_core.errors import HumanoidError

POSITION_CHANNELS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}
ROTATION_CHANNELS = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}


class BvhError(HumanoidError):
    """A BVH file that cannot be read.

    Args:
        file: The file.
        line: Line number, from 1.
        found: What stands there.
        expected: What should.
    """

    def __init__(self, file: object, line: int, found: str, expected: str) -> None:
        self.file = str(file)
        self.line = line
        super().__init__(f"{file}:{line}: found {found}, expected {expected}")


@dataclass(frozen=True)
class BvhJoint:
    """A joint of the hierarchy.

    Attributes:
        name: As in the file; end sites are named "<parent>/end".
        parent: Index of the parent; -1 for the root.
        offset: (3,) from the parent, in the parent's axes [file units].
        channels: Channel names in file order.
        first_channel: Column of the first channel in the motion.
    """

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]
    first_channel: int


@dataclass(frozen=True)
class Bvh:
    """A parsed file.

    Attributes:
        file: Where it came from.
        joints: Parents before children.
        frame_time: Seconds per frame.
        motion: (frames, channels), as in the file: degrees and file units.
    """

    file: str
    joints: tuple[BvhJoint, ...]
    frame_time: float
    motion: np.ndarray

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.motion)

    @property
    def names(self) -> list[str]:
        """Joint names, in order."""
        return [joint.name for joint in self.joints]

    def index(self, name: str) -> int:
        """Index of a joint.

        Raises:
            KeyError: no such joint.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(name) from None

    def poses(self) -> tuple[np.ndarray, np.ndarray]:
        """Forward kinematics of every frame.

        Returns:
            Positions (frames, joints, 3) [file units] and rotations (frames, joints, 3, 3), in the file's axes.
        """
        positions = np.empty((self.frames, len(self.joints), 3))
        rotations = np.empty((self.frames, len(self.joints), 3, 3))
        for index, joint in enumerate(self.joints):
            local, turn = np.broadcast_to(joint.offset, (self.frames, 3)).copy(), np.eye(3)
            for column, channel in enumerate(joint.channels, joint.first_channel):
                values = self.motion[:, column]
                if channel in POSITION_CHANNELS:
                    local[:, POSITION_CHANNELS[channel]] = values
                else:
                    turn = turn @ _elementary(ROTATION_CHANNELS[channel], np.radians(values))
            if joint.parent < 0:
                positions[:, index], rotations[:, index] = local, turn
            else:
                parent = rotations[:, joint.parent]
                positions[:, index] = positions[:, joint.parent] + np.einsum("fij,fj->fi", parent, local)
                rotations[:, index] = parent @ turn
        return positions, rotations

    def rest_positions(self) -> np.ndarray:
        """Joint positions (joints, 3) [file units] with every rotation zero and the root at its offset."""
        positions = np.zeros((len(self.joints), 3))
        for index, joint in enumerate(self.joints):
            positions[index] = joint.offset + (positions[joint.parent] if joint.parent >= 0 else 0.0)
        return positions


def _elementary(axis: int, angles: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) by angles (n,) [rad] about axis 0, 1 or 2."""
    cosine, sine = np.cos(angles), np.sin(angles)
    out = np.zeros((len(angles), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[:, axis, axis] = 1.0
    out[:, i, i] = out[:, j, j] = cosine
    out[:, i, j], out[:, j, i] = -sine, sine
    return out


def read_bvh(path: str | Path) -> Bvh:
    """Read a BVH file.

    Raises:
        BvhError: the file cannot be read, or a line is not what the format demands; names file and line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BvhError(path, 0, str(error), "a readable text file") from error
    return parse_bvh(text, str(path))


def parse_bvh(text: str, file: str = "<text>") -> Bvh:
    """Parse BVH text; see `read_bvh`."""
    return _Parser(text, file).parse()


class _Parser:
    """Reads line by line; `self._line` is the number of the line that errors name."""

    def __init__(self, text: str, file: str) -> None:
        self._file = file
        self._line = 0
        self._lines = self._words(text)
        self._joints: list[BvhJoint] = []
        self._channels = 0

    def parse(self) -> Bvh:
        self._keyword("HIERARCHY")
        words = self._next("ROOT <name>")
        if words[0] != "ROOT":
            raise self._error(words, "ROOT <name>")
        self._joint(self._name(words), parent=-1)
        words = self._next("MOTION")
        if words == ["ROOT"] or words[0] == "ROOT":
            raise self._error(words, "MOTION: files with more than one skeleton are not supported")
        if words != ["MOTION"]:
            raise self._error(words, "MOTION")
        frames = self._whole(self._labelled("Frames:"))
        frame_time = self._number(self._labelled("Frame", "Time:"))
        if frame_time <= 0:
            raise self._error([str(frame_time)], "a frame time above 0 s")
        return Bvh(self._file, tuple(self._joints), frame_time, self._motion(frames))

    # hierarchy

    def _joint(self, name: str, parent: int) -> None:
        if name in (joint.name for joint in self._joints):
            raise self._error([name], "joint names that stand once")
        self._keyword("{")
        offset = self._offset()
        words = self._next("CHANNELS")
        if words[0] != "CHANNELS" or len(words) < 2:
            raise self._error(words, "CHANNELS <number> <names>")
        channels = tuple(words[2:])
        if self._whole(words[1]) != len(channels):
            raise self._error(words, f"{words[1]} channel names")
        for channel in channels:
            if channel not in POSITION_CHANNELS and channel not in ROTATION_CHANNELS:
                raise self._error([channel], f"one of {', '.join([*POSITION_CHANNELS, *ROTATION_CHANNELS])}")
        if len(set(channels)) != len(channels):
            raise self._error(words, "each channel at most once")
        self._joints.append(BvhJoint(name, parent, offset, channels, self._channels))
        self._channels += len(channels)
        index = len(self._joints) - 1
        while True:
            words = self._next("JOINT, End Site or }")
            if words == ["}"]:
                return
            if words[0] == "JOINT":
                self._joint(self._name(words), parent=index)
            elif words == ["End", "Site"]:
                self._end_site(index)
            else:
                raise self._error(words, "JOINT <name>, End Site or }")

    def _end_site(self, parent: int) -> None:
        self._keyword("{")
        base = name = f"{self._joints[parent].name}/end"
        copy = 1
        while name in (joint.name for joint in self._joints):
            copy += 1
            name = f"{base}{copy}"
        self._joints.append(BvhJoint(name, parent, self._offset(), (), self._channels))
        self._keyword("}")

    def _offset(self) -> np.ndarray:
        words = self._next("OFFSET x y z")
        if words[0] != "OFFSET" or len(words) != 4:
            raise self._error(words, "OFFSET x y z")
        return np.array([self._number(word) for word in words[1:]])

    def _name(self, words: list[str]) -> str:
        if len(words) < 2:
            raise self._error(words, f"{words[0]} <name>")
        return " ".join(words[1:])

    # motion

    def _motion(self, frames: int) -> np.ndarray:
        if frames < 1:
            raise self._error([str(frames)], "at least one frame")
        motion = np.empty((frames, self._channels))
        for frame in range(frames):
            words = self._next(f"frame {frame + 1} of {frames}")
            if len(words) != self._channels:
                raise self._error([f"{len(words)} values"], f"{self._channels} channel values in frame {frame + 1}")
            try:
                motion[frame] = words
            except ValueError:
                for word in words:
                    self._number(word)
                raise
            if not np.isfinite(motion[frame]).all():
                raise self._error(["a value that is not finite"], f"finite channel values in frame {frame + 1}")
        for words in self._lines:
            raise self._error(words, f"the end of the file after {frames} frames")
        return motion

    # lines and words

    def _words(self, text: str) -> Iterator[list[str]]:
        for number, line in enumerate(text.splitlines(), 1):
            # Braces may share a line with other words.
            words = line.replace("{", " { ").replace("}", " } ").split()
            self._line = number
            start = 0
            for index, word in enumerate(words):
                if word in "{}":
                    if words[start:index]:
                        yield words[start:index]
                    yield [word]
                    start = index + 1
            if words[start:]:
                yield words[start:]

    def _next(self, expected: str) -> list[str]:
        words = next(self._lines, None)
        if words is None:
            raise BvhError(self._file, self._line, "the end of the file", expected)
        return words

    def _keyword(self, keyword: str) -> None:
        words = self._next(keyword)
        if words != [keyword]:
            raise self._error(words, keyword)

    def _labelled(self, *label: str) -> str:
        expected = f"{' '.join(label)} <value>"
        words = self._next(expected)
        if words[:-1] != list(label):
            raise self._error(words, expected)
        return words[-1]

    def _number(self, word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            raise self._error([word], "a number") from None
        if not np.isfinite(value):
            raise self._error([word], "a finite number")
        return value

    def _whole(self, word: str) -> int:
        try:
            return int(word)
        except ValueError:
            raise self._error([word], "a whole number") from None

    def _error(self, words: list[str], expected: str) -> BvhError:
        text = " ".join(words)
        return BvhError(self._file, self._line, repr(text if len(text) < 60 else text[:57] + "..."), expected)
