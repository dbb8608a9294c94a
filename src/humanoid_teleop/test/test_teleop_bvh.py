# SPDX-License-Identifier: Apache-2.0
"""The BVH parser on good and bad files, and forward kinematics by hand."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_teleop.recordings.bvh import BvhError, parse_bvh, read_bvh

ARM = """HIERARCHY
ROOT hip
{
    OFFSET 0 0 0
    CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
    JOINT elbow
    {
        OFFSET 0 2 0
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {
            OFFSET 1 0 0
        }
    }
}
MOTION
Frames: 2
Frame Time: 0.01
1 2 3 0 0 0 0 0 0
0 0 0 90 0 0 90 0 0
"""


def test_offsets_add_up_while_nothing_turns():
    positions, rotations = parse_bvh(ARM).poses()
    assert positions[0].tolist() == [[1, 2, 3], [1, 4, 3], [2, 4, 3]]
    assert np.allclose(rotations[0], np.eye(3))


def test_rotations_carry_children_along():
    positions, _ = parse_bvh(ARM).poses()
    # The hip's quarter turn about z takes (0, 2, 0) to (-2, 0, 0); with the elbow's, the hand's (1, 0, 0) points to -x.
    assert np.allclose(positions[1], [[0, 0, 0], [-2, 0, 0], [-3, 0, 0]])


def test_rotation_order_is_that_of_the_channels():
    def hand(order: str) -> np.ndarray:
        text = ARM.replace("CHANNELS 3 Zrotation Xrotation Yrotation", f"CHANNELS 3 {order}")
        text = text.replace("0 0 0 90 0 0 90 0 0", "0 0 0 0 0 0 90 90 0").replace("OFFSET 1 0 0", "OFFSET 0 1 0")
        return parse_bvh(text).poses()[0][1, 2]

    # Rz(90) Rx(90) takes y to z, then z stays; Rx(90) Rz(90) takes y to -x, then -x stays.
    assert np.allclose(hand("Zrotation Xrotation Yrotation"), [0, 2, 1])
    assert np.allclose(hand("Xrotation Zrotation Yrotation"), [-1, 2, 0])


def test_position_channels_replace_offsets():
    text = ARM.replace("CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS 1 Yposition").replace(
        "1 2 3 0 0 0 0 0 0\n0 0 0 90 0 0 90 0 0", "0 0 0 0 0 0 5\n0 0 0 90 0 0 5"
    )
    positions, _ = parse_bvh(text).poses()
    assert positions[0, 1].tolist() == [0, 5, 0]


def test_braces_may_share_a_line():
    tight = ARM.replace("\n{", " {").replace("\n    {", " {").replace("\n        {", " {")
    assert parse_bvh(tight).names == parse_bvh(ARM).names == ["hip", "elbow", "elbow/end"]


@pytest.mark.parametrize(
    ("old", "new", "line", "found", "expected"),
    [
        ("HIERARCHY", "HIERACHY", 1, "HIERACHY", "HIERARCHY"),
        ("ROOT hip", "JOINT hip", 2, "JOINT hip", "ROOT"),
        ("OFFSET 0 2 0", "OFFSET 0 two 0", 8, "two", "a number"),
        ("OFFSET 0 2 0", "OFFSET 0 2", 8, "OFFSET 0 2", "OFFSET x y z"),
        ("OFFSET 0 2 0", "OFFSET 0 nan 0", 8, "nan", "a finite number"),
        ("CHANNELS 3 Z", "CHANNELS 4 Z", 9, "CHANNELS 4", "4 channel names"),
        (
            "Zrotation Xrotation Yrotation\n    JOINT",
            "Zrotation Wrotation Yrotation\n    JOINT",
            5,
            "Wrotation",
            "Xposition",
        ),
        ("JOINT elbow", "JOINT hip", 6, "hip", "stand once"),
        ("JOINT elbow", "BONE elbow", 6, "BONE elbow", "JOINT"),
        ("MOTION", "MOTOIN", 16, "MOTOIN", "MOTION"),
        ("Frames: 2", "Frames: many", 17, "many", "whole number"),
        ("Frames: 2", "Frames: 0", 18, "0", "at least one"),
        ("Frames: 2", "Frames: 3", 20, "the end of the file", "frame 3 of 3"),
        ("Frames: 2", "Frames: 1", 20, "0 0 0 90", "the end of the file after 1"),
        ("Frame Time: 0.01", "Frame Time: -1", 18, "-1", "above 0"),
        ("1 2 3 0 0 0 0 0 0", "1 2 3 0 0 0 0 0", 19, "8 values", "9 channel values"),
        ("1 2 3 0 0 0 0 0 0", "1 2 3 0 0 x 0 0 0", 19, "x", "a number"),
        ("1 2 3 0 0 0 0 0 0", "1 2 3 0 0 inf 0 0 0", 19, "not finite", "finite"),
    ],
)
def test_bad_files_are_refused_with_file_and_line(old, new, line, found, expected):
    assert old in ARM
    with pytest.raises(BvhError) as error:
        parse_bvh(ARM.replace(old, new, 1), "clip.bvh")
    assert str(error.value).startswith(f"clip.bvh:{line}: ")
    before, after = str(error.value).split(", expected ")
    assert found in before
    assert expected in after


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BvhError, match="nowhere"):
        read_bvh(tmp_path / "nowhere.bvh")


def test_cut_off_anywhere_is_an_error_not_a_crash():
    for length in range(0, len(ARM) - 25, 7):
        with pytest.raises(BvhError):
            parse_bvh(ARM[:length])
