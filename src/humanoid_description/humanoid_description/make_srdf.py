# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_description make_srdf <robot>`: write the pairs of links that need no collision check.

They stand between two marks. Groups, end effectors and poses above them are written by people and stay.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from humanoid_core.errors import HumanoidError
from humanoid_description import collision_matrix
from humanoid_description.errors import DescriptionError
from humanoid_description.robot import Robot, load
from humanoid_description.sources import find_config

SAMPLES, SEED = 10_000, 20260101
BEGIN, END = "<!-- Disabled pairs: ", "<!-- End of disabled pairs -->"
_MARKED = re.compile(rf"[ \t]*{re.escape(BEGIN)}.*?{re.escape(END)}\n", re.DOTALL)


def disabled_block(robot: Robot, samples: int, seed: int, progress: Callable[[float], None] = lambda done: None) -> str:
    """The marked part of the SRDF."""
    pairs = collision_matrix.disabled_pairs(robot.pinocchio(), robot.urdf, samples, seed, progress)
    lines = [f"  {BEGIN}written by `make_srdf {robot.config.name}`, {samples} samples, seed {seed} -->"]
    lines += [f'  <disable_collisions link1="{a}" link2="{b}" reason="{why}"/>' for (a, b), why in pairs.items()]
    return "\n".join([*lines, f"  {END}", ""])


def rewritten(text: str, block: str, file: Path) -> str:
    """SRDF text with its marked part replaced, or added at the end where it has none.

    Raises:
        DescriptionError: the text is no SRDF.
    """
    if _MARKED.search(text):
        return _MARKED.sub(lambda _: block, text)
    if "</robot>" not in text:
        raise DescriptionError(file, "no </robot>", "an SRDF that ends with it")
    return text.replace("</robot>", f"\n{block}</robot>")


def main(arguments: list[str] | None = None) -> None:
    """Command line; exits with 1 on an error, and with --check where the file does not agree."""
    parser = argparse.ArgumentParser(
        prog="make_srdf", description="Write the disabled collision pairs of a robot's SRDF."
    )
    parser.add_argument("robot", help="name, such as unitree_g1, or path of a robot configuration")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="random configurations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the random numbers (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file does not agree")
    options = parser.parse_args(arguments)
    try:
        robot = load(find_config(options.robot))
        block = disabled_block(robot, options.samples, options.seed, _show)
        text = rewritten(robot.srdf, block, robot.srdf_path)
    except HumanoidError as error:
        sys.exit(f"make_srdf: {error}")
    if options.check:
        print(f"{robot.srdf_path}: {'agrees' if text == robot.srdf else 'does not agree; run make_srdf'}")
        sys.exit(0 if text == robot.srdf else 1)
    robot.srdf_path.resolve().write_text(text, encoding="utf-8")
    reasons = re.findall(r'reason="(\w+)"', block)
    counts = ", ".join(f"{reasons.count(why)} {why.lower()}" for why in sorted(set(reasons)))
    print(f"{robot.srdf_path}: {len(reasons)} pairs disabled ({counts})")


def _show(done: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{100 * done:3.0f} %", end="\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
