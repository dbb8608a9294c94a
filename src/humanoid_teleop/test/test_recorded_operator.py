# SPDX-License-Identifier: Apache-2.0
"""Recordings of persons: CSV exports of Motive and bags, as the player and the offline tool read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import webvr_recording

from humanoid_core.errors import ConfigError, MessageError
from humanoid_teleop.operator import OperatorFrame
from humanoid_teleop.recordings import recorded_operator
from humanoid_teleop.recordings.recorded_operator import RecordedOperator

SETTINGS = (
    "Format Version,1.23,Take Name,reach,Capture Frame Rate,120.0,Export Frame Rate,120.0,Total Exported Frames,3,"
    "Rotation Type,Quaternion,Length Units,{unit},Coordinate Space,Global"
)
BONES = ("Hip", "Head", "LHand")


def export(path: Path, unit: str = "Millimeters", scale: float = 1000.0, settings: str = SETTINGS) -> Path:
    """A take of three frames, y up; the left hand is out of sight in the second."""
    kinds, names, properties, axes = ["", "Type"], ["", "Name"], ["", ""], ["Frame", "Time (Seconds)"]
    for bone in BONES:
        kinds += ["Bone"] * 7 + ["Bone Marker"]
        names += [f"Ann:{bone}"] * 7 + [f"Ann:{bone}1"]
        properties += ["Rotation"] * 4 + ["Position"] * 4
        axes += ["X", "Y", "Z", "W", "X", "Y", "Z", "X"]
    lines = [settings.format(unit=unit), "", *(",".join(row) for row in (kinds, names, properties, axes))]
    for frame in range(3):
        row = [str(frame), f"{frame / 120:.6f}"]
        for bone, (x, y, z) in zip(BONES, ((0.0, 1.0, 0.0), (0.0, 1.6, 0.1), (0.5, 1.2, 0.1 * frame))):
            seen = not (bone == "LHand" and frame == 1)
            row += [str(v) for v in (0, 0, 0, 1, scale * x, scale * y, scale * z, 0)] if seen else [""] * 8
        lines.append(",".join(row))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_motive_export_is_a_person_in_metres(tmp_path):
    person = recorded_operator.load(export(tmp_path / "reach.csv"))
    assert person.duration == pytest.approx(2 / 120, abs=1e-6)
    first = person.at(0.0, 5, 7, engaged=True)
    assert (first.stamp, first.sequence, first.left.engaged) == (5, 7, True)
    # The person faces z in Motive's axes, the head is 0.1 m before the hips: the origin is under it.
    np.testing.assert_allclose(first.position("head"), [0.0, 0.0, 1.6], atol=1e-9)
    np.testing.assert_allclose(first.position("pelvis"), [-0.1, 0.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(first.position("left_wrist"), [-0.1, 0.5, 1.2], atol=1e-9)
    assert not person.at(1 / 120, 0, 0, engaged=False).has("left_wrist")
    np.testing.assert_allclose(person.at(9.0, 0, 0, True).position("left_wrist"), [0.1, 0.5, 1.2], atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (SETTINGS.replace("Quaternion", "XYZ"), "Rotation Type"),
        (SETTINGS.replace("Global", "Local"), "Coordinate Space"),
        (SETTINGS.replace("{unit}", "Feet"), "Length Units"),
        ("a,b,c", "Format Version"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, settings, named):
    with pytest.raises(ConfigError, match=named):
        recorded_operator.load(export(tmp_path / "take.csv", settings=settings))


def test_text_among_the_numbers_names_the_frame(tmp_path):
    path = export(tmp_path / "take.csv")
    path.write_text(path.read_text().replace("1200.0", "high", 1))
    with pytest.raises(ConfigError, match="frame 0"):
        recorded_operator.load(path)


def write_bag(path: Path, held: list[bool]) -> Path:
    """A bag of operator frames at 100 Hz, the left hand held as told."""
    frames = []
    for number, engaged in enumerate(held):
        frame = OperatorFrame(10**9 + number * 10**7, "vr", number)
        frame.set("head", np.array([0.0, 0.0, 1.6]))
        frame.left.engaged = engaged
        frames.append(frame)
    webvr_recording.write_bag(path, frames)
    return path


def test_a_bags_dead_man_counts_too(tmp_path):
    person = recorded_operator.load(write_bag(tmp_path / "bag", [False, True, True, False]))
    assert isinstance(person, RecordedOperator)
    assert person.frame_time == pytest.approx(0.01)
    held = [person.at(0.01 * number, 0, 0, engaged=True).left.engaged for number in range(4)]
    assert held == [False, True, True, False]
    assert not person.at(0.01, 0, 0, engaged=False).left.engaged
    assert not person.at(0.01, 0, 0, engaged=True).right.engaged


def test_a_span_outside_the_bag_is_named(tmp_path):
    path = write_bag(tmp_path / "bag", [True] * 4)
    with pytest.raises(MessageError, match="0 operator frames"):
        recorded_operator.load(path, start=5.0)
    assert recorded_operator.load(path, start=0.01, duration=0.01).duration == pytest.approx(0.01)
