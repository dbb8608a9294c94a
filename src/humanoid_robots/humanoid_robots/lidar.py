# SPDX-License-Identifier: Apache-2.0
"""A LiDAR by ray casting: one that scans without repeating (Livox), or one whose beams spin (Velodyne, Hesai, Ouster).

Each slice of a scan is cast when its time has come, so that a moving scene is smeared as a real one is.
"""

from __future__ import annotations

import mujoco
import numpy as np

from humanoid_description.sensors import Lidar
from humanoid_robots.furnish import VISUAL_GROUP
from humanoid_robots.readings import CloudReading

# The Mid-360's pattern, fitted to the 4 s of rays in the maker's own simulation (livox_laser_simulation, mid360.csv),
# which are met within 0.7 deg in the mean and 2.0 at most. A mirror spins clockwise, what it is shown goes round in a
# circle, and four lines stand beside each other at a fixed angle. The two rates have no short common period: scans fill
# each other's gaps.
_MIRROR_RATE = 182.4177  # [1/s]
_CIRCLE_RATE = 10.0  # [1/s]
_LINES = 4  # fire together
_SPREAD = 0.0838  # of the outer lines from the middle, radii of the circle
_ELEVATION = (19.511, 15.541, 2.070, -0.191, 10.164, 1.214)  # of 1, x, x2, y2, x3, x y2 [deg]
_AZIMUTH = (19.933, 4.719, 16.320, 5.788)  # of y, x y, x2 y, y3 [deg]
_RANGE = (-7.21, 52.17)  # of elevations [deg]

SLICES = 10  # of one scan


def directions(lidar: Lidar, first: int, count: int) -> np.ndarray:
    """Unit vectors (count, 3) of the rays number `first` onwards, in the LiDAR's frame (x forward, z its axis)."""
    number = np.arange(first, first + count)
    time = number / lidar.points_per_second
    right, left = lidar.azimuth
    low, high = lidar.elevation
    if lidar.beams:  # clockwise seen from above, as spinning ones turn
        azimuth = left - (left - right) * np.mod(lidar.rate * time, 1.0)
        elevation = np.linspace(low, high, lidar.beams)[number % lidar.beams]
    else:
        turned, share = _rosette(number, lidar.points_per_second)
        azimuth, elevation = right + (left - right) * turned, low + (high - low) * share
    level = np.cos(elevation)
    return np.column_stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])


def _rosette(number: np.ndarray, points_per_second: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a Mid-360's rays: the azimuth as a share of a turn (n,) and the elevation as a share of its range (n,)."""
    time = (number // _LINES) * (_LINES / points_per_second)
    line = np.linspace(-_SPREAD, _SPREAD, _LINES)[number % _LINES]
    mirror, circle = 2.0 * np.pi * _MIRROR_RATE * time, 2.0 * np.pi * _CIRCLE_RATE * time
    x = np.cos(circle) - line * np.cos(mirror)
    y = np.sin(circle) - line * np.sin(mirror)
    elevation = np.array(_ELEVATION) @ (np.ones_like(x), x, x * x, y * y, x**3, x * y * y)
    azimuth = np.array(_AZIMUTH) @ (y, x * y, x * x * y, y**3) - 90.0
    share = (elevation - _RANGE[0]) / (_RANGE[1] - _RANGE[0])
    return np.mod(azimuth / 360.0 - _MIRROR_RATE * time, 1.0), np.clip(share, 0.0, 1.0)


class LidarScanner:
    """Casts the rays of a LiDAR slice by slice and gathers them into clouds.

    Args:
        lidar: Its configuration.
        model: The compiled model.
    """

    def __init__(self, lidar: Lidar, model: mujoco.MjModel) -> None:
        self._lidar = lidar
        self._model = model
        self._body = model.body(lidar.frame).id
        self._per_slice = round(lidar.points_per_second / lidar.rate / SLICES)
        self._ray = 0
        self._slices: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
        # What it is mounted in is in another group, and collision shapes are only stand-ins for what is seen.
        self._groups = np.zeros(6, dtype=np.uint8)
        self._groups[[0, VISUAL_GROUP]] = 1
        self._distance = np.empty(self._per_slice)
        self._normal = np.empty(3 * self._per_slice)
        self._geom = np.empty(self._per_slice, dtype=np.int32)
        colors = np.concatenate([model.mat_rgba, model.geom_rgba])
        material = model.geom_matid
        rgba = colors[np.where(material >= 0, material, model.nmat + np.arange(model.ngeom))]
        self._brightness = np.append(255.0 * rgba[:, :3].mean(axis=1), 0.0)

    def scan(self, data: mujoco.MjData, stamp: int) -> CloudReading | None:
        """Cast the next slice.

        Args:
            data: State with its kinematics up to date.
            stamp: Its time [ns].

        Returns:
            A cloud with every tenth slice, else None.
        """
        sensor_from_ray = directions(self._lidar, self._ray, self._per_slice)
        world_from_sensor = data.xmat[self._body].reshape(3, 3)
        rays = np.ascontiguousarray(sensor_from_ray @ world_from_sensor.T).ravel()
        mujoco.mj_multiRay(
            self._model,
            data,
            data.xpos[self._body],
            rays,
            self._groups,
            True,
            -1,
            self._geom,
            self._distance,
            self._normal,
            self._per_slice,
            self._lidar.far,
        )
        hit = (self._geom >= 0) & (self._distance >= self._lidar.near) & (self._distance <= self._lidar.far)
        distance = self._distance[hit]
        points = (sensor_from_ray[hit] * distance[:, None]).astype(np.float32)
        # Lambert's law: what is bright and faces the LiDAR answers strongly; range is compensated, as real ones do.
        facing = np.abs(np.einsum("ij,ij->i", rays.reshape(-1, 3)[hit], self._normal.reshape(-1, 3)[hit]))
        intensity = (self._brightness[self._geom[hit]] * facing).astype(np.float32)
        times = np.flatnonzero(hit) * (1e9 / self._lidar.points_per_second)
        self._slices.append((stamp, points, times, intensity))
        self._ray += self._per_slice
        return self._cloud() if len(self._slices) == SLICES else None

    def _cloud(self) -> CloudReading:
        start = self._slices[0][0]
        offsets = np.concatenate([(stamp - start) + times for stamp, _, times, _ in self._slices])
        cloud = CloudReading(
            stamp=start,
            points=np.concatenate([points for _, points, _, _ in self._slices]),
            offsets=offsets.astype(np.uint32),
            intensity=np.concatenate([intensity for _, _, _, intensity in self._slices]),
        )
        self._slices.clear()
        return cloud
