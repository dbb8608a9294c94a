# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import mujoco
import numpy as np
import pytest

from humanoid_core.errors import MessageError
from humanoid_description import Robot
from humanoid_robots.plant import Plant
from humanoid_robots.readings import JointReading
from humanoid_robots.scene import Scene
from humanoid_robots.servo import Mode, SetPoints
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import START_NS, Twin

NO_SENSORS = load_settings(lidar=False)


def run(twin: Twin, seconds: float) -> list[JointReading]:
    readings = []
    for _ in range(round(seconds * twin.settings.control_rate)):
        readings += [reading for reading in twin.step() if isinstance(reading, JointReading)]
    return readings


def test_model_has_every_joint_with_its_limits(robot: Robot, plant: Plant) -> None:
    handles = plant.handles
    assert set(handles.joints) == set(robot.joints)
    limits = robot.limits(handles.joints)
    margin = np.array([robot.config.joints[name].margin for name in handles.joints])
    np.testing.assert_allclose(handles.lower + margin, limits.lower, atol=1e-9)
    np.testing.assert_allclose(handles.upper - margin, limits.upper, atol=1e-9)


def test_mass_is_the_urdfs(robot: Robot, plant: Plant) -> None:
    links = ElementTree.fromstring(robot.urdf).findall("link/inertial/mass")
    parcels = sum(parcel.mass for parcel in plant.layout.parcels)
    moving = plant.model.body_mass[1:].sum() - sum(
        plant.model.body(name).mass[0] for name in (*plant.layout.scene.tables, *plant.layout.scene.bins)
    )
    assert moving - parcels == pytest.approx(sum(float(mass.attrib["value"]) for mass in links), rel=1e-9)


def test_nothing_touches_at_home(plant: Plant) -> None:
    touch = plant.touch()
    assert not touch.held
    assert not touch.collisions
    robot_contacts = [pair for pair in plant.data.contact.geom if plant._robot_geoms[pair].any()]
    assert robot_contacts == []


def test_robot_holds_home_against_gravity(robot: Robot, sorting: Scene) -> None:
    twin = Twin(robot, sorting, None, NO_SENSORS)
    last = run(twin, 1.0)[-1]
    np.testing.assert_allclose(last.position, twin.plant.handles.home, atol=1e-3)
    elbow = twin.joints.index("left_elbow_joint")
    assert abs(last.effort[elbow]) > 0.3  # the motor carries the forearm


def test_without_gravity_compensation_it_would_sag(robot: Robot, sorting: Scene) -> None:
    """The test above can fail."""
    twin = Twin(robot, sorting, None, NO_SENSORS)
    twin.plant.model.body_gravcomp[:] = 0.0
    last = run(twin, 1.0)[-1]
    assert np.abs(last.position - twin.plant.handles.home).max() > 5e-3


def test_two_runs_are_identical(robot: Robot, sorting: Scene) -> None:
    def states() -> list[np.ndarray]:
        twin = Twin(robot, sorting, None, load_settings(lidar=False, seed=5))
        found = []
        for i in range(200):
            twin.command(["left_elbow_joint"], np.array([-0.3 + 0.4 * np.sin(0.02 * i)]))
            twin.step()
            found.append(twin.plant.data.qpos.copy())
        return found

    np.testing.assert_array_equal(states(), states())


def test_command_is_followed_by_name_and_the_rest_stays_home(robot: Robot, sorting: Scene) -> None:
    twin = Twin(robot, sorting, None, NO_SENSORS)
    names = ["left_wrist_yaw_joint", "left_elbow_joint"]
    for i in range(500):
        share = min(1.0, i / 300)
        twin.command(names, np.array([0.3, -0.6]) * share + np.array([0.0, -0.3]) * (1 - share))
        reading = run(twin, 0.002)[-1]
    found = dict(zip(twin.joints, reading.position))
    assert found["left_wrist_yaw_joint"] == pytest.approx(0.3, abs=2e-3)
    assert found["left_elbow_joint"] == pytest.approx(-0.6, abs=2e-3)
    assert found["right_elbow_joint"] == pytest.approx(-0.3, abs=2e-3)
    assert twin.mode is Mode.FOLLOWING


def test_velocity_of_the_set_point_takes_the_lag_away(robot: Robot, empty: Scene) -> None:
    def lag(feed_forward: bool) -> float:
        twin = Twin(robot, empty, None, NO_SENSORS)
        speed = 0.5
        for i in range(400):
            wanted = -0.3 + speed * i * 0.002
            twin.command(["left_elbow_joint"], np.array([wanted]), np.array([speed]) if feed_forward else None)
            reading = run(twin, 0.002)[-1]
        return abs(wanted - reading.position[twin.joints.index("left_elbow_joint")])

    assert lag(True) < 2e-3 < 8e-3 < lag(False)


