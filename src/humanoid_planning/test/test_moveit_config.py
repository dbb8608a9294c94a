# SPDX-License-Identifier: Apache-2.0
"""MoveIt's configuration is that of the robots' own files, and plans come of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from ament_index_python.packages import get_package_share_path
from moveit.core.planning_scene import PlanningScene
from moveit.core.robot_model import RobotModel

from humanoid_description import find_config, load
from humanoid_description.sources import known_robots
from humanoid_planning import moveit_config

CONFIG = Path(__file__).parents[3] / "config" / "moveit"
ROBOTS = known_robots()


@pytest.fixture(scope="module", params=ROBOTS)
def robot(request):
    return load(find_config(request.param))


def test_the_files_are_what_the_robot_says(robot):
    """Where this fails, run `ros2 run humanoid_planning make_moveit_config`."""
    folder = CONFIG / robot.config.name
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == moveit_config.files(robot)


def test_groups_joints_and_limits_fit_the_srdf(robot):
    parameters = moveit_config.read(CONFIG / robot.config.name, robot)
    planning = parameters["robot_description_planning"]
    model = RobotModel._from_text(robot.urdf, robot.srdf, planning["joint_limits"])
    joints = set(parameters["moveit_simple_controller_manager"]["planning"]["joints"])
    assert {"left_arm", "right_arm", "both_arms", "upper_body"} <= set(parameters["ompl"])
    for name in ("left_arm", "right_arm", "both_arms", "upper_body"):
        group = model.get_joint_model_group(name)
        assert set(group.active_joint_model_names) <= joints
        for (bounds,) in group.active_joint_model_bounds:
            assert bounds.jerk_bounded
            assert bounds.acceleration_bounded
    assert set(parameters["robot_description_kinematics"]) == {"left_arm", "right_arm"}


def test_home_is_free_even_with_the_padding_and_of_links_on_one_body_too(robot):
    """Stock MoveIt also looks at links that are fixed to each other: the SRDF has to leave those out."""
    model = RobotModel._from_text(robot.urdf, robot.srdf, {})
    scene = PlanningScene(model)
    scene.current_state.joint_positions = robot.config.home
    assert not scene._collisions("upper_body", moveit_config.PADDING).collides(scene.current_state._q)
    assert not scene._collisions("", 0.0).collides(scene.current_state._q)
    shapes = {link: parts for link, parts in scene._links.items() if parts}
    for first in shapes:
        for second in shapes:
            bodies = [model._pin.frames[model._frame(link)].parentJoint for link in (first, second)]
            if first < second and bodies[0] == bodies[1] and frozenset((first, second)) not in model._disabled:
                gap = np.linalg.norm(
                    scene.current_state.get_global_link_transform(first)[:3, 3]
                    - scene.current_state.get_global_link_transform(second)[:3, 3]
                )
                pytest.fail(f"{first} and {second} are one body ({gap:.2f} m apart), and the SRDF does not say so")


def test_each_robot_has_a_package_as_moveits_builder_looks_for_it(robot):
    share = get_package_share_path(f"{robot.config.name}_moveit_config")
    named = yaml.safe_load((share / ".setup_assistant").read_text(encoding="utf-8"))["moveit_setup_assistant_config"]
    urdf = get_package_share_path(named["urdf"]["package"]) / named["urdf"]["relative_path"]
    assert urdf.is_file()
    assert (share / named["srdf"]["relative_path"]).read_text(encoding="utf-8") == robot.srdf
    assert (share / "config" / "ompl_planning.yaml").is_file()
