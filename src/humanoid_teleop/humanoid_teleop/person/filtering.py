# SPDX-License-Identifier: Apache-2.0
"""Input hygiene, and a predicting filter for one tracked pose.

The filter is a bank of critically damped g-h-k (alpha-beta-gamma) filters with fading memory, from slow (little noise)
to fast (little lag): theta = exp(-dt / time constant), so that the same constants serve devices of any rate. Each is
judged by how well it has lately predicted what then came, as far ahead as the lead; the prediction is their mean,
weighted by that. A resting hand is thus held still, and a fast one followed, without a switch.

Sources: Brookner, "Tracking and Kalman Filtering Made Easy", 1998, section 1.2.6 (critically damped filters); weights
as in Cesa-Bianchi and Lugosi, "Prediction, Learning, and Games", 2006, chapter 2 (exponentially weighted forecasters).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from humanoid_teleop.compiled import between, compiled, exp, multiply, normalise
from humanoid_teleop.operator import BODY_PARTS, LOST

GOOD, BAD, JUMPED = 0, 1, 2

BANK = 3  # filters
KEPT = 24  # states kept for judging: 60 ms at up to 400 frames per second
JUDGED = 0.15  # [s] over which predictions are judged
CHOOSING = 0.25  # share of the best one's squared error at which a worse one's weight falls to 1/e
FINE = (1e-4) ** 2, (5e-4) ** 2  # [m2], [rad2] squared errors that make no difference
STANDSTILL = 0.02  # [s] time constant with which a prediction comes to rest past its limit
# States of a filter: position, velocity, acceleration, then turn rate and turn acceleration, then the quaternion
_P, _V, _A, _W, _B, _Q, _SIZE = 0, 3, 6, 9, 12, 15, 19


class Gates(NamedTuple):
    """What is remembered of each body part: newest good pose, and the newest of those that jumped.

    Attributes:
        time: (parts, 2) [s].
        position: (parts, 2, 3) [m].
        rotation: (parts, 2, 4) xyzw.
        suspects: (parts,) poses in a row that jumped; -1 before the first pose.
    """

    time: np.ndarray
    position: np.ndarray
    rotation: np.ndarray
    suspects: np.ndarray


class FrameGate:
    """Refuses poses that cannot be: not finite, no rotation, or a jump that does not persist.

    Args:
        speed: Faster is a tracking error [m/s].
        turn_rate: Likewise [rad/s].
        persistence: Frames after which a jump that stays where it went is believed.
    """

    def __init__(self, speed: float, turn_rate: float, persistence: int) -> None:
        self._limits = speed, turn_rate, persistence
        count = len(BODY_PARTS)
        rotation = np.zeros((count, 2, 4))
        rotation[:, :, 3] = 1.0
        self._gates = Gates(np.zeros((count, 2)), np.zeros((count, 2, 3)), rotation, np.full(count, -1, dtype=np.int64))

    def check(
        self, time: float, positions: np.ndarray, rotations: np.ndarray, validity: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Clean copies of a frame's poses, those refused marked LOST, and what each was.

        Args:
            time: Of measurement [s].
            positions: (parts, 3) [m].
            rotations: Quaternions xyzw (parts, 4) of about unit length.
            validity: (parts,).

        Returns:
            Positions, unit quaternions, validity, and GOOD, BAD or JUMPED (parts,).
        """
        out = positions.copy(), rotations.copy(), validity.copy(), np.zeros(len(validity), dtype=np.int64)
        _check(self._gates, time, *out, *self._limits)
        return out


@compiled
def _near(
    dt: float,
    position: np.ndarray,
    rotation: np.ndarray,
    position2: np.ndarray,
    rotation2: np.ndarray,
    speed: float,
    turn_rate: float,
) -> bool:
    square = cosine = 0.0
    for k in range(3):
        square += (position[k] - position2[k]) ** 2
    for k in range(4):
        cosine += rotation[k] * rotation2[k]
    if math.sqrt(square) > speed * dt + 0.02:  # 2 cm: noise of fast devices
        return False
    return 2.0 * math.acos(min(1.0, abs(cosine))) <= turn_rate * dt + 0.1