def test_it_stops_softly_when_commands_cease(robot: Robot, empty: Scene) -> None:
    twin = Twin(robot, empty, None, NO_SENSORS)
    index = twin.joints.index("left_elbow_joint")
    speed = 1.0
    for i in range(300):
        twin.command(["left_elbow_joint"], np.array([-0.3 + speed * 0.002 * i]), np.array([speed]))
        twin.step()
    assert twin.mode is Mode.FOLLOWING
    readings = run(twin, 1.0)
    assert twin.mode is Mode.STOPPING
    position = np.array([reading.position[index] for reading in readings])
    velocity = np.array([reading.velocity[index] for reading in readings])
    assert abs(velocity[-1]) < 0.02
    assert velocity.min() > -0.05  # it does not swing back
    assert 0.0 <= position[-1] - position[0] < speed * (0.1 + 0.05) + 0.02


def test_command_after_a_stop_is_followed_again() -> None:
    servo = SetPoints(["a", "b"], np.zeros(2), -np.ones(2), np.ones(2), timeout=0.1, decay=0.05)
    servo.receive(0, ["a"], np.array([0.5]), np.array([1.0]))
    servo.advance(50_000_000, 0.002)
    assert servo.mode is Mode.FOLLOWING
    assert servo.position.tolist() == [0.5, 0.0]
    for i in range(100):
        servo.advance(101_000_000 + 2_000_000 * i, 0.002)
    assert servo.mode is Mode.STOPPING
    assert servo.position[0] == pytest.approx(0.5 + 0.05, abs=5e-3)  # speed times time constant
    servo.receive(400_000_000, ["b"], np.array([3.0]))
    assert servo.mode is Mode.FOLLOWING
    assert servo.position[1] == 1.0


@pytest.mark.parametrize(
    ("names", "position"),
    [
        (["a", "c"], [0.0, 0.0]),
        (["a", "a"], [0.0, 0.0]),
        (["a"], [0.0, 0.0]),
        (["a"], [float("nan")]),
        (["a"], []),
    ],
)
def test_bad_command_changes_nothing(names: list[str], position: list[float]) -> None:
    servo = SetPoints(["a", "b"], np.zeros(2), -np.ones(2), np.ones(2), timeout=0.1, decay=0.05)
    with pytest.raises(MessageError):
        servo.receive(0, names, np.array(position))
    assert servo.mode is Mode.IDLE
    assert servo.position.tolist() == [0.0, 0.0]


def test_reset_moves_parcels_but_neither_time_nor_robot(robot: Robot, sorting: Scene) -> None:
    twin = Twin(robot, sorting, None, NO_SENSORS)
    for _ in range(20):
        twin.command(["left_elbow_joint"], np.array([-0.5]))
        twin.step()
    now, before = twin.now, twin.plant.joints(0)
    parcels = twin.plant.objects()[0].position
    twin.reset(sorting, None, 1)
    assert twin.now == now == START_NS + 20 * twin.period_ns
    after = run(twin, 0.002)[-1]
    np.testing.assert_allclose(after.position, before.position, atol=0.01)
    assert np.abs(after.velocity).max() > 0.1  # still under way to the command
    assert np.abs(twin.plant.objects()[0].position - parcels).max() > 1e-3


def on_feet(robot: Robot, empty: Scene, base: str, swing: float) -> tuple[Twin, list[float]]:
    """Heights of the base over 6 s, both arms swinging from the shoulders by `swing` [rad] after the first second."""
    twin = Twin(robot, empty, None, load_settings(lidar=False, base=base))
    shoulders = [arm.shoulder_joints[0] for arm in robot.config.operator.arms.values()]
    home = np.array([robot.config.home[joint] for joint in shoulders])
    heights = []
    for i in range(3000):
        if i > 500:
            twin.command(shoulders, home + swing * np.sin(0.006 * (i - 500)))
        twin.step()
        heights.append(twin.plant.base(0).position[2])
    return twin, heights


def test_free_base_falls_and_the_floor_holds_it(robot: Robot, empty: Scene) -> None:
    _, heights = on_feet(robot, empty, "free", swing=0.5)
    assert heights[0] == pytest.approx(robot.config.base_height, abs=1e-3)
    assert 0.02 < heights[-1] < 0.5 * robot.config.base_height


def test_standing_robot_stays_on_its_feet_while_its_arms_swing(robot: Robot, empty: Scene) -> None:
    twin, heights = on_feet(robot, empty, "standing", swing=0.5)
    assert max(heights) - min(heights) < 0.01
    base = twin.plant.base(0)
    assert np.abs(base.orientation[:2]).max() < 0.03
    assert np.abs(base.position[:2]).max() < 0.05
    feet = [twin.plant.data.body(f"{side}_ankle_roll_link").xpos for side in ("left", "right")]
    assert np.hypot(*(0.5 * (feet[0] + feet[1]))[:2]) < 0.03  # it did not slide or step
    weight = twin.plant.model.body_subtreemass[twin.plant.model.body(robot.config.base_frame).id] * 9.81
    held = sum(_normal_force(twin.plant, i) for i in range(twin.plant.data.ncon))
    assert held == pytest.approx(weight, rel=0.1)  # the floor carries it, nothing else


def _normal_force(plant: Plant, contact: int) -> float:
    force = np.zeros(6)
    mujoco.mj_contactForce(plant.model, plant.data, contact, force)
    return float(force[0])
