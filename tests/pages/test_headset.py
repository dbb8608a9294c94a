# SPDX-License-Identifier: Apache-2.0
"""A person with an (emulated) headset drives the twin through the page, records, and comes back after a reload."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pinocchio
import pytest

import humanoid_description
from humanoid_core import convert, endpoints
from humanoid_interfaces.msg import EpisodeStatus, SafetyStatus, TeleopStatus

from . import browser as browsers

ROOT = Path(__file__).parents[2]
REACH = 0.12  # [m] forward with the left hand

STANDING = """
headset.position.set(0, 1.62, 0);
for (const [side, x] of [['left', -0.22], ['right', 0.22]]) headset.controllers[side].position.set(x, 1.05, -0.35);
"""
SQUEEZE = "for (const side of ['left', 'right']) headset.controllers[side].updateButtonValue('squeeze', {})"
# A smooth reach forwards, as the page's time goes.
REACHING = f"""
new Promise((done) => {{
  const from = headset.controllers.left.position.z, start = performance.now();
  const step = () => {{
    const part = Math.min(1, (performance.now() - start) / 2000);
    headset.controllers.left.position.z = from - {REACH} * (0.5 - 0.5 * Math.cos(Math.PI * part));
    part < 1 ? setTimeout(step, 10) : done();
  }};
  step();
}})
"""


def press(page: browsers.Browser, name: str) -> None:
    """Click a button of the page."""
    page.run(f"[...document.querySelectorAll('button')].find((button) => button.textContent == '{name}').click()")


@pytest.mark.skipif(bool(browsers.missing(headset=True)), reason=browsers.missing(headset=True))
def test_the_robot_follows_a_headset(cell, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(os.environ, "ROS_HOME", str(tmp_path / "ros"))
    robot = humanoid_description.load(ROOT / "config/robots/unitree_g1.yaml")
    model = robot.pinocchio()
    data, frame = model.createData(), model.getFrameId(robot.config.operator.arms["left"].wrist_frame)

    def wrist(state) -> np.ndarray:
        q = pinocchio.neutral(model)
        for name, position in zip(state.name, state.position):
            if model.existJointName(name):
                q[model.joints[model.getJointId(name)].idx_q] = position
        pinocchio.framesForwardKinematics(model, data, q)
        return data.oMf[frame].translation.copy()

    with (
        cell(
            "collect.launch.py",
            operator="webxr",
            page_port=0,
            scene="empty",
            out=tmp_path / "episodes",
            time_scale=0.2,  # leaves the browser, which draws in software too, its share of a small machine
        ) as running,
        browsers.Browser(tmp_path / "profile", headset=True) as page,
    ):
        line = running.printed(r"headset: open https://")
        port, code = re.search(r":(\d+)/ and type (\d{6})", line).groups()
        running.message(endpoints.JOINT_STATES)
        page.open(f"https://127.0.0.1:{port}/#{code}")
        page.until("document.getElementById('role').textContent == 'Nobody drives'")
        page.run(STANDING)
        page.run("document.getElementById('enter').click()")
        page.until("document.getElementById('role').textContent == 'You drive'")
        running.message(endpoints.TELEOP_STATUS, lambda m: m.state == TeleopStatus.READY)

        page.run(SQUEEZE.format(1))
        running.message(
            endpoints.COMMAND_STATUS, lambda m: any(s.name == "teleop" and s.enabled and s.alive for s in m.sources)
        )
        press(page, "Engage")
        running.message(endpoints.SAFETY_STATUS, lambda m: m.state == SafetyStatus.ACTIVE)
        running.message(endpoints.TELEOP_STATUS, lambda m: m.state == TeleopStatus.ENGAGED)
        press(page, "Record")
        running.message(endpoints.RECORDER_STATUS, lambda m: m.state == EpisodeStatus.RECORDING)

        states, before = running.collect(endpoints.JOINT_STATES), wrist(running.message(endpoints.JOINT_STATES))
        page.run(REACHING)
        running.until(lambda: wrist(states[-1])[0] - before[0] > 0.5 * REACH, "the robot's left hand reaches out")
        page.until("document.getElementById('left').width == 640")
        press(page, "grasp")
        running.message(endpoints.ANNOTATIONS, lambda m: m.label == "grasp")
        page.screenshot(tmp_path / "page.png")
        print(page.run("document.getElementById('status').innerText"))
        press(page, "Success")
        done = running.message(endpoints.RECORDER_STATUS, lambda m: m.last_outcome == EpisodeStatus.SUCCESS)
        assert Path(done.last_path).is_dir()

        page.open(f"https://127.0.0.1:{port}/")  # a reload: still paired, no longer engaged
        page.until("document.getElementById('role').textContent == 'Nobody drives'")
        running.message(endpoints.COMMAND_STATUS, lambda m: not m.active)
        page.run(STANDING + SQUEEZE.format(1))
        page.run("document.getElementById('enter').click()")
        frame_ = running.message(endpoints.OPERATOR_FRAME, lambda m: any(p.name == "left_wrist" for p in m.poses))
        assert frame_.left_hand.grip == 1.0
        assert not frame_.left_hand.engaged
        assert not running.deaths()
        assert convert.stamp_ns(frame_.header.stamp) > convert.stamp_ns(done.header.stamp)
