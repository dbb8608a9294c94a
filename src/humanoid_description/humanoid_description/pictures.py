# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_description pictures`: the robots in home, T and reach poses, frames drawn, on one sheet.

Pictures are made with MuJoCo's ray casting, on the processor: no OpenGL, no display, the same picture everywhere.
"""

from __future__ import annotations

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from humanoid_core.errors import HumanoidError
from humanoid_description import meshes, poses
from humanoid_description.errors import DescriptionError
from humanoid_description.robot import Robot, load
from humanoid_description.sources import find_config, known_robots

SMOOTHING = 2  # rays per pixel and direction, unless asked otherwise
_SEEN, _TOUCHED, _BOTH = range(3)  # groups of shapes
BACKGROUND = np.array((244, 246, 249)) / 255.0
_AXES = ((217, 48, 37), (24, 128, 56), (26, 100, 232))  # x, y, z
_LIGHT = np.array((3.0, 2.2, 5.0))  # where it stands over base_footprint [m]
# Where a robot has them, frames of REP-120 are drawn, and those of the cameras.
_FRAMES = ("base_link", "torso", "gaze", *(s + f for s in ("l_", "r_") for f in ("wrist", "gripper", "sole")))


@dataclass(frozen=True)
class View:
    """Where a picture is taken from.

    Attributes:
        azimuth: Of the camera about the robot's z, 0 in front of it [rad].
        elevation: Of the camera over the horizontal [rad].
        distance: From the middle of the picture [m].
        height: Of the middle of the picture over the floor [m].
        fov_y: Vertical field of view [rad].
    """

    azimuth: float = 0.6
    elevation: float = 0.2
    distance: float = 5.8
    height: float = 0.88
    fov_y: float = 0.40


class Scene:
    """A robot to be looked at, its base at the standing height over a floor.

    Args:
        robot: The robot.

    Raises:
        DescriptionError: MuJoCo does not read its URDF.
    """

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        root = ElementTree.fromstring(meshes.on_disk(robot.urdf))
        ElementTree.SubElement(
            ElementTree.SubElement(root, "mujoco"), "compiler", fusestatic="false", discardvisual="false"
        )
        try:
            spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding="unicode"))
            for body in spec.bodies:
                looks = [geom for geom in body.geoms if geom.contype == 0 and geom.conaffinity == 0]
                for geom in body.geoms:
                    geom.group = _SEEN if geom in looks else _TOUCHED if looks else _BOTH
            spec.body(robot.config.base_frame).pos = (0.0, 0.0, robot.config.base_height)
            spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=(5.0, 5.0, 0.1), group=_BOTH)
            self._model = spec.compile()
        except ValueError as error:
            raise DescriptionError(robot.config.description.xacro, error, "a URDF that MuJoCo reads") from error
        self._data = mujoco.MjData(self._model)
        self._shown = np.zeros(mujoco.mjNGROUP, np.uint8)
        self._floor = int(np.flatnonzero(self._model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)[0])

    def picture(
        self,
        q: np.ndarray,
        width: int,
        height: int,
        view: View = View(),
        frames: bool = True,
        smoothing: int = SMOOTHING,
        touch: bool = False,
        base: np.ndarray | None = None,
    ) -> Image.Image:
        """One picture.

        Args:
            q: Configuration (nq,), in the robot's order.
            width: [px].
            height: [px].
            view: Where it is taken from.
            frames: Whether REP-120 and camera frames are drawn: x red, y green, z blue, 8 cm long.
            smoothing: Rays per pixel and direction.
            touch: Whether shapes for collision checks are shown in place of those to look at.
            base: Place [m] and quaternion xyzw of the base (7,); None: standing straight.
        """
        if base is not None:
            body = self._model.body(self._robot.config.base_frame).id
            self._model.body_pos[body], self._model.body_quat[body] = base[:3], np.roll(base[3:], 1)
        self._shown[:] = [group in (_BOTH, _TOUCHED if touch else _SEEN) for group in range(len(self._shown))]
        positions = dict(zip(self._robot.joints, q[self._robot.index(self._robot.joints)]))
        for joint, mimic in self._robot.mimics.items():
            positions[joint] = mimic.multiplier * positions[mimic.joint] + mimic.offset
        for joint, position in positions.items():
            self._data.qpos[self._model.joint(joint).qposadr[0]] = position
        mujoco.mj_forward(self._model, self._data)
        eye, rotation = _camera(view)
        fine = (height * smoothing, width * smoothing)
        image = Image.fromarray((255.0 * self._colours(eye, rotation, fine, view.fov_y)).astype(np.uint8))
        if frames:
            self._draw_frames(ImageDraw.Draw(image), eye, rotation, fine, view.fov_y, smoothing)
        return image.resize((width, height), Image.Resampling.LANCZOS)

    def _colours(self, eye: np.ndarray, rotation: np.ndarray, size: tuple[int, int], fov_y: float) -> np.ndarray:
        rows, columns = size
        focal = 0.5 * rows / np.tan(0.5 * fov_y)
        x, y = np.meshgrid(np.arange(columns) + 0.5 - 0.5 * columns, np.arange(rows) + 0.5 - 0.5 * rows)
        rays = np.stack([x, y, np.full_like(x, focal)], axis=-1).reshape(-1, 3) @ rotation.T
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        geom, distance, normal = self._cast(eye, rays)
        points = eye + distance[:, None] * rays
        to_light = _LIGHT - points
        away = np.linalg.norm(to_light, axis=1)
        to_light /= away[:, None]
        _, lit_to, _ = self._cast(_LIGHT, -to_light)
        facing = np.clip(np.einsum("ij,ij->i", normal, to_light), 0.0, 1.0)
        lit = np.where(lit_to > away - 2e-3, facing, 0.0)
        skylight = 0.5 + 0.12 * normal[:, 2]
        colour = self._model.geom_rgba[geom, :3] * (skylight + 0.55 * lit)[:, None]
        # The floor is the background, a little darker in the robot's shadow.
        shade = np.where(lit_to > away - 2e-3, 1.0, 0.86)[:, None]
        colour = np.where((geom == self._floor)[:, None], BACKGROUND * shade, colour)
        colour[geom < 0] = BACKGROUND
        return np.clip(colour, 0.0, 1.0).reshape(rows, columns, 3)

    def _cast(self, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What rays from one point hit: geom (n,), -1 for nothing, distance (n,) [m] and outward normal (n, 3)."""
        count = len(rays)
        geom, distance, normal = np.empty(count, np.int32), np.empty(count), np.empty((count, 3))
        flat = np.ascontiguousarray(rays).ravel()
        mujoco.mj_multiRay(
            self._model, self._data, origin, flat, self._shown, True, -1, geom, distance, normal.ravel(), count, 50.0
        )
        return geom, np.where(geom < 0, 50.0, distance), normal

    def _draw_frames(
        self,
        draw: ImageDraw.ImageDraw,
        eye: np.ndarray,
        rotation: np.ndarray,
        size: tuple[int, int],
        fov_y: float,
        smoothing: int,
    ) -> None:
        rows, columns = size
        focal = 0.5 * rows / np.tan(0.5 * fov_y)
        links = {self._model.body(i).name for i in range(self._model.nbody)}
        cameras = [camera.color.frame for camera in self._robot.config.cameras.values()]
        for name in (*_FRAMES, *cameras):
            if name not in links:
                continue
            body = self._data.body(name)
            corners = np.vstack([body.xpos, body.xpos + 0.08 * body.xmat.reshape(3, 3).T])
            seen = (corners - eye) @ rotation
            pixels = focal * seen[:, :2] / seen[:, 2:] + (0.5 * columns, 0.5 * rows)
            for tip, colour in zip(pixels[1:], _AXES):
                draw.line([tuple(pixels[0]), tuple(tip)], fill=colour, width=2 * smoothing)


