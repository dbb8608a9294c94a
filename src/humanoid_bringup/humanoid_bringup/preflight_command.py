# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_bringup preflight`: the table on screen or as JSON, and an exit status."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from rclpy.utilities import remove_ros_args

import humanoid_description
from humanoid_bringup import preflight
from humanoid_bringup.preflight_node import PreflightNode
from humanoid_core import ros
from humanoid_core.errors import HumanoidError


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="preflight", description="One red and green table before anybody engages.")
    parser.add_argument("--robot", default="unitree_g1", help="robot model, or the path of its configuration")
    parser.add_argument("--robot-name", default="", help="name of this very robot: its namespace; default: the model")
    parser.add_argument("--urdf", default="", help="the launch's urdf:=")
    parser.add_argument("--sensors", default="", help="the list of a real robot's sensors; default: of config/sensors")
    parser.add_argument("--without", nargs="*", default=[], metavar="TOPIC", help="beginnings of topics to leave out")
    parser.add_argument("--out", default="out", help="folder of the episodes, where no recorder runs")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to look, of the robot's time [s]")
    parser.add_argument("--wait", type=float, default=15.0, help="how long to wait for what is absent [s]")
    parser.add_argument(
        "--press", action="store_true", help="press the stop and reset it, where the limiter is in HOLD"
    )
    parser.add_argument("--json", action="store_true", help="the table for programs")
    return parser.parse_args(arguments)


def main() -> None:
    """Run the check; exit code 1 where something is red, 2 where it could not be made."""
    options = _options(remove_ros_args(sys.argv)[1:])
    made: list[PreflightNode] = []
    try:
        robot = humanoid_description.load(humanoid_description.find_config(options.robot), options.urdf)
    except HumanoidError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    options.robot_name = options.robot_name or robot.config.name

    def make() -> PreflightNode:
        made.append(PreflightNode(robot, options))
        return made[0]

    ros.run(make, [sys.argv[0]])
    table = made[0].table if made else []
    if not table:
        sys.exit(2)
    text = preflight.to_json if options.json else partial(preflight.to_text, colour=sys.stdout.isatty())
    print(text(options.robot_name, table), flush=True)
    sys.exit(0 if preflight.passed(table) else 1)
