# SPDX-License-Identifier: Apache-2.0
"""view.launch.py with sliders: a joint that is moved on the page moves the robot's links."""

import json
import math
import re
import urllib.request

import pytest

from humanoid_core import endpoints


@pytest.mark.parametrize(
    ("robot", "joint", "link", "position"),
    [
        ("tiangong2_dex", "head_yaw_joint", "head_yaw_link", 0.5),
        ("unitree_g1", "left_elbow_joint", "left_elbow_link", 1.0),
    ],
)
def test_sliders_move_the_links(cell, robot, joint, link, position):
    with cell("view.launch.py", f"/{robot}", robot=robot, sliders="page", sliders_port=0, viewer="none") as running:
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", running.printed("Sliders: open")).group(1))
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/move",
            json.dumps({joint: position}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["positions"][joint] == position

        states, moved = running.collect(endpoints.JOINT_STATES), running.collect(endpoints.TF)
        running.until(lambda: states and position in states[-1].position, "the slider's joint state")

        def turned():
            angles = [
                2.0 * math.acos(transform.transform.rotation.w)
                for message in moved
                for transform in message.transforms
                if transform.child_frame_id == link
            ]
            return angles and angles[-1] == pytest.approx(position, abs=1e-6)

        running.until(turned, f"{link} turned by {position} rad")
        assert running.stop() == 0
        assert not running.deaths()
