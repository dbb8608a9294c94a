# SPDX-License-Identifier: Apache-2.0
"""Scenes: what stands around the robot, read from a file and varied by a seed. No physics here, no ROS."""

from __future__ import annotations

import dataclasses
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from humanoid_core import config, task
from humanoid_core.errors import ConfigError
from humanoid_core.task import ObjectState, Task
from humanoid_description.measures import Measures

Color = tuple[float, float, float]  # red, green, blue, 0..1


@dataclass(frozen=True)
class Room:
    """Floor and wall.

    Attributes:
        wall_distance: From the robot to the wall in front of it [m].
        wall_height: [m].
        floor_colors: Of the floor's two kinds of tiles.
        wall_color: Of the wall.
    """

    wall_distance: float
    wall_height: float
    floor_colors: tuple[Color, Color]
    wall_color: Color


@dataclass(frozen=True)
class Table:
    """A table: position of its centre (x, y) [m], size (x, y) [m], height of its surface [m]."""

    position: tuple[float, float]
    size: tuple[float, float]
    height: float
    color: Color


@dataclass(frozen=True)
class Bin:
    """Where things belong: position of its centre (x, y) [m], height of its floor [m], inner size (x, y) [m].

    Kinds: a bin, an open box on a stand; a tray, the same without a stand, on a table; a shelf, a board of a rack with
    no wall on the side that faces the robot's middle.
    """

    position: tuple[float, float]
    height: float
    size: tuple[float, float]
    wall_height: float
    color: Color
    kind: Literal["bin", "tray", "shelf"] = "bin"


@dataclass(frozen=True)
class Look:
    """How lights and colours are drawn.

    Attributes:
        brightness: Of the lights over those that the scene is made for, low and high.
        warmth: Red goes up by at most this share, and blue down, or the other way round.
        tilt: Of the main light, at most, about x and y [rad].
        tint: Colours of things and room change by at most this share.
    """

    brightness: tuple[float, float]
    warmth: float
    tilt: float
    tint: float


@dataclass(frozen=True)
class Parcels:
    """How parcels are drawn. Lengths in m, angles in rad, masses in kg; low and high ends of uniform distributions."""

    places: tuple[tuple[float, float, float], ...]  # x, y, yaw
    count: int
    position_spread: float
    yaw_spread: float
    size_low: tuple[float, float, float]
    size_high: tuple[float, float, float]
    mass: tuple[float, float]
    friction: tuple[float, float]
    color: Color
    name: str = "parcel"  # parcel_1, parcel_2, ...
    shape: Literal["box", "cylinder"] = "box"  # a cylinder stands; its diameter is its depth
    taped: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.count <= len(self.places):
            raise ValueError(f"{self.count} parcels for {len(self.places)} places")
        ranges = [*zip(self.size_low, self.size_high), self.mass, self.friction]
        if any(not 0 < low <= high for low, high in ranges):
            raise ValueError("sizes, masses and friction must be positive, low before high")


@dataclass(frozen=True)
class Worker:
    """Whom a scene's places and heights are for: height of the shoulders and reach from shoulder to palm [m]."""

    shoulder_height: float
    reach: float


@dataclass(frozen=True)
class Scene:
    """A scene file. Frame: odom, origin on the floor under the robot's base, x forward.

    Another robot than the `worker` gets the scene at its own height and reach (see `fitted`); without one the figures
    are taken as they are.
    """

    name: str
    task: str
    room: Room
    tables: dict[str, Table]
    bins: dict[str, Bin]
    parcels: Parcels | None = None
    worker: Worker | None = None
    look: Look | None = None


