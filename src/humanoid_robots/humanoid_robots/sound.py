# SPDX-License-Identifier: Apache-2.0
"""What a microphone hears of a simulated scene: motors that turn and things that strike each other, each after the time
that sound needs. A stand-in: good for timing and for the data's path, not for what a parcel sounds like."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from humanoid_description.sensors import Microphone
from humanoid_robots.readings import SoundReading

_SPEED = 343.0  # of sound [m/s]
_APART = 50_000_000  # two that touch again within this never parted [ns]
_NEAR = 0.2  # nothing is heard as if it were nearer [m]
# Chosen so that a parcel that falls on a table is loud and an arm that moves is not; full scale is 1.
_KNOCK = 0.002  # amplitude at 1 m per newton of the first blow [1/N]
_HUM = 0.002  # amplitude of a motor at 1 m per rad/s of its joint [s/rad]
_TEETH = 120.0  # of a motor's gear that pass per turn of its joint
_STILL = 0.01  # of a joint: slower ones are not heard [rad/s]


@dataclass(frozen=True)
class _Knock:
    """A damped oscillation heard from `start` [ns] on: frequency in Hz, decay in 1/s, full scale is 1."""

    start: int
    amplitude: float
    frequency: float
    decay: float

    def heard(self, times: np.ndarray) -> np.ndarray:
        """At instants (n,) [ns]."""
        since = np.maximum(1e-9 * (times - self.start), 0.0)
        return self.amplitude * np.exp(-self.decay * since) * np.sin(2.0 * np.pi * self.frequency * since)

    def silent(self, now: int) -> bool:
        """Whether it is under a hundred-thousandth of its amplitude at `now` [ns]."""
        return 1e-9 * (now - self.start) * self.decay > np.log(1e5)


class Soundscape:
    """Listens to a scene period by period, and tells what was heard since the last reading.

    Args:
        microphone: Its configuration.
        model: The compiled model.
        dofs: Degrees of freedom of the joints whose motors are heard (n,).
    """

    def __init__(self, microphone: Microphone, model: mujoco.MjModel, dofs: np.ndarray) -> None:
        self._rate = microphone.samples_per_second
        self._count = round(microphone.samples_per_second / microphone.rate)  # of samples in the first reading
        self._told: int | None = None  # up to which sample
        self._model = model
        self._ear = model.body(microphone.frame).id
        self._dofs = dofs
        self._motors = model.dof_bodyid[dofs]
        self._phase = np.zeros(len(dofs))
        self._last_speed = np.zeros(len(dofs))
        self._touching: set[int] | None = None  # pairs of bodies
        self._contacts = b""  # pairs of shapes, as they came
        self._parted: dict[int, int] = {}  # when pairs did [ns]
        self._knocks: list[_Knock] = []

    def listen(self, data: mujoco.MjData, stamp: int) -> None:
        """Hear what strikes what at an instant.

        Args:
            data: State with its contacts up to date.
            stamp: Its time [ns].
        """
        geoms = data.contact.geom[: data.ncon]
        if (contacts := geoms.tobytes()) == self._contacts and self._touching is not None:
            return
        pairs = self._model.geom_bodyid[geoms] @ (self._model.nbody, 1)
        now = {pair: i for i, pair in enumerate(pairs.tolist())}
        before = now.keys() if self._touching is None else self._touching
        for pair in now.keys() - before:
            if stamp - self._parted.get(pair, -_APART) >= _APART:
                self._strike(data, now[pair], stamp)
        self._parted.update(dict.fromkeys(before - now.keys(), stamp))
        self._touching, self._contacts = set(now), contacts

    def chunk(self, data: mujoco.MjData, stamp: int) -> SoundReading:
        """The samples since the last reading, up to an instant.

        Args:
            data: State with its kinematics up to date.
            stamp: Its time [ns].
        """
        end = round(1e-9 * stamp * self._rate)
        first = end - self._count if self._told is None else self._told
        self._told = end
        times = (np.arange(first, end) * (1e9 / self._rate)).astype(np.int64)
        samples = self._hum(data, end - first)
        for knock in self._knocks:
            samples += knock.heard(times)
        self._knocks = [knock for knock in self._knocks if not knock.silent(stamp)]
        return SoundReading(int(times[0]), first, samples)

    def _strike(self, data: mujoco.MjData, contact: int, stamp: int) -> None:
        model, force = self._model, np.zeros(6)
        mujoco.mj_contactForce(model, data, contact, force)
        if force[0] <= 0.0:
            return
        masses = model.body_subtreemass[model.geom_bodyid[data.contact.geom[contact]]]
        frequency = float(np.clip(400.0 / np.cbrt(max(masses.min(), 1e-3)), 150.0, 4000.0))  # the smaller, the higher
        distance = self._distance(data, data.contact.pos[contact])
        arrival = stamp + round(1e9 * float(distance) / _SPEED)
        self._knocks.append(_Knock(arrival, _KNOCK * force[0] / distance, frequency, 0.2 * frequency))

    def _hum(self, data: mujoco.MjData, count: int) -> np.ndarray:
        before, speed = self._last_speed, data.qvel[self._dofs]
        self._last_speed = speed.copy()
        turning = np.flatnonzero(np.maximum(np.abs(before), np.abs(speed)) > _STILL)
        share = np.arange(1, count + 1) / count
        speeds = before[turning, None] + (speed - before)[turning, None] * share  # (joints, samples)
        phases = self._phase[turning, None] + _TEETH * np.cumsum(speeds, axis=1) / self._rate
        self._phase[turning] = np.mod(phases[:, -1], 2.0 * np.pi)
        loud = np.abs(speeds) * (_HUM / self._distance(data, data.xpos[self._motors[turning]]))[:, None]
        return np.einsum("ij,ij->j", loud, np.sin(phases))

    def _distance(self, data: mujoco.MjData, place: np.ndarray) -> np.ndarray:
        """From the microphone to a place (..., 3), `_NEAR` at least [m]."""
        return np.maximum(np.linalg.norm(place - data.xpos[self._ear], axis=-1), _NEAR)
