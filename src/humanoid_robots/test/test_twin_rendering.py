# SPDX-License-Identifier: Apache-2.0
"""Needs off-screen OpenGL: without it these fail with the message that says what to install."""

from __future__ import annotations

import ctypes.util
from collections.abc import Iterator

import numpy as np
import pytest

from humanoid_description import Robot
from humanoid_robots import gl, scene
from humanoid_robots.errors import RenderingUnavailable
from humanoid_robots.plant import Plant
from humanoid_robots.readings import ImageReading
from humanoid_robots.rendering import Renderer, RenderThread, View, views_of
from humanoid_robots.scene import Scene
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import Twin
from humanoid_robots.twin_publishing import camera_info


@pytest.fixture(scope="module")
def room(robot: Robot, sorting: Scene) -> Plant:
    return Plant(robot, scene.draw(sorting, 0), 0.002, 2)


@pytest.fixture(scope="module")
def renderer(room: Plant) -> Iterator[Renderer]:
    made = Renderer(room.model, 640, 480)
    made.pose(room.configuration)
    yield made
    made.close()


def view(robot: Robot, camera: str, stream: str) -> View:
    return next(v for v in views_of(robot.config) if (v.camera, v.stream) == (camera, stream))


def rays(imager_view: View) -> np.ndarray:
    """Direction of every pixel in the optical frame, from camera_info, with z = 1: (height, width, 3)."""
    k = np.array(camera_info(imager_view.imager).k).reshape(3, 3)
    v, u = np.indices((imager_view.imager.height, imager_view.imager.width)).astype(float)
    return np.stack([(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], np.ones_like(u)], axis=-1)


def test_depth_and_intrinsics_give_back_the_table(robot: Robot, room: Plant, renderer: Renderer) -> None:
    """Every pixel of the depth image, projected with camera_info, lies on something; much of it on the table's
    surface."""
    head = view(robot, "head", "depth")
    depth = renderer.view(head)
    assert depth.dtype == np.uint16
    body = room.data.body(head.imager.frame)
    points = rays(head)[depth > 0] * (depth[depth > 0][:, None] * 1e-3)
    world = points @ body.xmat.reshape(3, 3).T + body.xpos
    table = room.layout.scene.tables["table"]
    on_table = np.abs(world[:, 2] - table.height) < 0.003
    assert on_table.mean() > 0.15
    low, high = np.subtract(table.position, np.divide(table.size, 2)), np.add(table.position, np.divide(table.size, 2))
    found = world[on_table][:, :2]
    assert np.all(found > low - 0.005)
    assert np.all(found < high + 0.005)
    assert found[:, 0].max() == pytest.approx(high[0], abs=0.01)  # its far edge is in view
    assert world[:, 2].min() > -0.01  # nothing under the floor


def test_depth_is_missing_out_of_range(robot: Robot, renderer: Renderer) -> None:
    head = view(robot, "head", "depth")
    depth = renderer.view(head)
    measured = depth[depth > 0]
    assert measured.min() >= round(1000 * head.imager.near)
    assert measured.max() <= round(1000 * head.imager.far)
    assert (depth == 0).any()  # its own hands are nearer than it can measure, or the room is farther


def test_ray_casting_agrees_with_the_depth_image(robot: Robot, room: Plant, renderer: Renderer) -> None:
    import mujoco

    head = view(robot, "head", "depth")
    depth = renderer.view(head)
    body = room.data.body(head.imager.frame)
    groups = np.array([1, 1, 0, 0, 0, 0], dtype=np.uint8)  # without the head that the camera is in
    geom = np.zeros(1, dtype=np.int32)
    difference = []
    for v in range(40, 480, 40):
        for u in range(40, 640, 40):
            if depth[v, u]:
                ray = body.xmat.reshape(3, 3) @ rays(head)[v, u]
                distance = mujoco.mj_ray(room.model, room.data, body.xpos, ray, groups, True, -1, geom, None)
                difference.append(abs(distance - 1e-3 * depth[v, u]))
    assert len(difference) > 100
    assert np.median(difference) < 1e-3
    assert np.mean(np.array(difference) < 0.01) > 0.9


def test_colour_camera_sees_the_labels_where_the_parcels_are(robot: Robot, room: Plant, renderer: Renderer) -> None:
    """The orange and blue of the labels and bins turn up; the picture has light and detail."""
    image = renderer.view(view(robot, "head", "color")).astype(int)
    assert image.shape == (480, 640, 3)
    assert image.std() > 20
    assert 60 < image.mean() < 220
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    assert ((red > 1.7 * green) & (green > 1.5 * blue) & (red > 80)).sum() > 200  # cardboard is less red than that
    assert ((blue > 1.7 * green) & (green > 1.5 * red) & (blue > 60)).sum() > 200


def test_pictures_are_the_same_every_time(robot: Robot, room: Plant, renderer: Renderer) -> None:
    wrist = view(robot, "left_wrist", "color")
    np.testing.assert_array_equal(renderer.view(wrist), renderer.view(wrist))


def test_thread_draws_every_image_with_its_stamp(robot: Robot, one_parcel: Scene) -> None:
    images: list[ImageReading] = []
    thread = RenderThread(images.append)
    twin = Twin(robot, one_parcel, None, load_settings(lidar=False), thread)
    for _ in range(100):
        twin.step()
    twin.close()
    for stream in ("color", "depth"):
        stamps = [image.stamp for image in images if (image.camera, image.stream) == ("head", stream)]
        assert len(stamps) in (6, 7)  # 30 Hz for 0.2 s
        assert np.all(np.abs(np.diff(stamps) - 1e9 / 30) <= 2e6)
    assert {image.camera for image in images} == set(robot.config.cameras)


def test_without_opengl_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(gl, "_egl_works", gl._egl_works.__wrapped__)
    with pytest.raises(RenderingUnavailable, match=r"libosmesa6.*libegl1"):
        gl.choose()