@compiled
def _check(
    gates: Gates,
    time: float,
    positions: np.ndarray,
    rotations: np.ndarray,
    validity: np.ndarray,
    verdicts: np.ndarray,
    speed: float,
    turn_rate: float,
    persistence: int,
) -> None:
    for part in range(positions.shape[0]):
        square = 0.0
        finite = True
        for k in range(3):
            finite &= math.isfinite(positions[part, k])
        for k in range(4):
            square += rotations[part, k] ** 2
        if not (finite and 0.25 < square < 4.0):  # also refuses NaN
            if validity[part] != LOST:
                verdicts[part] = BAD
            validity[part] = LOST
            for k in range(3):
                positions[part, k] = rotations[part, k] = 0.0
            rotations[part, 3] = 1.0
        normalise(rotations[part])
        if validity[part] == LOST:
            continue
        good, suspect = (
            (gates.position[part, 0], gates.rotation[part, 0]),
            (gates.position[part, 1], gates.rotation[part, 1]),
        )
        place, turned = positions[part], rotations[part]
        slot = 0
        if gates.suspects[part] >= 0 and not _near(
            time - gates.time[part, 0], good[0], good[1], place, turned, speed, turn_rate
        ):
            again = gates.suspects[part] > 0 and _near(
                time - gates.time[part, 1], suspect[0], suspect[1], place, turned, speed, turn_rate
            )
            gates.suspects[part] = gates.suspects[part] + 1 if again else 1
            if gates.suspects[part] < persistence:
                slot = 1
                verdicts[part] = BAD
                validity[part] = LOST
            else:
                verdicts[part] = JUMPED
        if slot == 0:
            gates.suspects[part] = 0
        gates.time[part, slot] = time
        for k in range(3):
            gates.position[part, slot, k] = place[k]
        for k in range(4):
            gates.rotation[part, slot, k] = turned[k]


class Bank(NamedTuple):
    """State of a filter bank.

    Attributes:
        state: (filters, 19): position, velocity, acceleration, turn rate, turn acceleration, quaternion.
        kept: Earlier states (KEPT, filters, 19), a ring.
        times: Of `state` at 0 and of `kept` from 1 on (1 + KEPT,) [s].
        faults: Mean squares of what was lately predicted wrongly, places and rotations (2, filters) [m2], [rad2].
        weights: (2, filters).
        counts: How many are kept, and where the next goes (2,).
    """

    state: np.ndarray
    kept: np.ndarray
    times: np.ndarray
    faults: np.ndarray
    weights: np.ndarray
    counts: np.ndarray


