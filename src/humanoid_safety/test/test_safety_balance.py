# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time

from humanoid_description import load
from humanoid_safety.balance import BalanceWatch, _hull, _margin
from humanoid_safety.markers import safety_markers
from humanoid_safety.self_distance import Near

ROBOTS = sorted((Path(__file__).parents[3] / "config" / "robots").glob("*.yaml"))


def test_hull_and_margin_of_a_square():
    points = np.array([[0, 0], [2, 0], [2, 2], [0, 2], [1, 1], [0.3, 1.2], [1, 0]], dtype=float)
    hull = _hull(points)
    assert sorted(map(tuple, hull)) == [(0, 0), (0, 2), (2, 0), (2, 2)]
    assert _margin(hull, np.array([0.5, 1.0])) == pytest.approx(0.5)
    assert _margin(hull, np.array([2.25, 1.0])) == pytest.approx(-0.25)


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_every_robot_stands_at_home_and_leans_with_its_arms(path):
    robot = load(path)
    watch = BalanceWatch(robot)
    balance = watch.look(robot.joints, robot.home())
    assert balance.margin > 0.0
    assert balance.polygon[0, 2] == pytest.approx(-robot.config.base_height, abs=0.02)
    shoulder = robot.config.operator.arms["left"].shoulder_joints[0]
    q = robot.home()
    q[robot.index([shoulder])] += 1.0
    assert not np.allclose(watch.look(robot.joints, q).centre, balance.centre, atol=1e-4)


def test_markers_show_the_closest_points_polygon_and_centre_of_mass():
    robot = load(ROBOTS[-1])
    balance = BalanceWatch(robot).look(robot.joints, robot.home())
    near = Near(0.015, "a", "b", np.zeros(3), np.array([0.0, 0.0, 0.015]))
    markers = {marker.ns: marker for marker in safety_markers(Time(), "base_link", near, balance).markers}
    assert set(markers) == {"closest", "support", "centre_of_mass", "centre_of_mass_on_floor"}
    assert [point.z for point in markers["closest"].points] == [0.0, 0.015]
    assert markers["closest"].color.r > markers["closest"].color.g  # nearer than 2 cm: red
    assert len(markers["support"].points) == len(balance.polygon) + 1
