# SPDX-License-Identifier: Apache-2.0
"""The twin without ROS: physics, servos and sensors on one simulated clock. Commands in, readings out, period by
period."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from humanoid_core.errors import MessageError
from humanoid_core.task import Task
from humanoid_description import Robot
from humanoid_description.measures import measure
from humanoid_robots.drive import DriveSetPoints
from humanoid_robots.events import SceneWatch
from humanoid_robots.imperfections import Imperfections, Spoiler
from humanoid_robots.lidar import SLICES, LidarScanner
from humanoid_robots.plant import Plant
from humanoid_robots.readings import EventReading, ObjectsReading, Reading
from humanoid_robots.rendering import RenderThread, View, views_of
from humanoid_robots.scene import Scene, draw, fitted
from humanoid_robots.servo import Mode, SetPoints
from humanoid_robots.settings import Settings
from humanoid_robots.sound import Soundscape
from humanoid_robots.tactile import TactileSkin
from humanoid_robots.thermal import Windings

_SECOND = 1_000_000_000
_WATCH_RATE = 50.0  # of contacts and objects, for events [Hz]
START_NS = _SECOND  # a stamp of zero means "none" to ROS


class Schedule:
    """Which streams are due at an instant: the first instant of each of their periods. Instants come in order."""

    def __init__(self, rates: dict[str, float]) -> None:
        self._rates = {name: rate for name, rate in rates.items() if rate > 0.0}
        self._next = dict.fromkeys(self._rates, 0)

    def due(self, stamp: int) -> list[str]:
        """Names of the streams whose turn it is at `stamp` [ns]."""
        names = [name for name, at in self._next.items() if stamp >= at]
        for name in names:
            rate = self._rates[name]
            self._next[name] = math.ceil((stamp * rate // _SECOND + 1) * _SECOND / rate)
        return names


class Twin:
    """A simulated robot in a scene.

    Args:
        robot: The robot.
        scene: The scene.
        task: The scene's task, if it has one.
        settings: How it runs.
        images: Draws the cameras; None: no cameras, whatever the settings say.
        imperfections: How far sensors and links are from ideal; None: not at all. Pictures are `images`' own business.
    """

    def __init__(
        self,
        robot: Robot,
        scene: Scene,
        task: Task | None,
        settings: Settings,
        images: RenderThread | None = None,
        imperfections: Imperfections | None = None,
    ) -> None:
        config = robot.config
        self.robot = robot
        self.settings = settings
        self.now = START_NS
        self.period_ns = round(_SECOND / settings.control_rate)
        self._images = images if settings.cameras else None
        self._views = views_of(config)
        self._measures = measure(robot)
        rates = {"joints": config.joint_state_rate, "objects": settings.objects_rate, "base": settings.base_rate}
        rates |= {f"imu/{place}": imu.rate for place, imu in config.imus.items()}
        rates |= {f"wrench/{place}": wrench.rate for place, wrench in config.wrenches.items()}
        rates |= {"tactile": max((pad.rate for pad in config.tactile.values()), default=0.0), "watch": _WATCH_RATE}
        if config.lidar is not None and settings.lidar:
            rates["lidar"] = config.lidar.rate * SLICES
        if config.microphone is not None:
            rates["sound"] = config.microphone.rate
        if self._images is not None:
            rates |= {f"view/{i}": view.imager.rate for i, view in enumerate(self._views)}
        self._schedule = Schedule(rates)
        self._pending: list[Reading] = []
        self._imperfections = imperfections
        self._delay = imperfections.command_delay if imperfections is not None else 0.0
        exposure = imperfections.camera.exposure if imperfections is not None else 0.0
        self._exposed: deque[np.ndarray] = deque(maxlen=1 + round(exposure * settings.control_rate))
        self._setpoints: SetPoints | None = None
        self._drive: DriveSetPoints | None = None
        self.reset(scene, task, settings.seed)
        handles = self.plant.handles
        self.windings = Windings(handles.effort)
        self._spoiler = Spoiler(imperfections, handles.effort, settings.seed) if imperfections is not None else None

    @property
    def joints(self) -> tuple[str, ...]:
        """All movable joints, in the order of the readings."""
        return self.plant.handles.joints

    @property
    def mode(self) -> Mode:
        """Whether the robot follows commands."""
        assert self._setpoints is not None
        return self._setpoints.mode

    @property
    def views(self) -> list[View]:
        """The imagers that are drawn."""
        return self._views if self._images is not None else []

    def reset(self, scene: Scene, task: Task | None, seed: int) -> None:
        """Set up a scene anew. Time goes on, and the robot stays where it is.

        Args:
            scene: The scene.
            task: Its task, if it has one.
            seed: Of its parcels.
        """
        settings, old = self.settings, getattr(self, "plant", None)
        if self._images is not None:
            self._images.stop()
        layout = draw(fitted(scene, self._measures), seed)
        self.plant = Plant(self.robot, layout, 1.0 / settings.control_rate, settings.substeps, settings.base)
        handles = self.plant.handles
        if old is None:
            self._setpoints = SetPoints(
                handles.joints,
                handles.home,
                handles.lower,
                handles.upper,
                settings.command_timeout,
                settings.stop_decay,
                self._delay,
            )
            drive = self.robot.config.drive
            if drive is not None:
                self._drive = DriveSetPoints(drive, self.plant.wheel_places(), settings.command_timeout)
                self._wheels = np.array([handles.joints.index(joint) for joint in drive.joints])
        else:
            self.plant.adopt(old)
        config = self.robot.config
        self._skin = TactileSkin(config.tactile, self.plant.model)
        self._watch = SceneWatch(task.success if task is not None else None)
        self._lidar = LidarScanner(config.lidar, self.plant.model) if config.lidar is not None else None
        mic = config.microphone
        self._sound = Soundscape(mic, self.plant.model, self.plant.handles.dof) if mic is not None else None
        if self._images is not None and self._views:
            self._images.start(self.plant.model, self._views)
        self._pending.append(EventReading(self.now, "reset", detail=f"scene {scene.name}, seed {seed}"))

    def command(
        self,
        names: Sequence[str],
        position: np.ndarray,
        velocity: np.ndarray | None = None,
        effort: np.ndarray | None = None,
    ) -> None:
        """Take a command; see SetPoints.receive.

        Raises:
            MessageError: it cannot be used.
        """
        assert self._setpoints is not None
        self._setpoints.receive(self.now, names, position, velocity, effort)

    def move_base(self, twist: Sequence[float]) -> None:
        """Take a command for a wheeled base: x, y [m/s] and about z [rad/s].

        Raises:
            MessageError: it cannot be used, or the base has no wheels.
        """
        if self._drive is None:
            raise MessageError("cmd_vel", "a command", f"none: {self.robot.config.name} has no wheels")
        self._drive.receive(self.now, twist)

    def step(self) -> list[Reading]:
        """Advance by one control period.

        Returns:
            Everything measured at the beginning of the period, stamped so. Images come later, from the rendering
            thread.
        """
        assert self._setpoints is not None
        stamp, plant = self.now, self.plant
        self._setpoints.advance(stamp, plant.period)
        position, velocity = self._setpoints.position, self._setpoints.velocity
        if self._drive is not None:
            position, velocity = self._roll(self._drive, position.copy(), velocity.copy())
        plant.begin(position, velocity, self._setpoints.effort)
        self._exposed.append(plant.configuration)
        if self._sound is not None:
            self._sound.listen(plant.data, stamp)
        readings, self._pending = self._pending, []
        views: list[View] = []
        for name in self._schedule.due(stamp):
            kind, _, place = name.partition("/")
            if kind == "view":
                views.append(self._views[int(place)])
            else:
                readings += self._read(kind, place, stamp)
        if views and self._images is not None:
            since = len(self._exposed) // 2  # periods since the middle of the exposure that ends now
            self._images.submit(stamp - since * self.period_ns, [*self._exposed], views)
        plant.finish()
        self.now = stamp + self.period_ns
        return readings if self._spoiler is None else [self._spoiler.spoil(reading) for reading in readings]

    def _roll(self, drive: DriveSetPoints, position: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Set-points of base and wheels; the wheels' go into those of the joints."""
        drive.advance(self.now, self.plant.period)
        c, s = np.cos(drive.pose[2]), np.sin(drive.pose[2])
        x, y, rate = drive.twist
        self.plant.roll(drive.pose, np.array((c * x - s * y, s * x + c * y, rate)))
        angles, rates = drive.wheels()
        position[self._wheels] = list(angles.values())
        velocity[self._wheels] = list(rates.values())
        return position, velocity

    @property
    def attainable(self) -> float:
        """Simulated seconds per second that the cameras can keep up with."""
        return self._images.attainable if self._images is not None else float("inf")

    def close(self, discard: bool = False) -> None:
        """End the rendering thread; `discard` the images that wait, or finish them."""
        if self._images is not None:
            self._images.stop(discard)

    def _read(self, kind: str, place: str, stamp: int) -> Sequence[Reading]:
        plant = self.plant
        if kind == "joints":
            return [plant.joints(stamp)]
        if kind == "imu":
            return [plant.imu(place, stamp)]
        if kind == "wrench":
            return [plant.wrench(place, stamp)]
        if kind == "tactile":
            return self._skin.read(plant.data, stamp)
        if kind == "objects":
            return [ObjectsReading(stamp, plant.objects())]
        if kind == "base":
            return [plant.base(stamp)]
        if kind == "watch":
            self.windings.heat(plant.joints(stamp).effort, 1.0 / _WATCH_RATE)
            return self._watch.observe(stamp, plant.objects(), plant.touch())
        if kind == "sound":
            assert self._sound is not None
            return [self._sound.chunk(plant.data, stamp)]
        assert kind == "lidar"
        assert self._lidar is not None
        cloud = self._lidar.scan(plant.data, stamp)
        return [] if cloud is None else [cloud]
