# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_planning make_moveit_config [robot ...]`: write config/moveit/<robot>/ from its files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from humanoid_core.errors import HumanoidError
from humanoid_description import find_config, load
from humanoid_description.sources import known_robots, share_folders
from humanoid_planning.moveit_config import files


def main(arguments: list[str] | None = None) -> None:
    """Command line; exits with 1 on an error, and with --check where a file does not agree."""
    parser = argparse.ArgumentParser(prog="make_moveit_config", description="Write MoveIt's configuration of robots.")
    parser.add_argument("robots", nargs="*", help="names, such as unitree_g1 (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file does not agree")
    parser.add_argument(
        "--out", type=Path, help="folder of the robots' folders (default: config/moveit of the sources)"
    )
    options = parser.parse_args(arguments)
    out = options.out or share_folders("humanoid_description")[-1] / "config" / "moveit"
    wrong = []
    try:
        for name in options.robots or known_robots():
            for file, text in files(load(find_config(name))).items():
                place = out / name / file
                if options.check:
                    if not place.is_file() or place.read_text(encoding="utf-8") != text:
                        wrong.append(str(place))
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
    except HumanoidError as error:
        sys.exit(f"make_moveit_config: {error}")
    for place in wrong:
        print(f"{place}: does not agree; run make_moveit_config")
    sys.exit(1 if wrong else 0)
