# SPDX-License-Identifier: Apache-2.0
"""A leader arm or exoskeleton as the operator: joint to joint, no inverse kinematics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from humanoid_core import config
from humanoid_core.errors import ConfigError, MessageError
from humanoid_description import Robot

TURN = 2.0 * np.pi


@dataclass(frozen=True)
class LeaderJoint:
    """Which joint of the leader a robot's joint follows.

    Attributes:
        leader: Its name there.
        sign: 1, or -1 where it turns the other way.
        scale: Robot's angle over leader's.
    """

    leader: str
    sign: int = 1
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.sign not in (1, -1) or self.scale <= 0.0:
            raise ValueError(f"sign {self.sign}, scale {self.scale}: must be 1 or -1, and above 0")


@dataclass(frozen=True)
class LeaderGrip:
    """Which joint of the leader closes a hand.

    Attributes:
        leader: Its name there.
        released: Its position, hand open [rad].
        pressed: Its position, hand closed [rad].
    """

    leader: str
    released: float
    pressed: float

    def __post_init__(self) -> None:
        if abs(self.pressed - self.released) < 0.05:
            raise ValueError(f"pressed {self.pressed}: must differ from released {self.released} by 0.05 rad at least")


@dataclass(frozen=True)
class LeaderMap:
    """A leader for one robot.

    Attributes:
        joints: By the robot's joint.
        grips: By side.
    """

    joints: dict[str, LeaderJoint]
    grips: dict[str, LeaderGrip] = field(default_factory=dict)


def load_leader(file: str | Path, robot: Robot) -> LeaderMap:
    """The mapping in a file, checked against the robot.

    Raises:
        ConfigError: it is none, or names a joint or hand that the robot does not have or may not command.
    """
    mapping = config.load(LeaderMap, file)
    for joint in mapping.joints:
        if joint not in robot.config.commanded_joints:
            raise ConfigError(file, f"joints.{joint}", "no commanded joint", f"one of those of {robot.config.name}")
    for side in mapping.grips:
        if side not in robot.config.hands:
            raise ConfigError(file, f"grips.{side}", "no hand", f"one of {', '.join(robot.config.hands) or 'none'}")
    used = [entry.leader for entry in mapping.joints.values()] + [grip.leader for grip in mapping.grips.values()]
    for name in used:
        if used.count(name) > 1:
            raise ConfigError(file, "joints", f"leader joint {name} twice", "each once")
    return mapping


class Leader:
    """Robot targets from a leader's joint positions.

    Offsets come from a calibration: the person holds the leader as the robot stands in its home pose. Until then there
    are no targets. A joint that counts within one turn is followed over the end of the turn.

    Args:
        mapping: Which joint follows which.
        robot: The robot.
        offsets: Of a calibration before, robot joint -> [rad].
    """

    def __init__(self, mapping: LeaderMap, robot: Robot, offsets: Mapping[str, float] | None = None) -> None:
        self._map, self._robot = mapping, robot
        self.offsets = dict(offsets or {})
        self._last: dict[str, float] = {}
        self.names = list(mapping.joints)
        for side in mapping.grips:
            self.names += robot.config.groups[robot.config.hands[side].group]

    @property
    def calibrated(self) -> bool:
        """Whether every joint has its offset."""
        return set(self._map.joints) <= set(self.offsets)

    def calibrate(self, readings: Mapping[str, float]) -> dict[str, float]:
        """Take the leader's present positions as the robot's home pose; returns the offsets.

        Raises:
            MessageError: a joint is missing.
        """
        self._last.clear()
        home = self._robot.config.home
        self.offsets = {
            joint: home.get(joint, 0.0) - entry.sign * entry.scale * self._reading(readings, entry.leader)
            for joint, entry in self._map.joints.items()
        }
        return self.offsets

    def targets(self, readings: Mapping[str, float]) -> np.ndarray:
        """Positions in the order of `names` [rad or m].

        Args:
            readings: Leader joint -> position [rad].

        Raises:
            MessageError: a joint is missing or no number.
        """
        positions = [
            self.offsets[joint] + entry.sign * entry.scale * self._unwrapped(entry.leader, readings)
            for joint, entry in self._map.joints.items()
        ]
        for side, share in self.grips(readings).items():
            hand = self._robot.config.hands[side]
            for joint in self._robot.config.groups[hand.group]:
                positions.append(hand.open[joint] + share * (hand.closed[joint] - hand.open[joint]))
        return np.array(positions)

    def grips(self, readings: Mapping[str, float]) -> dict[str, float]:
        """How far each hand is closed, 0..1, by side.

        Raises:
            MessageError: a joint is missing or no number.
        """
        return {
            side: float(
                np.clip(
                    (self._reading(readings, grip.leader) - grip.released) / (grip.pressed - grip.released), 0.0, 1.0
                )
            )
            for side, grip in self._map.grips.items()
        }

    def far_joints(self, targets: Sequence[float], positions: Mapping[str, float], tolerance: float) -> list[str]:
        """Arm joints whose target is further than `tolerance` [rad] from where the robot is."""
        return [
            joint
            for joint, target in zip(self._map.joints, targets)
            if joint not in positions or abs(target - positions[joint]) > tolerance
        ]

    def _reading(self, readings: Mapping[str, float], name: str) -> float:
        value = readings.get(name)
        if value is None or not np.isfinite(value):
            raise MessageError("leader", f"{name}: {value}", f"a position of every joint of the mapping, {name} too")
        return value

    def _unwrapped(self, name: str, readings: Mapping[str, float]) -> float:
        value = self._reading(readings, name)
        if name in self._last:
            value += TURN * round((self._last[name] - value) / TURN)
        self._last[name] = value
        return value


def load_offsets(file: Path) -> dict[str, float]:
    """Offsets of a calibration; empty where there was none.

    Raises:
        ConfigError: the file holds something else.
    """
    if not file.exists():
        return {}
    content = config.read_yaml(file)
    for joint, offset in content.items():
        if not isinstance(offset, (int, float)):
            raise ConfigError(file, str(joint), offset, "an offset [rad]; remove the file and calibrate anew")
    return {str(joint): float(offset) for joint, offset in content.items()}


def save_offsets(file: Path, offsets: Mapping[str, float]) -> None:
    """Write a calibration."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({joint: round(offset, 6) for joint, offset in offsets.items()}, sort_keys=False))
