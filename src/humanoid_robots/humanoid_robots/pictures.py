# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_robots pictures`: every scene, and what each camera sees of it, on one sheet."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from ament_index_python.packages import get_package_share_directory

import humanoid_description
from humanoid_core.errors import HumanoidError
from humanoid_description import Robot
from humanoid_description.measures import measure
from humanoid_robots import imperfections, scene
from humanoid_robots.imperfections import ImageSpoiler
from humanoid_robots.plant import Plant
from humanoid_robots.rendering import Renderer, views_of

_HEIGHT = 240  # of each picture [px]
_SETTLE = 0.3  # [s] until things lie still
_FAR = 2500.0  # colours of depth end here [mm]


def row(robot: Robot, file: Path, seed: int) -> np.ndarray:
    """One scene: a bystander's view and what the robot's cameras see, (height, width, 3) uint8, blue first.

    Args:
        robot: Whom the scene is set up for; it stands at home.
        file: The scene.
        seed: Of the scene and of the cameras' noise.

    Raises:
        HumanoidError: scene or robot do not fit, or nothing can be drawn here.
    """
    layout = scene.draw(scene.fitted(scene.load(file), measure(robot)), seed)
    plant = Plant(robot, layout, period=0.002, substeps=2)
    still = np.zeros(len(plant.handles.home))
    for _ in range(round(_SETTLE / plant.period)):
        plant.begin(plant.handles.home, still, still)
        plant.finish()
    views = views_of(robot.config)
    renderer = Renderer(plant.model, 640, max(480, *(view.imager.height for view in views)))
    renderer.pose(plant.data.qpos)
    spoiler = ImageSpoiler(imperfections.load(), seed)
    pictures = [(f"{layout.scene.name}, seed {seed}", renderer.overview(640, 480)[..., ::-1])]
    for view in views:
        image = renderer.view(view)
        if view.stream == "color":
            image = spoiler.color(view.camera, 0, image)[..., ::-1]
        else:
            image = depth_colors(spoiler.depth(view.camera, 0, image, view.imager.focal_length))
        pictures.append((f"{view.camera} {view.stream}", image))
    renderer.close()
    return np.hstack([_captioned(words, image) for words, image in pictures])


def depth_colors(depth: np.ndarray) -> np.ndarray:
    """Depth (height, width) uint16 [mm] for people: near is bright, not measured is black; blue first."""
    shade = np.clip(255.0 * (1.0 - depth / _FAR), 1.0, 255.0).astype(np.uint8)
    return np.where(depth[..., None] > 0, cv2.applyColorMap(shade, cv2.COLORMAP_INFERNO), np.uint8(0))


def _captioned(words: str, image: np.ndarray) -> np.ndarray:
    width = round(image.shape[1] * _HEIGHT / image.shape[0])
    small = cv2.resize(np.ascontiguousarray(image), (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(small, words, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, thickness, cv2.LINE_AA)
    return small


def main(words: list[str] | None = None) -> int:
    """Draw the sheet; exit status 1 where something does not fit."""
    share = Path(get_package_share_directory("humanoid_bringup")) / "config"
    parser = argparse.ArgumentParser(prog="pictures", description="Every scene, and what each camera sees of it.")
    parser.add_argument("--robot", default="unitree_g1", help="robot of config/robots")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one row of each scene per seed")
    parser.add_argument("--out", type=Path, default=Path("scenes.png"), help="the picture")
    told = parser.parse_args(words)
    try:
        robot = humanoid_description.load(share / "robots" / f"{told.robot}.yaml")
        files = [file for file in sorted((share / "scenes").glob("*.yaml")) if scene.load(file).task]
        sheet = np.vstack([row(robot, file, seed) for file in files for seed in told.seeds])
    except HumanoidError as error:
        print(error, file=sys.stderr)
        return 1
    told.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(told.out), sheet)
    print(told.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