class PoseFilter:
    """Smooths and predicts one pose.

    Args:
        slow: Longest time constant [s]; 0: no filter.
        fast: Shortest [s].
        lead: How far ahead predictions are judged [s].
    """

    def __init__(self, slow: float, fast: float, lead: float) -> None:
        constants = np.array(
            [slow * (min(fast, slow) / slow) ** (i / (BANK - 1)) if slow else 0.0 for i in range(BANK)]
        )
        self.bank = Bank(
            state=np.zeros((BANK, _SIZE)),
            kept=np.zeros((KEPT, BANK, _SIZE)),
            times=np.zeros(1 + KEPT),
            faults=np.zeros((2, BANK)),
            weights=np.full((2, BANK), 1.0 / BANK),
            counts=np.zeros(2, dtype=np.int64),
        )
        self.bank.state[:, _Q + 3] = 1.0
        self._sample = np.zeros(8)
        self._take = _updates(self.bank, constants, lead, self._sample)

    @property
    def time(self) -> float:
        """Of the newest pose [s]."""
        return float(self.bank.times[0])

    def reset(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        """Start anew at a pose at rest."""
        self.bank.state[:] = 0.0
        self.bank.state[:, _P : _P + 3], self.bank.state[:, _Q:] = position, rotation
        self.bank.times[0] = time
        self.bank.faults[:] = 0.0
        self.bank.counts[:] = 0

    def update(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        """Take in a measurement: time [s], position (3,), quaternion xyzw (4,)."""
        self._sample[0], self._sample[1:4], self._sample[4:] = time, position, rotation
        next(self._take)

    def predict(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Position (3,), quaternion xyzw (4,), velocity (3,) and turn rate (3,) at `time` [s]."""
        position, rotation, velocity, turn_rate = np.empty(3), np.empty(4), np.empty(3), np.empty(3)
        predict(self.bank, time - self.time, 0.0, position, rotation, velocity, turn_rate)
        return position, rotation, velocity, turn_rate


@compiled
def _ahead(state: np.ndarray, horizon: float, position: np.ndarray, rotation: np.ndarray, turn: np.ndarray) -> None:
    """Where one filter's state will be."""
    half = 0.5 * horizon * horizon
    for k in range(3):
        position[k] = state[_P + k] + horizon * state[_V + k] + half * state[_A + k]
        rotation[k] = horizon * state[_W + k] + half * state[_B + k]
    exp(rotation[:3], 1.0, turn)
    multiply(turn, state[_Q:_SIZE], rotation)


@compiled
def _updates(bank: Bank, constants: np.ndarray, lead: float, sample: np.ndarray) -> Iterator[bool]:
    """Take in a sample of time, position and rotation (8,) whenever the next is asked for; see compiled.py."""
    while True:
        _update(bank, constants, lead, sample[0], sample[1:4], sample[4:8])
        yield True


@compiled
def _update(
    bank: Bank, constants: np.ndarray, lead: float, time: float, position: np.ndarray, rotation: np.ndarray
) -> None:
    dt = time - bank.times[0]
    if dt <= 0.0:
        return
    guess, turned, turn, error = np.empty(3), np.empty(4), np.empty(4), np.empty(3)
    _judge(bank, lead, time, dt, position, rotation)
    size, slot = bank.counts[0], bank.counts[1]
    bank.times[1 + slot] = bank.times[0]
    bank.counts[0], bank.counts[1] = min(size + 1, KEPT), (slot + 1) % KEPT
    for f in range(BANK):
        state = bank.state[f]
        for k in range(_SIZE):
            bank.kept[slot, f, k] = state[k]
        theta = math.exp(-dt / constants[f]) if constants[f] > 0.0 else 0.0
        rest = 1.0 - theta
        g, h, k2 = 1.0 - theta**3, 1.5 * rest * rest * (1.0 + theta) / dt, rest**3 / (dt * dt)
        if size < 2:  # three poses tell an acceleration
            k2 = 0.0
        _ahead(state, dt, guess, turned, turn)
        between(turned, rotation, error)
        for k in range(3):
            residual = position[k] - guess[k]
            state[_P + k] = guess[k] + g * residual
            state[_V + k] += dt * state[_A + k] + h * residual
            state[_A + k] += k2 * residual
            state[_W + k] += dt * state[_B + k] + h * error[k]
            state[_B + k] += k2 * error[k]
        exp(error, g, turn)
        multiply(turn, turned, state[_Q:_SIZE])
        normalise(state[_Q:_SIZE])
    bank.times[0] = time


@compiled
def _judge(bank: Bank, lead: float, time: float, dt: float, position: np.ndarray, rotation: np.ndarray) -> None:
    """Compare what each filter said `lead` ago, or in the last frame, with what has come, and weigh them anew."""
    # The newest state that is at least `lead` old
    chosen, age = -1, dt
    for i in range(bank.counts[0]):
        old = time - bank.times[1 + i]
        if old >= lead and (age < lead or old < age):
            chosen, age = i, old
    if age < lead:
        return
    guess, turned, turn, error = np.empty(3), np.empty(4), np.empty(4), np.empty(3)
    share = 1.0 - math.exp(-dt / JUDGED)
    for f in range(BANK):
        _ahead(bank.state[f] if chosen < 0 else bank.kept[chosen, f], age, guess, turned, turn)
        between(turned, rotation, error)
        place = angle = 0.0
        for k in range(3):
            place += (position[k] - guess[k]) ** 2
            angle += error[k] ** 2
        bank.faults[0, f] += share * (place - bank.faults[0, f])
        bank.faults[1, f] += share * (angle - bank.faults[1, f])
    for kind in range(2):
        best = bank.faults[kind].min()
        total = 0.0
        for f in range(BANK):
            bank.weights[kind, f] = math.exp(-(bank.faults[kind, f] - best) / (CHOOSING * best + FINE[kind]))
            total += bank.weights[kind, f]
        for f in range(BANK):
            bank.weights[kind, f] /= total


@compiled
def predict(
    bank: Bank,
    horizon: float,
    back: float,
    position: np.ndarray,
    rotation: np.ndarray,
    velocity: np.ndarray,
    turn_rate: np.ndarray,
) -> None:
    """The weighted pose `horizon` after the newest one, and its velocity and turn rate `back` before that [s]."""
    guess, turned, turn, apart = np.empty(3), np.empty(4), np.empty(4), np.empty(3)
    anchor, mean = np.empty(4), np.zeros(3)
    for k in range(3):
        position[k] = velocity[k] = turn_rate[k] = 0.0
    for f in range(BANK):
        state = bank.state[f]
        _ahead(state, horizon, guess, turned, turn)
        if f == 0:
            anchor[:] = turned
        between(anchor, turned, apart)
        place, angle = bank.weights[0, f], bank.weights[1, f]
        for k in range(3):
            position[k] += place * guess[k]
            velocity[k] += place * (state[_V + k] + (horizon - back) * state[_A + k])
            mean[k] += angle * apart[k]
            turn_rate[k] += angle * (state[_W + k] + (horizon - back) * state[_B + k])
    exp(mean, 1.0, turn)
    multiply(turn, anchor, rotation)
