# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from collections import defaultdict
from itertools import pairwise

import mujoco
import numpy as np
import pytest

from humanoid_description import Robot
from humanoid_description.sensors import Lidar, TactilePad
from humanoid_robots import scene
from humanoid_robots.lidar import SLICES, LidarScanner, directions
from humanoid_robots.plant import Plant
from humanoid_robots.readings import (
    CloudReading,
    ImuReading,
    JointReading,
    Reading,
    SoundReading,
    TactileReading,
    WrenchReading,
)
from humanoid_robots.scene import Scene
from humanoid_robots.settings import load_settings
from humanoid_robots.sound import Soundscape
from humanoid_robots.tactile import TactileSkin, press, taxel_positions
from humanoid_robots.twin import START_NS, Twin

PAD = TactilePad(frame="pad", rows=4, columns=3, size=(0.04, 0.03), rate=100.0)


@pytest.fixture(scope="module")
def measured(robot: Robot, sorting: Scene) -> dict[str, list[Reading]]:
    """One second of a robot that stands still, by kind of reading and place."""
    twin = Twin(robot, sorting, None, load_settings())
    readings: dict[str, list[Reading]] = defaultdict(list)
    for _ in range(500):
        for reading in twin.step():
            readings[f"{type(reading).__name__}/{getattr(reading, 'place', '')}"].append(reading)
    return readings


def test_each_sensor_keeps_its_rate_and_stamps_are_instants_of_the_simulation(
    robot: Robot, measured: dict[str, list[Reading]]
) -> None:
    config = robot.config
    rates = {"JointReading/": config.joint_state_rate, "ObjectsReading/": 30.0, "BaseReading/": 100.0}
    rates |= {f"ImuReading/{place}": imu.rate for place, imu in config.imus.items()}
    rates |= {f"WrenchReading/{place}": wrench.rate for place, wrench in config.wrenches.items()}
    rates |= {f"TactileReading/{place}": pad.rate for place, pad in config.tactile.items()}
    for name, rate in rates.items():
        stamps = np.array([reading.stamp for reading in measured[name]])
        assert len(stamps) == pytest.approx(rate, abs=1), name
        assert np.all((stamps - START_NS) % 2_000_000 == 0)
        assert np.all(np.abs(np.diff(stamps) - 1e9 / rate) <= 2_000_000), name


def test_imu_at_rest_feels_gravity_upwards(measured: dict[str, list[Reading]]) -> None:
    """REP-145: the accelerometer reads +g along the axis that points up."""
    for place in ("data", "torso"):
        reading = measured[f"ImuReading/{place}"][-1]
        assert isinstance(reading, ImuReading)
        np.testing.assert_allclose(reading.linear_acceleration, (0, 0, 9.81), atol=0.05)
        np.testing.assert_allclose(reading.angular_velocity, 0, atol=0.01)
        np.testing.assert_allclose(np.abs(reading.orientation), (0, 0, 0, 1), atol=0.01)


def test_gyro_of_the_torso_agrees_with_the_waist(robot: Robot, empty: Scene) -> None:
    twin = Twin(robot, empty, None, load_settings(lidar=False))
    waist, imu = None, None
    for i in range(300):
        twin.command(["waist_yaw_joint"], np.array([0.001 * i]), np.array([0.5]))
        for reading in twin.step():
            if isinstance(reading, JointReading):
                waist = reading
            if isinstance(reading, ImuReading) and reading.place == "torso":
                imu = reading
                assert waist is not None
                assert waist.stamp == imu.stamp
    assert imu is not None
    assert waist is not None
    speed = waist.velocity[twin.joints.index("waist_yaw_joint")]
    assert speed == pytest.approx(0.5, abs=0.05)
    assert imu.angular_velocity[2] == pytest.approx(speed, abs=0.02)


