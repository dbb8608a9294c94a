# SPDX-License-Identifier: Apache-2.0
"""Pressure pads from simulated contacts."""

from __future__ import annotations

import mujoco
import numpy as np

from humanoid_description.sensors import TactilePad
from humanoid_robots.readings import TactileReading


def taxel_positions(pad: TactilePad) -> np.ndarray:
    """Centres of the taxels in the pad's frame, (rows * columns, 3) [m], row-major."""
    x = (np.arange(pad.rows) + 0.5) / pad.rows - 0.5
    y = (np.arange(pad.columns) + 0.5) / pad.columns - 0.5
    grid = np.stack(np.meshgrid(x * pad.size[0], y * pad.size[1], indexing="ij"), axis=-1)
    return np.concatenate([grid, np.zeros((pad.rows, pad.columns, 1))], axis=-1).reshape(-1, 3)


def press(pad: TactilePad, low: np.ndarray, high: np.ndarray, force: float) -> np.ndarray:
    """Pressure from a force spread evenly over a rectangle.

    Args:
        pad: The pad.
        low: Lowest x and y of the rectangle in the pad's frame (2,) [m].
        high: Highest x and y (2,) [m].
        force: Pressing force [N].

    Returns:
        (rows, columns) [Pa]. What the rectangle has outside the pad presses on nothing that measures.
    """
    taxel = np.array(pad.size) / (pad.rows, pad.columns)
    # A real skin spreads a point over about one taxel.
    middle, half = 0.5 * (low + high), np.maximum(0.5 * (high - low), 0.5 * taxel)
    low, high = middle - half, middle + half
    shares = []
    for axis, count in enumerate((pad.rows, pad.columns)):
        edges = pad.size[axis] * (np.arange(count + 1) / count - 0.5)
        covered = np.minimum(edges[1:], high[axis]) - np.maximum(edges[:-1], low[axis])
        shares.append(np.maximum(covered, 0.0) / (high[axis] - low[axis]))
    return force * np.outer(shares[0], shares[1]) / taxel.prod()


class TactileSkin:
    """All pads of a robot.

    Args:
        pads: By place.
        model: The compiled model.
    """

    def __init__(self, pads: dict[str, TactilePad], model: mujoco.MjModel) -> None:
        self._model = model
        self._pads = pads
        self._bodies = {place: model.body(pad.frame).id for place, pad in pads.items()}
        # Touching geoms that move with each pad: MuJoCo welds bodies without joints to one.
        self._places_of: dict[int, list[str]] = {}
        for geom in range(model.ngeom):
            if model.geom_contype[geom]:
                weld = model.body_weldid[model.geom_bodyid[geom]]
                places = [place for place, body in self._bodies.items() if model.body_weldid[body] == weld]
                if places:
                    self._places_of[geom] = places
        self._force = np.zeros(6)

    def read(self, data: mujoco.MjData, stamp: int) -> list[TactileReading]:
        """Pressure on every pad, from the contact forces that MuJoCo solved last."""
        patches: dict[tuple[str, int], list[np.ndarray]] = {}
        contacts = data.contact
        geoms = contacts.geom
        for i in range(data.ncon):
            for mine, other, sign in ((0, 1, -1.0), (1, 0, 1.0)):
                for place in self._places_of.get(int(geoms[i, mine]), ()):
                    mujoco.mj_contactForce(self._model, data, i, self._force)
                    # The contact's first axis points from the first geom to the second, which is pushed along it.
                    force = sign * contacts.frame[i].reshape(3, 3).T @ self._force[:3]
                    self._add(patches, place, int(geoms[i, other]), contacts.pos[i], force, data)
        pressure = {place: np.zeros((pad.rows, pad.columns)) for place, pad in self._pads.items()}
        for (place, _), points in patches.items():
            rows = np.array(points)
            pressure[place] += press(self._pads[place], rows[:, :2].min(0), rows[:, :2].max(0), rows[:, 2].sum())
        return [TactileReading(stamp, place, values) for place, values in pressure.items()]

    def _add(
        self,
        patches: dict[tuple[str, int], list[np.ndarray]],
        place: str,
        other: int,
        position: np.ndarray,
        force: np.ndarray,
        data: mujoco.MjData,
    ) -> None:
        body = self._bodies[place]
        pad_from_world = data.xmat[body].reshape(3, 3).T
        point = pad_from_world @ (position - data.xpos[body])
        pushing = -float((pad_from_world @ force)[2])
        # Only what touches the pad's side of the link: contacts lie within a few millimetres of its surface.
        if pushing > 0.0 and abs(point[2]) < 0.006:
            patches.setdefault((place, other), []).append(np.array((point[0], point[1], pushing)))
