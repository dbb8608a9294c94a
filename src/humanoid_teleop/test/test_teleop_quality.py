# SPDX-License-Identifier: Apache-2.0
"""Why the robot does not follow: words for the operator, from a retargeting that cannot, and the terminal."""

from __future__ import annotations

import math

import numpy as np
import pytest
import rclpy

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import BodyError, SafetyStatus, TeleopStatus
from humanoid_teleop.quality import reasons
from humanoid_teleop.quality_node import QualityNode
from humanoid_teleop.quality_view import View, lines
from humanoid_teleop.retargeting import Retargeter, WristError

NEAR = (0.019, "left_palm", "torso")
NOTHING = (math.nan, "", "")
ARMS = {"left": ["elbow", "waist"], "right": ["other_elbow", "waist"]}


def test_what_follows_needs_no_words():
    assert reasons({"left": WristError(0.01, 0.1, -0.1, 1.0)}, ["elbow"], [], NEAR, True, ARMS) == ""
    assert reasons({"left": WristError()}, ["elbow"], [], NEAR, True, ARMS) == ""


@pytest.mark.parametrize(
    ("wrist", "at_limit", "fast", "nearest", "guarded", "expected"),
    [
        (WristError(0.06, 0.0, 0.04, 1.0), [], [], NOTHING, False, "left wrist 60 mm off: 40 mm beyond reach"),
        (WristError(0.06, 0.0, -0.1, 0.4), [], [], NOTHING, False, "left wrist 60 mm off: joining, 40%"),
        (WristError(0.06, 0.0, -0.1, 1.0), ["elbow", "neck"], [], NOTHING, False, "off: elbow at the end"),
        (WristError(0.06, 0.0, -0.1, 1.0), [], ["waist"], NEAR, False, "off: waist at full speed"),
        (WristError(0.06, 0.0, -0.1, 1.0), [], [], NEAR, True, "off: left_palm and torso 19 mm apart"),
        (WristError(0.06, 0.0, -0.1, 1.0), [], [], NOTHING, True, "left wrist 60 mm off"),
    ],
)
def test_a_wrist_that_lags_says_why(wrist, at_limit, fast, nearest, guarded, expected):
    said = reasons({"left": wrist, "right": WristError()}, at_limit, fast, nearest, guarded, ARMS)
    assert said.endswith(expected)


def follow(robot, settings, person, reach: float) -> Retargeter:
    """A retargeter whose left wrist was led `reach` [m] forward, for four seconds."""
    retargeter = Retargeter(robot, settings)
    retargeter.start({})
    for sequence in range(400):
        person.engaged = {"left": sequence > 30, "right": sequence > 30}
        if 100 < sequence <= 200:
            person.wrists["left"] = person.wrists["left"] + np.array([reach / 100, 0.0, 0.0])
        retargeter.update(person.frame(sequence * 10_000_000, sequence))
        retargeter.tick(sequence * 10_000_000)
    return retargeter


def test_a_hand_out_of_reach_is_called_so(robot, settings, person):
    retargeter = follow(robot, settings, person, 0.5)
    errors = retargeter.errors
    assert errors["left"].joined == 1.0
    assert errors["left"].position > 0.05
    assert errors["left"].beyond == pytest.approx(errors["left"].position, abs=0.05)
    assert errors["right"].beyond < 0.0
    said = reasons(errors, retargeter.at_limit, retargeter.fast, retargeter.closest, False, ARMS)
    assert said.startswith("left wrist")
    assert said.count("beyond reach") == 1


def test_the_screen_shows_what_the_messages_say():
    view = View(
        state="engaged",
        message="following",
        source="webxr",
        frame_rate=72.0,
        age=0.0123,
        solve_time=90e-6,
        errors={"left_wrist": (0.05, 0.1), "left_thumb_tip": (0.004, math.nan), "right_wrist": (math.nan, math.nan)},
        at_limit=["elbow"],
        nearest=NEAR,
        limiter="ACTIVE",
        taken={"elbow": (0.02, ["velocity"]), "knee": (0.3, ["torque", "jerk"])},
    )
    told = "\n".join(lines(view))
    assert "ENGAGED: following" in told
    assert "72 Hz, 12 ms old, 0 lost, 0 refused; solved in 90 us" in told
    assert "50 mm  ##########              6 deg" in told
    assert "right_wrist" not in told
    assert "left_palm and torso 19 mm apart" in told
    assert told.index("knee: 0.300 taken, torque, jerk") < told.index("elbow: 0.020 taken")
    assert "SILENT" in lines(View())[0]
    assert max(map(len, lines(view, 40))) <= 40


def test_the_node_shows_what_it_hears(capsys):
    rclpy.init()
    node, probe = QualityNode(), rclpy.create_node("probe")
    teleop, safety = (ros.publisher(probe, topic) for topic in (endpoints.TELEOP_STATUS, endpoints.SAFETY_STATUS))
    told, frames = "", 0
    for _ in range(2000):
        status = TeleopStatus(state=TeleopStatus.ENGAGED, message="following", source="webxr", frames=frames)
        status.header.stamp = convert.to_stamp(frames * 10_000_000)  # 100 Hz
        status.errors = [BodyError(name="left_wrist", position=0.03, orientation=0.0)]
        teleop.publish(status)
        safety.publish(
            SafetyStatus(
                state=SafetyStatus.ACTIVE,
                joint_names=["elbow", "wrist"],
                joint_reasons=[SafetyStatus.VELOCITY | SafetyStatus.TORQUE, SafetyStatus.JERK],
                interference=[0.05, 1e-6],
            )
        )
        frames += 50
        rclpy.spin_once(node, timeout_sec=0.02)
        told += capsys.readouterr().out
        if "webxr        100 Hz" in told and "elbow: 0.050 taken" in told:
            break
    node.destroy_node()
    probe.destroy_node()
    rclpy.shutdown()
    assert "ENGAGED: following" in told
    assert "left_wrist            30 mm  ######" in told
    assert "limiter      ACTIVE" in told
    assert "elbow: 0.050 taken, velocity, torque" in told
    assert "webxr        100 Hz" in told
    assert "wrist: 0.000 taken" not in told
