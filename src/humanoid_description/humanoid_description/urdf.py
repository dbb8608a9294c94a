# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_description urdf <robot>`: print a robot's URDF, as every node here uses it."""

from __future__ import annotations

import argparse
import sys

from humanoid_core.errors import HumanoidError
from humanoid_description.robot import load
from humanoid_description.sources import find_config


def main(arguments: list[str] | None = None) -> None:
    """Command line; exits with 1 on an error."""
    parser = argparse.ArgumentParser(prog="urdf", description="Print a robot's URDF, xacro expanded.")
    parser.add_argument("robot", help="name, such as unitree_g1, or path of a robot configuration")
    parser.add_argument("--urdf", default="", help="maker's URDF or xacro file or package://..., completed")
    options = parser.parse_args(arguments)
    try:
        print(load(find_config(options.robot), options.urdf).urdf)
    except HumanoidError as error:
        sys.exit(f"urdf: {error}")


if __name__ == "__main__":
    main()