def test_wrist_carries_the_hand(measured: dict[str, list[Reading]], plant: Plant) -> None:
    model = plant.model
    hand = sum(model.body_mass[i] for i in range(model.nbody) if model.body(i).name.startswith("left_hand"))
    reading = measured["WrenchReading/left_wrist"][-1]
    assert isinstance(reading, WrenchReading)
    assert np.linalg.norm(reading.force) == pytest.approx(9.81 * hand, rel=0.02)
    world_from_frame = plant.data.body("left_wrist_wrench").xmat.reshape(3, 3)
    np.testing.assert_allclose(world_from_frame @ reading.force, (0, 0, -9.81 * hand), atol=0.3)


def test_nothing_presses_at_rest(measured: dict[str, list[Reading]]) -> None:
    for name, readings in measured.items():
        if name.startswith("TactileReading"):
            assert all(not reading.pressure.any() for reading in readings if isinstance(reading, TactileReading))


@pytest.mark.parametrize(("low", "high"), [((-0.01, -0.01), (0.01, 0.01)), ((0.001, 0.002), (0.001, 0.002))])
def test_pressure_adds_up_to_the_force(low: tuple[float, float], high: tuple[float, float]) -> None:
    pressure = press(PAD, np.array(low), np.array(high), 7.0)
    area = PAD.size[0] * PAD.size[1] / (PAD.rows * PAD.columns)
    assert pressure.shape == (4, 3)
    assert area * pressure.sum() == pytest.approx(7.0)


def test_pressure_is_where_the_force_is_and_outside_the_pad_nothing_feels_it() -> None:
    corner = taxel_positions(PAD)[0, :2]
    pressure = press(PAD, corner, corner, 1.0)
    assert pressure[0, 0] > 0.9 * pressure.sum()
    beside = np.array([1.0, 0.0])
    assert not press(PAD, beside, beside, 1.0).any()
    half_over = press(PAD, np.array([0.0, -0.015]), np.array([0.04, 0.015]), 10.0)
    area = PAD.size[0] * PAD.size[1] / (PAD.rows * PAD.columns)
    assert area * half_over.sum() == pytest.approx(5.0)


def test_palm_feels_the_weight_on_it(robot: Robot, one_parcel: Scene) -> None:
    """A parcel laid on an upturned palm presses on the palm and the fingers with its weight."""
    plant = Plant(robot, scene.draw(one_parcel, 0), 0.002, 2)
    handles, index = plant.handles, plant.handles.index()
    pose = handles.home.copy()
    pose[index["left_wrist_roll_joint"]] -= 0.5 * np.pi  # the palm, which faces right, upwards
    pose[index["left_hand_thumb_1_joint"]] = -0.6
    plant.data.qpos[handles.qpos] = pose
    model, data = plant.model, plant.data
    mujoco.mj_forward(model, data)
    pad = data.body("left_hand_palm_pad")
    assert pad.xmat.reshape(3, 3)[2, 2] > 0.9
    # A small light block instead of the parcel, just above the pad.
    model.geom("parcel_1").size[:] = (0.012, 0.012, 0.02)
    body = model.body("parcel_1").id
    model.body_mass[body], model.body_inertia[body] = 0.2, 1e-4
    address = model.joint("parcel_1").qposadr[0]
    data.qpos[address : address + 3] = pad.xpos + pad.xmat.reshape(3, 3)[:, 2] * 0.0215
    data.qpos[address + 3 : address + 7] = pad.xquat
    skin = TactileSkin({"left_palm": robot.config.tactile["left_palm"]}, model)
    zero = np.zeros(len(pose))
    forces = []
    for i in range(250):
        plant.begin(pose, zero, zero)
        if i > 150:
            forces.append(skin.read(data, 0)[0].pressure.sum() * 0.06 * 0.06 / 12)
        plant.finish()
    assert plant.touch().held == {"parcel_1"}
    upright = data.body("left_hand_palm_pad").xmat.reshape(3, 3)[2, 2]  # friction carries the rest
    assert np.mean(forces) == pytest.approx(0.2 * 9.81 * upright, rel=0.06)