@dataclass(frozen=True)
class Light:
    """Lights and colours as drawn; see Look.

    Attributes:
        brightness: Over those that the scene is made for.
        warmth: Red goes up by this share, and blue down.
        tilt: About x and y (2,) [rad].
        tint: Largest change of a colour, as a share.
        grain: Seed of grain and tints.
    """

    brightness: float = 1.0
    warmth: float = 0.0
    tilt: tuple[float, float] = (0.0, 0.0)
    tint: float = 0.0
    grain: int = 0

    def tinted(self, color: Color, name: str) -> Color:
        """A thing's colour; the same thing has the same one each time."""
        if not self.tint:
            return color
        random = np.random.default_rng((self.grain, zlib.crc32(name.encode())))
        red, green, blue = np.clip(color * (1.0 + random.uniform(-self.tint, self.tint, 3)), 0.0, 1.0).tolist()
        return (red, green, blue)


@dataclass(frozen=True)
class Parcel:
    """One parcel as drawn.

    Attributes:
        name: parcel_1, parcel_2, ...
        position: Centre (3,) [m].
        yaw: About z [rad].
        size: Full edge lengths (3,) [m]: depth, width, height.
        mass: [kg].
        friction: Sliding coefficient.
        goal: Name of its bin.
        shape: "box" or "cylinder".
    """

    name: str
    position: np.ndarray
    yaw: float
    size: np.ndarray
    mass: float
    friction: float
    goal: str
    shape: str = "box"

    @property
    def orientation(self) -> np.ndarray:
        """Quaternion xyzw (4,)."""
        return np.array((0.0, 0.0, np.sin(0.5 * self.yaw), np.cos(0.5 * self.yaw)))


@dataclass(frozen=True)
class Layout:
    """A scene with its parcels and its light drawn for one seed."""

    scene: Scene
    seed: int
    parcels: tuple[Parcel, ...]
    light: Light = Light()

    def fixed_objects(self) -> list[ObjectState]:
        """Tables and bins."""
        level = np.array((0.0, 0.0, 0.0, 1.0))
        objects = []
        for name, table in self.scene.tables.items():
            centre = np.array((*table.position, 0.5 * table.height))
            objects.append(ObjectState(name, "table", centre, level, np.array((*table.size, table.height))))
        for name, item in self.scene.bins.items():
            centre = np.array((*item.position, item.height + 0.5 * item.wall_height))
            objects.append(ObjectState(name, item.kind, centre, level, np.array((*item.size, item.wall_height))))
        return objects


def load(path: str | Path) -> Scene:
    """Read a scene file.

    Raises:
        ConfigError: the file does not fit, or it has parcels but no table under them or no bin for them.
    """
    scene = config.load(Scene, path)
    if scene.parcels is not None:
        if not scene.bins:
            raise ConfigError(path, "bins", "none", "at least one: parcels need a goal")
        for i, (x, y, _) in enumerate(scene.parcels.places):
            if _support(scene, x, y) is None:
                raise ConfigError(path, f"parcels.places[{i}]", f"({x}, {y}) on no table", "a place on a table")
    return scene


def load_with_task(path: Path) -> tuple[Scene, Task | None]:
    """Read a scene file and the file of its task, `../tasks/<task>.yaml`.

    Raises:
        ConfigError: one of them does not fit.
    """
    scene = load(path)
    return scene, task.load(path.parent.parent / "tasks" / f"{scene.task}.yaml") if scene.task else None


