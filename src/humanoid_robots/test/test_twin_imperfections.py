# SPDX-License-Identifier: Apache-2.0
"""Noise, steps, losses and delays: of the stated size, the same for a seed, and stamps that stay true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ament_index_python.packages import get_package_share_directory

from humanoid_core.errors import ConfigError
from humanoid_description import Robot
from humanoid_robots import imperfections
from humanoid_robots.imperfections import ImageSpoiler, Imperfections, Spoiler
from humanoid_robots.readings import CloudReading, ImageReading, ImuReading, JointReading, TactileReading, WrenchReading
from humanoid_robots.rendering import RenderThread
from humanoid_robots.scene import Scene
from humanoid_robots.servo import SetPoints
from humanoid_robots.settings import load_settings
from humanoid_robots.thermal import AMBIENT, Windings
from humanoid_robots.twin import Twin

STAMP = 1_000_000_000


@pytest.fixture(scope="module")
def figures() -> Imperfections:
    return imperfections.load()


@pytest.fixture
def spoiler(figures: Imperfections) -> Spoiler:
    return Spoiler(figures, np.array((10.0, 100.0)), seed=3)


def test_joints_are_read_in_steps_and_with_noise_of_the_stated_size(spoiler: Spoiler, figures: Imperfections) -> None:
    ideal = JointReading(STAMP, np.array((0.1, -1.0)), np.zeros(2), np.array((1.0, 20.0)))
    read = [spoiler.spoil(ideal) for _ in range(2000)]
    assert all(isinstance(reading, JointReading) and reading.stamp == STAMP for reading in read)
    position = np.array([reading.position for reading in read])  # type: ignore[union-attr]
    steps = position / figures.encoders.step
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    assert np.abs(position - ideal.position).max() <= 0.5 * figures.encoders.step + 1e-12
    velocity = np.array([reading.velocity for reading in read])  # type: ignore[union-attr]
    effort = np.array([reading.effort for reading in read])  # type: ignore[union-attr]
    np.testing.assert_allclose(velocity.std(axis=0), figures.encoders.velocity, rtol=0.1)
    np.testing.assert_allclose(effort.std(axis=0), figures.encoders.torque * np.array((10.0, 100.0)), rtol=0.1)
    np.testing.assert_allclose(effort.mean(axis=0), ideal.effort, atol=0.03)


def test_biases_belong_to_the_device_and_stay(spoiler: Spoiler, figures: Imperfections) -> None:
    def mean(place: str) -> np.ndarray:
        ideal = ImuReading(STAMP, place, np.array((0, 0, 0, 1.0)), np.zeros(3), np.zeros(3))
        read = [spoiler.spoil(ideal) for _ in range(500)]
        return np.mean([reading.linear_acceleration for reading in read], axis=0)  # type: ignore[union-attr]

    pelvis, torso = mean("pelvis"), mean("torso")
    np.testing.assert_allclose(mean("pelvis"), pelvis, atol=0.005)
    assert np.abs(pelvis - torso).max() > 0.005
    assert max(np.abs(pelvis).max(), np.abs(torso).max()) < figures.imu.force_bias + 0.005


def test_wrench_is_off_by_no_more_than_stated(spoiler: Spoiler, figures: Imperfections) -> None:
    ideal = WrenchReading(STAMP, "left_wrist", np.array((0.0, 0.0, -5.0)), np.zeros(3))
    read = spoiler.spoil(ideal)
    assert isinstance(read, WrenchReading)
    assert 0.0 < np.abs(read.force - ideal.force).max() < figures.wrench.force_bias + 5 * figures.wrench.force
    assert 0.0 < np.abs(read.torque).max() < figures.wrench.torque_bias + 5 * figures.wrench.torque


def test_what_nobody_touches_feels_nothing(spoiler: Spoiler) -> None:
    read = spoiler.spoil(TactileReading(STAMP, "palm", np.array([[0.0, 5000.0]])))
    assert isinstance(read, TactileReading)
    assert read.pressure[0, 0] == 0.0
    assert read.pressure[0, 1] != 5000.0
    assert read.pressure[0, 1] == pytest.approx(5000.0, abs=250.0)


def test_lidar_loses_dark_points_and_keeps_directions_and_times(spoiler: Spoiler, figures: Imperfections) -> None:
    count = 20_000
    ray = np.array((0.6, 0.0, 0.8), np.float32)
    points = np.tile(3.0 * ray, (count, 1))
    intensity = np.where(np.arange(count) % 2, 200.0, figures.lidar.dark).astype(np.float32)
    read = spoiler.spoil(CloudReading(STAMP, points, np.arange(count, dtype=np.uint32), intensity))
    assert isinstance(read, CloudReading)
    bright = read.intensity > 100.0
    assert bright.sum() / (count / 2) == pytest.approx(1.0 - figures.lidar.lost, abs=0.01)
    assert (~bright).sum() / (count / 2) == pytest.approx(0.5, abs=0.02)
    distance = np.linalg.norm(read.points, axis=1)
    np.testing.assert_allclose(read.points / distance[:, None], np.tile(ray, (len(distance), 1)), atol=1e-5)
    assert distance.std() == pytest.approx(figures.lidar.range, rel=0.1)
    assert np.all(np.diff(read.offsets.astype(int)) > 0)


def test_a_seed_gives_the_same_readings_whatever_else_is_measured(figures: Imperfections) -> None:
    ideal = JointReading(STAMP, np.zeros(2), np.zeros(2), np.zeros(2))
    palm = TactileReading(STAMP, "palm", np.full((2, 2), 900.0))
    alone, beside = (Spoiler(figures, np.ones(2), seed=1) for _ in range(2))
    beside.spoil(palm)
    first, second = alone.spoil(ideal), beside.spoil(ideal)
    assert isinstance(first, JointReading)
    assert isinstance(second, JointReading)
    assert first.velocity.tolist() == second.velocity.tolist()


def test_two_spoiled_runs_are_identical_and_differ_from_the_ideal_one(robot: Robot, empty: Scene) -> None:
    def run(figures: Imperfections | None) -> list[float]:
        twin = Twin(robot, empty, None, load_settings(lidar=False), imperfections=figures)
        readings = [reading for _ in range(20) for reading in twin.step()]
        return [value for r in readings if isinstance(r, JointReading) for value in (*r.position, *r.velocity)]

    assert run(imperfections.load()) == run(imperfections.load())
    assert run(imperfections.load()) != run(None)


# --- pictures ---


def test_colour_noise_grows_with_brightness_and_depends_on_the_stamp(figures: Imperfections) -> None:
    images = ImageSpoiler(figures, seed=0)
    for value in (20, 200):
        picture = np.full((240, 320, 3), value, np.uint8)
        found = images.color("head", STAMP, picture)
        expected = np.hypot(figures.color.read, np.sqrt(figures.color.shot * value))
        assert found.astype(float).std() == pytest.approx(expected, rel=0.1)
        assert found.astype(float).mean() == pytest.approx(value, abs=0.2)
        assert np.array_equal(found, images.color("head", STAMP, picture))
        assert not np.array_equal(found, images.color("head", STAMP + 1, picture))
        assert not np.array_equal(found, images.color("wrist", STAMP, picture))


def test_depth_noise_grows_with_the_square_of_the_distance(figures: Imperfections) -> None:
    images = ImageSpoiler(figures, seed=0)
    for distance in (1000, 3000):
        found = images.depth("head", STAMP, np.full((200, 600), distance, np.uint16), focal_length=400.0)
        measured = found[found > 0].astype(float)
        one_pixel = distance**2 / (1000.0 * 400.0 * figures.depth.baseline)  # [mm]
        assert measured.std() == pytest.approx(figures.depth.disparity * one_pixel, rel=0.2)
        assert len(np.unique(found)) < 40  # in steps of the match


def test_depth_is_blind_in_the_shadow_at_the_left_of_what_stands_in_front(figures: Imperfections) -> None:
    ideal = np.full((100, 400), 2000, np.uint16)
    ideal[:, 200:300] = 500  # a board half a metre away
    found = ImageSpoiler(figures, seed=0).depth("head", STAMP, ideal, focal_length=400.0)
    blind = (found == 0).mean(axis=0)
    near, far = (1000.0 * 400.0 * figures.depth.baseline / z for z in (500.0, 2000.0))
    assert blind[: int(far) - 1].min() == 1.0  # outside the other eye's picture
    assert blind[200 - int(near - far) + 1 : 199].min() == 1.0
    assert blind[int(far) + 1 : 200 - int(near - far) - 2].max() < 0.1
    assert blind[201:].max() < 0.1  # no shadow on the board nor at its right


def test_pictures_are_stamped_in_the_middle_of_their_exposure(
    robot: Robot, empty: Scene, figures: Imperfections
) -> None:
    class Recorder(RenderThread):
        """Takes what is to be drawn and draws nothing."""

        def start(self, model: object, views: object) -> None:
            self.jobs: list[tuple[int, int]] = []

        def submit(self, stamp: int, exposed: list[np.ndarray], views: object) -> None:
            self.jobs.append((stamp, len(exposed)))

    def deliver(_: ImageReading) -> None:
        raise AssertionError("nothing is drawn")

    recorder = Recorder(deliver)
    twin = Twin(robot, empty, None, load_settings(lidar=False, cameras=True), recorder, figures)
    ends = []
    for _ in range(100):
        before, now = len(recorder.jobs), twin.now
        twin.step()
        ends += [now] * (len(recorder.jobs) - before)
    assert len(recorder.jobs) >= 6
    for end, (stamp, exposed) in list(zip(ends, recorder.jobs))[1:]:
        assert exposed == 5  # 8 ms at 500 Hz
        assert end - stamp == round(0.5e9 * figures.camera.exposure)


# --- commands and motors ---


def test_a_command_takes_its_delay_to_work() -> None:
    servo = SetPoints(["a"], np.zeros(1), np.full(1, -1.0), np.ones(1), timeout=0.1, decay=0.05, delay=0.004)
    servo.receive(0, ["a"], np.array([0.5]))
    servo.advance(2_000_000, 0.002)
    assert servo.position.tolist() == [0.0]
    servo.receive(2_000_000, ["a"], np.array([0.6]))
    servo.advance(4_000_000, 0.002)
    assert servo.position.tolist() == [0.5]
    servo.advance(6_000_000, 0.002)
    assert servo.position.tolist() == [0.6]


def test_motors_warm_with_the_square_of_the_torque_and_cool_down() -> None:
    windings = Windings(np.array((10.0, 10.0)))
    for _ in range(600):
        windings.heat(np.array((5.0, 10.0)), 1.0)
    half, full = windings.temperature - AMBIENT
    assert full == pytest.approx(4 * half)
    assert full == pytest.approx(120.0 * (1 - np.exp(-1.0)), rel=0.01)
    for _ in range(6000):
        windings.heat(np.zeros(2), 1.0)
    np.testing.assert_allclose(windings.temperature, AMBIENT, atol=0.01)


def test_a_figure_that_is_missing_is_named(tmp_path: Path) -> None:
    ours = Path(get_package_share_directory("humanoid_robots")) / "config" / "imperfections.yaml"
    file = tmp_path / "imperfections.yaml"
    file.write_text(ours.read_text().replace("  baseline: 0.05", "  basis: 0.05"))
    with pytest.raises(ConfigError, match="basis"):
        imperfections.load(file)
