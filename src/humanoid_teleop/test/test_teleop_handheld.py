# SPDX-License-Identifier: Apache-2.0
"""Handheld devices: axes, the tracking frame, dead-men."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from humanoid_core import rotations
from humanoid_core.errors import ConfigError
from humanoid_teleop.devices.handheld import HandheldPerson, load_map
from humanoid_teleop.operator import OperatorFrame

FILE = Path(__file__).parents[3] / "config/devices/openxr_controllers.yaml"
MS = 1_000_000
RELEASED, HELD = [0.0, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 1.0]


class Devices:
    """A person who faces the system's -z (as OpenXR has it), controllers before them, thumbs up."""

    def __init__(self) -> None:
        self.person = HandheldPerson(load_map(FILE), stale=0.1)
        self.now = 1_000_000_000

    def step(self, left=RELEASED, right=RELEASED, silent: str = "", across=0.4) -> OperatorFrame | None:
        self.now += 10 * MS
        # Columns: the controller's x to the system's x, its y to the system's z (fingers ahead), its z downwards.
        turn = rotations.quaternion(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]))
        for side, x, joy in (("left", -across / 2, left), ("right", across / 2, right)):
            if side != silent:
                self.person.pose(side, np.array([1.0 + x, 1.1, -2.5]), turn, self.now)
            self.person.joy(side, joy, [0, 0, 0, 0])
        self.person.pose("head", np.array([1.0, 1.7, -2.0]), np.array([0.0, 0, 0, 1]), self.now)
        return self.person.frame(self.now)


def test_the_person_stands_in_the_tracking_frame() -> None:
    frame = Devices().step()
    assert frame is not None
    assert frame.position("head") == pytest.approx([0, 0, 1.7], abs=1e-9)
    assert rotations.matrix(frame.rotation("head")) == pytest.approx(np.eye(3), abs=1e-9)
    assert frame.position("left_wrist") == pytest.approx([0.41, 0.2, 1.1], abs=1e-9)  # 0.09 behind the grip
    for side, back in (("left", [0, 1, 0]), ("right", [0, -1, 0])):
        hand = rotations.matrix(frame.rotation(f"{side}_wrist"))
        assert hand[:, 0] == pytest.approx([1, 0, 0], abs=1e-9)
        assert hand[:, 2] == pytest.approx(back, abs=1e-9)
    assert frame.left.grip == 0.25


def test_a_dead_man_counts_after_it_was_seen_released() -> None:
    devices = Devices()
    frames = [devices.step(left=joy) for joy in (HELD, RELEASED, HELD)]
    assert [frame.left.engaged for frame in frames if frame] == [False, False, True]
    assert not any(frame.right.engaged for frame in frames if frame)


def test_a_silent_device_is_lost_and_comes_back_released() -> None:
    devices = Devices()
    devices.step()
    devices.step(left=HELD, right=HELD)
    frames = [devices.step(left=HELD, right=HELD, silent="left") for _ in range(12)]
    assert frames[-1] is not None
    assert not frames[-1].has("left_wrist")
    assert not frames[-1].left.engaged
    assert frames[-1].right.engaged
    back = devices.step(left=HELD, right=HELD)
    assert back is not None
    assert back.has("left_wrist")
    assert not back.left.engaged


def test_nothing_while_it_is_not_known_where_the_person_faces() -> None:
    devices = Devices()
    assert devices.step(silent="right") is None
    assert devices.step(across=0.01) is None
    assert devices.step() is not None


def test_nonsense_is_ignored() -> None:
    devices = Devices()
    devices.step()
    devices.person.pose("left", np.array([np.nan, 0, 0]), np.array([0.0, 0, 0, 1]), devices.now)
    devices.person.pose("left", np.zeros(3), np.zeros(4), devices.now)
    devices.person.joy("left", [], [])
    frame = devices.person.frame(devices.now)
    assert frame is not None
    assert frame.position("left_wrist") == pytest.approx([0.41, 0.2, 1.1], abs=1e-9)
    assert np.isnan(frame.left.grip)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [("dead_man_axis: 3", "dead_man_axis: -1", "dead_man"), ("back: [1, 0, 0]", "back: [0, 1, 0]", "grips.right")],
)
def test_a_wrong_mapping_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    file = tmp_path / "device.yaml"
    file.write_text(FILE.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=key):
        load_map(file)