def fitted(scene: Scene, robot: Measures) -> Scene:
    """The scene at a robot's height and reach.

    Places and footprints grow with the reach, about the axis that the chest turns about; heights grow so down from the
    shoulders. What is handled keeps its size and mass, but does not get larger than the reach allows; it is its near
    edge whose distance grows, so that a large robot need not reach farther around it than it can.

    Args:
        scene: For its worker.
        robot: The robot's measures.
    """
    worker = scene.worker
    if worker is None:
        return scene
    grown = robot.reach / worker.reach
    shrunk = min(1.0, grown)

    def place(x: float, y: float) -> tuple[float, float]:
        return (float(robot.axis[0]) + grown * x, float(robot.axis[1]) + grown * y)

    def height(z: float) -> float:
        return float(robot.shoulders[2]) + grown * (z - worker.shoulder_height)

    def footprint(size: tuple[float, float]) -> tuple[float, float]:
        return (grown * size[0], grown * size[1])

    def sized(edges: tuple[float, float, float]) -> tuple[float, float, float]:
        return (shrunk * edges[0], shrunk * edges[1], shrunk * edges[2])

    parcels = scene.parcels
    if parcels is not None:
        edge = 0.25 * (parcels.size_low[0] + parcels.size_high[0])  # half the depth

        def nearer(x: float, y: float) -> tuple[float, float]:
            share = 1.0 - (1.0 - shrunk / grown) * edge / math.hypot(x, y)
            return place(share * x, share * y)

        parcels = dataclasses.replace(
            parcels,
            places=tuple((*nearer(x, y), yaw) for x, y, yaw in parcels.places),
            position_spread=grown * parcels.position_spread,
            size_low=sized(parcels.size_low),
            size_high=sized(parcels.size_high),
            mass=(shrunk**3 * parcels.mass[0], shrunk**3 * parcels.mass[1]),
        )
    change = dataclasses.replace
    return change(
        scene,
        tables={
            name: change(item, position=place(*item.position), size=footprint(item.size), height=height(item.height))
            for name, item in scene.tables.items()
        },
        bins={
            name: change(item, position=place(*item.position), size=footprint(item.size), height=height(item.height))
            for name, item in scene.bins.items()
        },
        parcels=parcels,
        worker=Worker(float(robot.shoulders[2]), robot.reach),
    )


def draw(scene: Scene, seed: int) -> Layout:
    """Draw the parcels and the light of a scene.

    Args:
        scene: The scene.
        seed: The same seed gives the same parcels.
    """
    random = np.random.default_rng(seed)
    parcels: list[Parcel] = []
    if scene.parcels is not None:
        kind = scene.parcels
        order = random.permutation(len(kind.places))[: kind.count]
        # As even as can be: a bin holds few parcels side by side.
        shuffled = [list(scene.bins)[i] for i in random.permutation(len(scene.bins))]
        goals = [shuffled[i % len(shuffled)] for i in range(kind.count)]
        for i, place in enumerate(sorted(order)):
            x, y, yaw = kind.places[place]
            size = np.round(random.uniform(kind.size_low, kind.size_high), 3)
            if kind.shape == "cylinder":
                size[1] = size[0]
            support = _support(scene, x, y)
            assert support is not None  # load() checked it
            shift = random.uniform(-kind.position_spread, kind.position_spread, 2)
            parcels.append(
                Parcel(
                    name=f"{kind.name}_{i + 1}",
                    position=np.array((x + shift[0], y + shift[1], support.height + 0.5 * size[2])),
                    yaw=yaw + float(random.uniform(-kind.yaw_spread, kind.yaw_spread)),
                    size=size,
                    mass=float(random.uniform(*kind.mass)),
                    friction=float(random.uniform(*kind.friction)),
                    goal=goals[i],
                    shape=kind.shape,
                )
            )
    return Layout(scene, seed, tuple(parcels), _light(scene.look, seed))


def _light(look: Look | None, seed: int) -> Light:
    """Drawn apart from the parcels: the same seed has the same parcels in any light."""
    if look is None:
        return Light()
    random = np.random.default_rng((seed, 1))
    around, over = random.uniform(-look.tilt, look.tilt, 2).tolist()
    return Light(
        brightness=float(random.uniform(*look.brightness)),
        warmth=float(random.uniform(-look.warmth, look.warmth)),
        tilt=(around, over),
        tint=look.tint,
        grain=seed + 1,
    )


def _support(scene: Scene, x: float, y: float) -> Table | None:
    for table in scene.tables.values():
        inside = np.abs(np.subtract((x, y), table.position)) <= 0.5 * np.asarray(table.size)
        if inside.all():
            return table
    return None