def test_sound_has_no_gap_and_a_robot_at_rest_makes_none(robot: Robot, measured: dict[str, list[Reading]]) -> None:
    microphone = robot.config.microphone
    assert microphone is not None
    heard = [reading for reading in measured["SoundReading/"] if isinstance(reading, SoundReading)]
    assert len(heard) == pytest.approx(microphone.rate, abs=1)
    for before, after in pairwise(heard):
        assert after.first == before.first + len(before.samples)
    for reading in heard:
        assert reading.stamp == pytest.approx(1e9 * reading.first / microphone.samples_per_second, abs=1.0)
    assert max(np.abs(reading.samples).max() for reading in heard[25:]) < 1e-3


def test_what_falls_is_heard_when_its_sound_has_come(robot: Robot, one_parcel: Scene) -> None:
    plant = Plant(robot, scene.draw(one_parcel, 0), 0.002, 2)
    model, data, microphone = plant.model, plant.data, robot.config.microphone
    assert microphone is not None
    zero = np.zeros(len(plant.handles.home))
    still = (plant.handles.home, zero, zero)
    for _ in range(250):  # it comes to rest
        plant.begin(*still)
        plant.finish()
    address = model.joint("parcel_1").qposadr[0]
    dof = model.joint("parcel_1").dofadr[0]
    height = 0.05
    data.qpos[address : address + 3] += (0.12, 0.0, height)  # from under the hand
    data.qvel[dof : dof + 6] = 0.0
    ears = ["gaze", "l_sole"]
    sounds = [Soundscape(dataclasses.replace(microphone, frame=ear), model, plant.handles.dof) for ear in ears]
    heard: list[list[SoundReading]] = [[], []]
    place = None
    for i in range(101):
        plant.begin(*still)
        place = data.contact.pos[0].copy() if place is None and data.ncon else place
        for sound, chunks in zip(sounds, heard, strict=True):
            sound.listen(data, 2_000_000 * i)
            if i % 10 == 0:
                chunks.append(sound.chunk(data, 2_000_000 * i))
        plant.finish()
    assert place is not None
    knocks = []
    for chunks in heard:
        loud = np.abs(np.concatenate([reading.samples for reading in chunks]))
        assert loud.max() > 0.02
        knocks.append(1e-9 * chunks[0].stamp + np.argmax(loud > 0.02 * loud.max()) / microphone.samples_per_second)
    flights = [float(np.linalg.norm(place - data.body(ear).xpos)) / 343.0 for ear in ears]
    assert knocks[0] == pytest.approx(np.sqrt(2.0 * height / 9.81) + flights[0], abs=0.004)
    assert knocks[1] - knocks[0] == pytest.approx(flights[1] - flights[0], abs=0.0002)
    assert flights[1] - flights[0] > 0.0005


def test_lidar_looks_everywhere_between_its_elevations_and_does_not_repeat(robot: Robot) -> None:
    lidar = robot.config.lidar
    assert lidar is not None
    first, second = directions(lidar, 0, 20000), directions(lidar, 20000, 20000)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1.0)
    elevation = np.arcsin(first[:, 2])
    assert elevation.min() == pytest.approx(lidar.elevation[0], abs=0.01)
    assert elevation.max() == pytest.approx(lidar.elevation[1], abs=0.01)
    azimuth = np.arctan2(first[:, 1], first[:, 0])
    assert np.histogram(azimuth, bins=36)[0].min() > 200
    assert np.linalg.norm(first - second, axis=1).max() > 0.1


