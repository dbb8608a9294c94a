# SPDX-License-Identifier: Apache-2.0
"""Pictures of the simulated scene: a renderer for one thread, and a thread that renders beside the physics."""

from __future__ import annotations

import copy
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from humanoid_description.config import RobotConfig
from humanoid_description.sensors import Imager
from humanoid_robots import gl
from humanoid_robots.furnish import FIXED_CAMERA, VISUAL_GROUP
from humanoid_robots.imperfections import ImageSpoiler
from humanoid_robots.model import HIDDEN_GROUP
from humanoid_robots.readings import ImageReading

_MAX_GEOMS = 2000
_MISSED = 0  # [mm], REP-118
_UNSEEN_GROUP = 5  # drawn in no view
_GAIN = 0.1  # of running means
_HEADROOM = 1.05  # asks for a little more than was possible, or the speed could never grow again


@dataclass(frozen=True)
class View:
    """One imager to draw: its camera, "color" or "depth", and its figures."""

    camera: str
    stream: str
    imager: Imager


def views_of(config: RobotConfig) -> list[View]:
    """All imagers of a robot."""
    views = []
    for name, camera in config.cameras.items():
        views.append(View(name, "color", camera.color))
        if camera.depth is not None:
            views.append(View(name, "depth", camera.depth))
    return views


