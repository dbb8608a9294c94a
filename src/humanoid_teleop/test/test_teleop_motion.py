# SPDX-License-Identifier: Apache-2.0
"""Clips as a person in the tracking frame."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_core import rotations
from humanoid_core.errors import ConfigError
from humanoid_teleop.operator import LOST, PART_INDEX, TRACKED
from humanoid_teleop.recordings.bvh import Bvh, parse_bvh, read_bvh
from humanoid_teleop.recordings.motion import (
    PartMap,
    SkeletonMap,
    choose_skeleton,
    load_skeletons,
    mirrored,
    operator_motion,
)

# y up, faces z, in centimetres, on a floor 20 cm over the file's zero; the left arm points to x at rest.
FIGURE = """HIERARCHY
ROOT hips
{
    OFFSET 0 0 0
    CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
    JOINT head
    {
        OFFSET 0 60 0
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {
            OFFSET 0 20 0
        }
    }
    JOINT hand
    {
        OFFSET 70 40 0
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {
            OFFSET 10 0 0
        }
    }
    JOINT foot
    {
        OFFSET 10 -95 0
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {
            OFFSET 0 -5 15
        }
    }
}
MOTION
Frames: 3
Frame Time: 0.1
200 120 -300 90 0 0 0 0 0 0 0 0 0 0 0
200 120 -300 90 0 0 0 0 0 0 0 0 0 0 0
200 120 -200 90 0 0 0 0 0 90 0 0 0 0 0
"""


def figure_map(**changes) -> SkeletonMap:
    parts = {
        "head": PartMap("head"),
        "pelvis": PartMap("hips"),
        "left_wrist": PartMap("hand", x=np.array([1.0, 0, 0]), z=np.array([0, 1.0, 0])),
    }
    given = {"up": np.array([0.0, 1, 0]), "forward": np.array([0.0, 0, 1]), "parts": parts, "metres_per_unit": 0.01}
    return SkeletonMap(**{**given, **changes})


def clip() -> Bvh:
    return parse_bvh(FIGURE, "figure.bvh")


def test_tracking_frame_faces_the_person_and_stands_under_the_head():
    motion = operator_motion(clip(), figure_map())
    head, pelvis, wrist = (PART_INDEX[part] for part in ("head", "pelvis", "left_wrist"))
    assert np.allclose(motion.positions[0, head], [0, 0, 1.6])
    assert np.allclose(motion.positions[0, pelvis], [0, 0, 1.0])
    assert np.allclose(motion.positions[0, wrist], [0, 0.7, 1.4])  # to the left
    assert np.allclose(motion.rotations[0, pelvis], [0, 0, 0, 1])
    # 1 m along the file's z, which is to the right of a person who faces the file's x.
    assert np.allclose(motion.positions[2, head], [0, -1.0, 1.6])


def test_wrist_axes_are_along_the_fingers_and_out_of_the_back_of_the_hand():
    motion = operator_motion(clip(), figure_map())
    turn = rotations.matrix(motion.rotations[0, PART_INDEX["left_wrist"]])
    assert np.allclose(turn[:, 0], [0, 1, 0])  # fingers to the left
    assert np.allclose(turn[:, 2], [0, 0, 1])  # palm down
    turn = rotations.matrix(motion.rotations[2, PART_INDEX["left_wrist"]])
    assert np.allclose(turn[:, 0], [0, 0, 1])  # a quarter turn about the file's z, seen by the person: fingers up
    assert np.allclose(turn[:, 2], [0, -1, 0])


def test_stature_gives_the_scale_of_files_of_unknown_unit():
    motion = operator_motion(clip(), figure_map(metres_per_unit=None, stature=0.9))  # the figure is 180 units tall
    assert np.allclose(motion.positions[0, PART_INDEX["head"]], [0, 0, 0.8])


def test_between_frames_positions_are_linear_and_rotations_slerp():
    motion = operator_motion(clip(), figure_map())
    frame = motion.at(0.15, stamp=7, sequence=3, engaged=True)
    assert np.allclose(frame.position("head"), [0, -0.5, 1.6])
    wrist = rotations.matrix(frame.rotation("left_wrist"))
    assert np.allclose(wrist[:, 0], [0, np.sqrt(0.5), np.sqrt(0.5)])
    assert (frame.stamp, frame.sequence, frame.left.engaged, frame.right.engaged) == (7, 3, True, True)
    assert frame.validity[PART_INDEX["head"]] == TRACKED
    assert frame.validity[PART_INDEX["right_wrist"]] == LOST


def test_time_is_held_at_both_ends():
    motion = operator_motion(clip(), figure_map())
    assert motion.duration == pytest.approx(0.2)
    assert np.allclose(motion.at(-1.0, 0, 0, False).positions, motion.positions[0])
    assert np.allclose(motion.at(9.0, 0, 0, False).positions, motion.positions[2])


def test_a_span_begins_with_its_own_heading():
    motion = operator_motion(clip(), figure_map(), start=0.2)
    assert len(motion.positions) == 1
    assert np.allclose(motion.positions[0, PART_INDEX["head"]], [0, 0, 1.6])


@pytest.mark.parametrize(("start", "duration"), [(0.4, 0.0), (0.1, 0.3), (-0.1, 0.0)])
def test_a_span_outside_the_clip_is_refused(start, duration):
    with pytest.raises(ConfigError, match="start, duration"):
        operator_motion(clip(), figure_map(), start, duration)


def test_a_mapping_of_other_joints_is_refused():
    with pytest.raises(ConfigError, match="no joint neck"):
        operator_motion(clip(), figure_map(parts={"head": PartMap("neck"), "pelvis": PartMap("hips")}))


@pytest.mark.parametrize(
    "changes",
    [
        {"metres_per_unit": None},
        {"stature": 1.7},
        {"forward": np.array([0.0, 1, 1])},
        {"parts": {"nose": PartMap("head")}},
        {"parts": {"left_wrist": PartMap("hand", x=np.array([1.0, 0, 0]))}},
    ],
)
def test_a_wrong_mapping_is_refused(changes):
    with pytest.raises(ValueError, match=r"."):
        figure_map(**changes)


def test_shipped_mappings_load_and_differ_in_joints(skeletons):
    maps = load_skeletons(skeletons)
    assert set(maps) >= {"cmu_cgspeed", "cmu_asf", "cmu_max", "fair"}
    for name, skeleton in maps.items():
        assert not any(skeleton.joints <= other.joints for key, other in maps.items() if key != name)


def test_choosing_by_name_and_by_joints(skeletons):
    maps = {"figure": figure_map(), **load_skeletons(skeletons)}
    assert choose_skeleton(clip(), maps)[0] == "figure"
    with pytest.raises(ConfigError, match="one of figure"):
        choose_skeleton(clip(), maps, "nobody")
    with pytest.raises(ConfigError, match="hips"):
        choose_skeleton(clip(), load_skeletons(skeletons))
    with pytest.raises(ConfigError, match="figure and twin"):
        choose_skeleton(clip(), {"figure": figure_map(), "twin": figure_map()})


def test_a_mirror_twice_changes_nothing(person):
    frame = person.frame(5, 6)
    twice = mirrored(mirrored(frame))
    assert np.allclose(twice.positions, frame.positions)
    assert np.allclose(twice.rotations, frame.rotations)
    assert np.allclose(mirrored(frame).position("left_wrist"), frame.position("right_wrist") * (1, -1, 1))


@pytest.mark.parametrize(
    ("file", "skeleton", "rate"),
    [
        ("cmu_02_01_walk", "cmu_cgspeed", 120.0),
        ("cmu_02_06_scoop_lift", "cmu_asf", 120.0),
        ("cmu_131_01_start_walk_stop", "cmu_max", 120.0),
        ("wave_hello", "fair", 119.875),
        ("zombie", "fair", 30.0),
    ],
)
def test_real_captures_are_people(clips, skeletons, file, skeleton, rate):
    clip = read_bvh(clips / f"{file}.bvh")
    name, mapping = choose_skeleton(clip, load_skeletons(skeletons))
    assert name == skeleton
    motion = operator_motion(clip, mapping)
    assert 1.0 / motion.frame_time == pytest.approx(rate, rel=1e-3)
    first = motion.at(0.0, 0, 0, False)
    assert 1.2 < first.position("head")[2] < 1.8
    assert first.position("left_shoulder")[1] > 0.1 > -0.1 > first.position("right_shoulder")[1]
    forearm = first.position("left_wrist") - first.position("left_elbow")
    fingers = rotations.matrix(first.rotation("left_wrist"))[:, 0]
    assert fingers @ forearm / np.linalg.norm(forearm) > 0.6  # the hand goes on where the forearm points