def _camera(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Place of the camera (3,) and its optical axes (x right, y down, z forward) in the world, (3, 3)."""
    flat = np.cos(view.elevation)
    back = np.array((flat * np.cos(view.azimuth), flat * np.sin(view.azimuth), np.sin(view.elevation)))
    right = np.array((-np.sin(view.azimuth), np.cos(view.azimuth), 0.0))
    rotation = np.column_stack([right, np.cross(-back, right), -back])
    return np.array((0.0, 0.0, view.height)) + view.distance * back, rotation


def sheet(robots: list[Robot], width: int = 330, height: int = 400) -> Image.Image:
    """All robots side by side, one row per pose, at one scale.

    Args:
        robots: From left to right.
        width: Of one picture [px].
        height: Of one picture [px].
    """
    shown = {robot.config.name: poses.named(robot) for robot in robots}
    rows = list(next(iter(shown.values())))
    top, left = 34, 26
    paper = tuple(int(255 * value) for value in BACKGROUND)
    page = Image.new("RGB", (left + width * len(robots), top + height * len(rows)), paper)
    draw = ImageDraw.Draw(page)
    for column, robot in enumerate(robots):
        scene = Scene(robot)
        middle = left + width * (column + 0.5)
        font = ImageFont.load_default(15)
        draw.text((middle, top / 2), robot.config.title, fill=(40, 44, 52), font=font, anchor="mm")
        for row, pose in enumerate(rows):
            picture = scene.picture(shown[robot.config.name][pose], width, height)
            page.paste(picture, (left + width * column, top + height * row))
    for row, pose in enumerate(rows):
        label = Image.new("RGB", (height, left), paper)
        text = ImageDraw.Draw(label)
        text.text((height / 2, left / 2), pose, fill=(90, 96, 104), font=ImageFont.load_default(16), anchor="mm")
        page.paste(label.rotate(90, expand=True), (0, top + height * row))
    return page


def inspection(robot: Robot, width: int = 330, height: int = 400) -> Image.Image:
    """One robot in the poses of the sheet, side by side: above as it looks, below what is checked for collision."""
    scene, shown = Scene(robot), poses.named(robot).values()
    page = Image.new("RGB", (width * len(shown), 2 * height))
    for column, q in enumerate(shown):
        for row, touch in enumerate((False, True)):
            picture = scene.picture(q, width, height, frames=not touch, touch=touch)
            page.paste(picture, (width * column, height * row))
    return page


def main(arguments: list[str] | None = None) -> None:
    """Command line; exits with 1 on an error."""
    parser = argparse.ArgumentParser(prog="pictures", description="Draw robots in three poses on one sheet.")
    parser.add_argument("robot", nargs="*", help="names or paths of robot configurations (default: all robots)")
    parser.add_argument("--out", type=Path, default=Path("robots.png"), help="PNG file (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        robots = [load(find_config(name)) for name in options.robot or known_robots()]
        picture = sheet(robots)
    except HumanoidError as error:
        sys.exit(f"pictures: {error}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(192, dither=Image.Dither.NONE).save(options.out, optimize=True)
    print(f"{options.out}: {len(robots)} robots, {options.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