class Renderer:
    """Draws a model with off-screen OpenGL. Make it, use it and close it in one thread.

    Args:
        model: The compiled model.
        width: Largest width drawn [px].
        height: Largest height drawn [px].
        shadows: Draw shadows in colour images; on a processor they cost as much again as all else.

    Raises:
        RenderingUnavailable: no off-screen OpenGL works here.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int, shadows: bool = True) -> None:
        # A copy of its own: what is out of view is hidden in it, while the physics casts rays in the original.
        self._model = model = copy.deepcopy(model)
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._groups = model.geom_group.copy()
        self._data = mujoco.MjData(model)
        self._shadows = shadows
        self._gl = gl.make_context(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mujoco.MjvScene(model, _MAX_GEOMS)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[:] = 0
        self._option.geomgroup[[0, VISUAL_GROUP, HIDDEN_GROUP]] = 1
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED

    def pose(self, configuration: np.ndarray) -> None:
        """Put the scene into a configuration (nq,)."""
        self._data.qpos[:] = configuration
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)

    def color(self, camera: str, width: int, height: int) -> np.ndarray:
        """Colour image (height, width, 3) uint8, red first, of a camera of the model."""
        image = np.empty((height, width, 3), np.uint8)
        self._draw(camera, width, height, sky=True)
        mujoco.mjr_readPixels(image, None, mujoco.MjrRect(0, 0, width, height), self._context)
        return image[::-1]

    def depth(self, camera: str, width: int, height: int) -> np.ndarray:
        """Distance along the optical axis (height, width) float32 [m] of a camera of the model; infinite for the
        sky."""
        values = np.empty((height, width), np.float32)
        self._draw(camera, width, height, sky=False)
        mujoco.mjr_readPixels(None, values, mujoco.MjrRect(0, 0, width, height), self._context)
        # The buffer holds 1 at the near plane and 0 at the far plane, linear in 1 / distance.
        extent, planes = self._model.stat.extent, self._model.vis.map
        near, far = planes.znear * extent, planes.zfar * extent
        with np.errstate(divide="ignore"):
            distance = near * far / (near + values * (far - near))
        return np.where(values > 0.0, distance, np.inf)[::-1].astype(np.float32)

    def view(self, view: View) -> np.ndarray:
        """The image of an imager: colour (height, width, 3) uint8, or depth (height, width) uint16 [mm], 0 out of
        range."""
        imager = view.imager
        name = f"{view.camera}/{view.stream}"
        if view.stream == "color":
            return self.color(name, imager.width, imager.height)
        distance = self.depth(name, imager.width, imager.height)
        measured = (distance >= imager.near) & (distance <= imager.far)
        return np.where(measured, np.rint(1000.0 * np.where(measured, distance, 0.0)), _MISSED).astype(np.uint16)

    def overview(self, width: int, height: int) -> np.ndarray:
        """The scene as a bystander sees it (height, width, 3) uint8."""
        return self.color(FIXED_CAMERA, width, height)

    def close(self) -> None:
        """Give the context back."""
        self._context.free()
        self._gl.free()

    def _draw(self, camera: str, width: int, height: int, sky: bool) -> None:
        identity = self._model.camera(camera).id
        self._camera.fixedcamid = identity
        shadows = sky and self._shadows
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = sky
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        self._option.flags[mujoco.mjtVisFlag.mjVIS_TEXTURE] = sky
        self._model.geom_group[:] = self._groups
        if not shadows:  # what is out of view may still throw one
            self._model.geom_group[~self._in_view(identity, width / height)] = _UNSEEN_GROUP
        mujoco.mjv_updateScene(
            self._model, self._data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL, self._scene
        )
        if not sky:
            self._scene.nlight = 0  # nobody sees the colours
        mujoco.mjr_render(mujoco.MjrRect(0, 0, width, height), self._scene, self._context)

    def _in_view(self, camera: int, aspect: float) -> np.ndarray:
        """Which geoms' bounding spheres reach into a camera's view (ngeom,); MuJoCo itself draws everything."""
        eye_from_world = self._data.cam_xmat[camera].reshape(3, 3).T
        away = (self._data.geom_xpos - self._data.cam_xpos[camera]) @ eye_from_world.T
        radius = self._model.geom_rbound
        upright = 0.5 * np.radians(self._model.cam_fovy[camera])
        across = np.arctan(aspect * np.tan(upright))
        seen = -away[:, 2] + radius > 0.0
        for axis, angle in ((0, across), (1, upright)):
            # Distance of the centre beyond the side plane of the pyramid, MuJoCo's cameras looking along -z.
            seen &= np.abs(away[:, axis]) * np.cos(angle) + away[:, 2] * np.sin(angle) <= radius
        return seen | (radius == 0.0)  # a plane has no bounds


class RenderThread:
    """Renders beside the physics, which hands over configurations and waits only when it is too far ahead.

    No image is ever left out: `submit` blocks instead, and simulated time with it.

    Args:
        deliver: Called in the rendering thread with each image.
        backlog: Instants that may wait to be drawn.
        shadows: See Renderer.
        spoiler: Makes pictures into a device's; None: they stay ideal.
        blur: Instants of an exposure that a colour picture is the mean of.
    """

    def __init__(
        self,
        deliver: Callable[[ImageReading], None],
        backlog: int = 2,
        shadows: bool = False,
        spoiler: ImageSpoiler | None = None,
        blur: int = 1,
    ) -> None:
        self._deliver = deliver
        self._shadows = shadows
        self._spoiler, self._blur = spoiler, blur
        self._jobs: queue.Queue[tuple[int, list[np.ndarray], list[View]] | None] = queue.Queue(backlog)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._model: mujoco.MjModel | None = None
        self._size = (1, 1)
        self._discard = False
        self._busy = 0.0  # wall time of one job [s], running mean
        self._apart = 0.0  # simulated time between jobs [s], running mean
        self._last: int | None = None

    @property
    def attainable(self) -> float:
        """Simulated seconds per second that drawing can keep up with; infinite before it is known."""
        return _HEADROOM * self._apart / self._busy if self._busy > 0.0 and self._apart > 0.0 else float("inf")

    def start(self, model: mujoco.MjModel, views: list[View]) -> None:
        """Begin to draw a model; if one is being drawn, finish it first.

        Raises:
            RenderingUnavailable: no off-screen OpenGL works here.
        """
        self.stop()
        self._error, self._discard, self._last = None, False, None
        self._model = model
        self._size = (max(v.imager.width for v in views), max(v.imager.height for v in views))
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="rendering", daemon=True)
        self._thread.start()
        ready.wait()
        self._check()

    def submit(self, stamp: int, exposed: list[np.ndarray], views: list[View]) -> None:
        """Have views drawn.

        Args:
            stamp: Time of the middle of the exposure [ns].
            exposed: Generalised positions (nq,) during the exposure, one at least; must not be changed afterwards.
            views: What to draw.

        Raises:
            Exception: what ended the thread, if something did.
        """
        if self._last is not None:
            self._apart += _GAIN * (1e-9 * (stamp - self._last) - self._apart)
        self._last = stamp
        while True:
            self._check()
            try:
                self._jobs.put((stamp, exposed, views), timeout=0.5)
                return
            except queue.Full:
                continue

    def stop(self, discard: bool = False) -> None:
        """End the thread; `discard` what waits, or draw it first."""
        self._discard = discard
        if self._thread is not None and self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._thread = None

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self, ready: threading.Event) -> None:
        try:
            assert self._model is not None
            renderer = Renderer(self._model, *self._size, self._shadows)
            ready.set()
            while (job := self._jobs.get()) is not None:
                stamp, exposed, views = job
                began = time.monotonic()
                for view in views:
                    if not self._discard:
                        image = self._expose(renderer, exposed, view, stamp)
                        self._deliver(ImageReading(stamp, view.camera, view.stream, image))
                self._busy += _GAIN * (time.monotonic() - began - self._busy)
            renderer.close()
        except BaseException as error:  # handed to the thread that submits
            self._error = error
        finally:
            ready.set()

    def _expose(self, renderer: Renderer, exposed: list[np.ndarray], view: View, stamp: int) -> np.ndarray:
        """A view as its device sees it."""
        last = len(exposed) - 1
        blurred = self._blur > 1 and last > 0 and view.stream == "color"
        moments = np.linspace(0, last, self._blur).round().astype(int) if blurred else [last - (last + 1) // 2]
        pictures = []
        for moment in moments:
            renderer.pose(exposed[moment])
            pictures.append(renderer.view(view))
        image = np.mean(pictures, axis=0).round().astype(np.uint8) if blurred else pictures[0]
        if self._spoiler is None:
            return image
        if view.stream == "color":
            return self._spoiler.color(view.camera, stamp, image)
        return self._spoiler.depth(view.camera, stamp, image, view.imager.focal_length)