def test_lidar_scans_as_a_mid360() -> None:
    """Rays of the maker's own simulation (livox_laser_simulation, mid360.csv): number, azimuth, elevation [deg]."""
    rays = [(0, 268.99, 52.16), (3, 269.00, 43.85), (1000, 313.35, 48.39), (20001, 183.05, 47.83)]
    rays += [(123456, 75.74, 26.75), (400002, 329.90, 47.07), (654321, 317.28, 15.72), (799999, 33.07, 49.94)]
    turn, elevations = (0.0, 2.0 * np.pi), (np.radians(-7.21), np.radians(52.17))
    lidar = Lidar("Livox Mid-360", "lidar", 10.0, 200_000, elevations, 0.1, 40.0, turn)
    for number, azimuth, elevation in rays:
        a, e = np.radians((azimuth, elevation))
        maker = (np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e))
        np.testing.assert_allclose(directions(lidar, number, 1)[0], maker, atol=np.radians(2.0), err_msg=str(number))


def test_lidar_looks_only_between_its_azimuths() -> None:
    rays = directions(Lidar("test", "eye", 10.0, 20000, (-0.4, 0.4), 0.1, 40.0, azimuth=(-1.4, 0.5)), 0, 20000)
    azimuth = np.arctan2(rays[:, 1], rays[:, 0])
    assert (azimuth.min(), azimuth.max()) == (pytest.approx(-1.4, abs=0.01), pytest.approx(0.5, abs=0.01))


def test_spinning_lidar_fires_its_beams_in_turn_and_comes_round_with_each_cloud() -> None:
    low, high = np.radians((-15.0, 15.0))
    lidar = Lidar("16 beams", "eye", 10.0, 288_000, (low, high), 0.1, 100.0, beams=16)
    rays = directions(lidar, 0, 57_600)  # two turns
    elevation, azimuth = np.arcsin(rays[:, 2]), np.arctan2(rays[:, 1], rays[:, 0])
    np.testing.assert_allclose(np.degrees(elevation[:17]), [*np.linspace(-15.0, 15.0, 16), -15.0], atol=1e-9)
    assert len(np.unique(np.round(elevation, 9))) == 16
    turned = -np.unwrap(azimuth)
    assert np.all(np.diff(turned) > 0.0)  # clockwise
    assert turned[28_800] - turned[0] == pytest.approx(2 * np.pi)
    np.testing.assert_allclose(rays[:28_800], rays[28_800:], atol=1e-9)


def test_lidar_measures_a_plane() -> None:
    """A LiDAR 1.5 m over a floor sees every downward ray end on it."""
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><geom type='plane' size='0 0 1'/><body name='eye' pos='0 0 1.5'/></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    lidar = Lidar("test", "eye", 10.0, 20000, (-0.9, -0.3), 0.1, 40.0)
    scanner = LidarScanner(lidar, model)
    clouds = [scanner.scan(data, 10_000_000 * i) for i in range(2 * SLICES)]
    assert [cloud is not None for cloud in clouds] == ([False] * (SLICES - 1) + [True]) * 2
    cloud = clouds[-1]
    assert isinstance(cloud, CloudReading)
    assert len(cloud.points) == 2000
    np.testing.assert_allclose(cloud.points[:, 2], -1.5, atol=1e-5)
    assert cloud.stamp == 100_000_000
    before = clouds[SLICES - 1]
    assert isinstance(before, CloudReading)
    assert np.linalg.norm(cloud.points - before.points, axis=1).max() > 0.1  # the next scan looks elsewhere
    assert np.all(np.diff(cloud.offsets.astype(int)) > 0)
    assert cloud.offsets[-1] < 100_000_000


def test_lidar_in_the_head_sees_the_room_and_not_the_head(measured: dict[str, list[Reading]], plant: Plant) -> None:
    cloud = measured["CloudReading/"][-1]
    assert isinstance(cloud, CloudReading)
    body = plant.data.body("mid360_link")
    world = cloud.points @ body.xmat.reshape(3, 3).T + body.xpos
    assert len(cloud.points) > 5000
    assert np.linalg.norm(cloud.points, axis=1).min() >= 0.1
    floor = np.abs(world[:, 2]) < 0.01
    assert floor.mean() > 0.1
    assert world[:, 2].min() > -0.01
