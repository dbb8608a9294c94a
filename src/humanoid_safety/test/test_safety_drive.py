# SPDX-License-Identifier: Apache-2.0
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from humanoid_description import load
from humanoid_safety.drive_gate import DriveGate

G2 = load(Path(__file__).parents[3] / "config" / "robots" / "agibot_g2.yaml").config.drive
RATE = 50.0


def make(drive=G2):
    return DriveGate(drive, RATE, deadline=0.25, oldest=0.3)


def test_hostile_velocities_keep_speed_acceleration_and_jerk():
    gate, rng, out = make(), np.random.default_rng(0), []
    for k in range(4000):
        if k % 7 == 0:
            gate.target("teleop", rng.normal(0, 3.0, 3), 0.0, k / RATE)
        out.append(gate.step("teleop" if rng.random() < 0.95 else "", k / RATE))
    velocity = np.vstack([np.zeros(3), out])
    acceleration = np.diff(velocity, axis=0, prepend=velocity[:1]) * RATE
    jerk = np.diff(acceleration, axis=0, prepend=acceleration[:1]) * RATE
    limits = np.array(
        [
            [getattr(G2, f"{kind}_{order}") for kind in ("linear", "linear", "angular")]
            for order in ("velocity", "acceleration", "jerk")
        ]
    )
    for found, limit in zip((velocity, acceleration, jerk), limits):
        assert (np.abs(found) <= limit * (1 + 1e-9) + 1e-9).all()
        assert (np.abs(found).max(axis=0) > 0.9 * limit).all()


def test_a_wanted_velocity_is_reached_and_silence_brings_rest():
    gate = make()
    for k in range(200):
        gate.target("teleop", np.array([0.4, -0.2, 0.3]), 0.0, k / RATE)
        velocity = gate.step("teleop", k / RATE)
    assert velocity == pytest.approx([0.4, -0.2, 0.3])
    for k in range(200, 350):
        velocity = gate.step("teleop", k / RATE)
    assert not velocity.any()


def test_only_the_source_that_commands_moves_the_base():
    gate = make()
    for k in range(100):
        gate.target("policy", np.array([0.5, 0.0, 0.0]), 0.0, k / RATE)
        assert not gate.step("teleop", k / RATE).any()


def test_a_velocity_is_cut_as_a_vector_and_sideways_only_where_it_can():
    gate = make()
    for k in range(400):
        gate.target("teleop", np.array([3.0, 4.0, 0.0]), 0.0, k / RATE)
        velocity = gate.step("teleop", k / RATE)
    assert math.hypot(*velocity[:2]) == pytest.approx(G2.linear_velocity)
    narrow = make(replace(G2, sideways=False))
    for k in range(400):
        narrow.target("teleop", np.array([0.3, 0.4, 0.0]), 0.0, k / RATE)
        velocity = narrow.step("teleop", k / RATE)
    assert velocity == pytest.approx([0.3, 0.0, 0.0])


@pytest.mark.parametrize(
    ("twist", "age"), [([np.nan, 0, 0], 0.0), ([0, np.inf, 0], 0.0), ([0, 0, 0], 0.5), ([0, 0, 0], -0.5)]
)
def test_what_cannot_be_used_is_refused_and_counted(twist, age):
    gate = make()
    assert gate.target("teleop", np.array(twist, dtype=float), age, 0.0)
    assert sum(gate.refused.values()) == 1
    assert not gate.step("teleop", 0.0).any()
