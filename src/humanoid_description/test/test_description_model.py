# SPDX-License-Identifier: Apache-2.0
"""The G1's model: a few of the maker's figures, and what only makes sense on one robot. All figures: test_exactness."""

import numpy as np
import pinocchio
import pytest

import humanoid_description as description


@pytest.fixture(scope="module")
def g1() -> description.Robot:
    return description.load(description.find_config("unitree_g1"))


def test_a_few_of_the_makers_figures(g1):
    model = g1.pinocchio()
    data = model.createData()
    pinocchio.framesForwardKinematics(model, data, np.zeros(model.nq))
    assert sum(inertia.mass for inertia in model.inertias) == pytest.approx(34.394, abs=1e-3)
    elbow, palm = (data.oMf[g1.frame_id(f"left_{name}")].translation for name in ("elbow_link", "hand_palm_link"))
    assert palm - elbow == pytest.approx([0.2255, 0.00489, -0.01], abs=1e-4)
    sole = data.oMf[g1.frame_id("l_sole")].translation
    assert g1.config.base_height == pytest.approx(-sole[2], abs=2e-3)
    assert len(g1.joints) == 43


def test_right_side_mirrors_the_left(g1):
    """The same movement on both sides brings the palms to mirrored places, whatever the signs of the joints."""
    model = g1.pinocchio()
    data = model.createData()
    about_y = ("shoulder_pitch", "elbow", "wrist_pitch")
    random = np.random.default_rng(2)
    for _ in range(20):
        angles = {}
        for joint in g1.group("left_arm"):
            turn = random.uniform(-0.5, 0.5)
            word = joint.removeprefix("left_").removesuffix("_joint")
            angles[joint] = turn
            angles[joint.replace("left", "right")] = turn if word in about_y else -turn
        pinocchio.framesForwardKinematics(model, data, g1.q(angles))
        left, right = (data.oMf[g1.frame_id(f"{side}_hand_palm_link")].translation for side in ("left", "right"))
        assert left * [1.0, -1.0, 1.0] == pytest.approx(right, abs=2e-5)


def test_operator_axes_point_where_a_hand_does(g1):
    """Arms forward: fingers ahead and backs outwards. Arms hanging: fingers down, backs outwards."""
    model = g1.pinocchio()
    data = model.createData()
    hanging = g1.q({f"{side}_elbow_joint": np.pi / 2 for side in ("left", "right")})
    for q, fingers in ((np.zeros(model.nq), [1.0, 0.0, 0.0]), (hanging, [0.0, 0.0, -1.0])):
        pinocchio.framesForwardKinematics(model, data, q)
        for side, outwards in (("left", [0.0, 1.0, 0.0]), ("right", [0.0, -1.0, 0.0])):
            arm = g1.arm(side)
            axes = data.oMf[g1.frame_id(arm.wrist_frame)].rotation @ arm.wrist_from_operator
            assert np.linalg.det(axes) == pytest.approx(1.0)
            assert axes[:, 0] == pytest.approx(fingers, abs=1e-3)
            assert axes[:, 2] == pytest.approx(outwards, abs=1e-3)
            tip = data.oMf[g1.frame_id(f"{side}_hand_index_tip")].translation
            palm = data.oMf[g1.frame_id(f"{side}_hand_palm_link")].translation
            assert (tip - palm) @ axes[:, 0] > 0.1


def test_arm_lengths_come_from_the_model(g1):
    left, right = g1.arm("left"), g1.arm("right")
    assert left.shoulder == pytest.approx([0.004, 0.1426, 0.2522], abs=1e-3)
    assert right.shoulder == pytest.approx(left.shoulder * [1.0, -1.0, 1.0], abs=2e-5)
    assert left.upper_length == pytest.approx(0.1916, abs=1e-3)
    assert left.fore_length == pytest.approx(np.linalg.norm([0.184, 0.00189, -0.01]), abs=1e-6)
    assert left.elbow_frame == "left_elbow_link"
    # Stretched, the wrist is not farther from the shoulder than the arm is long.
    model = g1.pinocchio()
    data = model.createData()
    pinocchio.framesForwardKinematics(model, data, g1.q({"left_elbow_joint": 1.4}))
    torso = data.oMf[g1.frame_id("torso")]
    wrist = torso.actInv(data.oMf[g1.frame_id("l_wrist")].translation)
    assert np.linalg.norm(wrist - left.shoulder) <= left.length + 1e-9
    assert np.linalg.norm(wrist - left.shoulder) > 0.97 * left.length


def test_pads_face_what_the_fingers_close_on(g1):
    model = g1.pinocchio()
    data = model.createData()
    for side in ("left", "right"):
        pinocchio.framesForwardKinematics(model, data, g1.home())
        grip = data.oMf[g1.frame_id(f"{side[0]}_gripper")]
        palm = data.oMf[g1.frame_id(f"{side}_hand_palm_pad")]
        assert palm.rotation[:, 2] @ (grip.translation - palm.translation) > 0.02
        hand = g1.config.hands[side]
        half = {joint: 0.5 * (hand.open[joint] + hand.closed[joint]) for joint in hand.open}
        pinocchio.framesForwardKinematics(model, data, g1.q(half))
        thumb, index = (data.oMf[g1.frame_id(f"{side}_hand_{finger}_pad")] for finger in ("thumb", "index"))
        assert thumb.rotation[:, 2] @ index.rotation[:, 2] < 0.0


def test_optical_frames_look_along_z(g1):
    model = g1.pinocchio()
    data = model.createData()
    pinocchio.framesForwardKinematics(model, data, g1.home())
    head = data.oMf[g1.frame_id("head_camera_color_optical")].rotation
    assert head[0, 2] > 0.6  # forwards
    assert head[2, 2] < -0.6  # and down at the table
    assert head[:, 0] == pytest.approx([0.0, -1.0, 0.0], abs=1e-9)  # x to the right
    for side in ("left", "right"):
        camera = data.oMf[g1.frame_id(f"{side}_wrist_camera_color_optical")]
        grip = camera.actInv(data.oMf[g1.frame_id(f"{side[0]}_gripper")].translation)
        half = 0.5 * g1.config.cameras[f"{side}_wrist"].color.fov_y
        assert np.arctan2(abs(grip[1]), grip[2]) < half  # the grasp is inside the picture
