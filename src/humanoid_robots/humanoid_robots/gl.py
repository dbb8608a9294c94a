# SPDX-License-Identifier: Apache-2.0
"""Off-screen OpenGL: EGL where a driver answers (a GPU, usually), else OSMesa on the processor."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
from typing import Any

from humanoid_robots.errors import RenderingUnavailable

_NO_DISPLAY = None
_EGL_PLATFORM_DEVICE = 0x313F


def choose() -> str:
    """Which kind of context works here: "egl" or "osmesa".

    The environment variable MUJOCO_GL, if it names one of them, decides.

    Raises:
        RenderingUnavailable: neither works; says what to install.
    """
    wanted = os.environ.get("MUJOCO_GL", "").lower()
    if wanted in ("egl", "osmesa"):
        return wanted
    if _egl_works():
        return "egl"
    if _osmesa_works():
        return "osmesa"
    raise RenderingUnavailable(
        "no off-screen OpenGL for the cameras: neither EGL nor OSMesa works here. Install one of the Debian packages "
        "libosmesa6 (renders on the processor) or libegl1 with the driver of your GPU"
    )


def make_context(width: int, height: int) -> Any:
    """A context of the kind that works here, not yet current; only the thread that makes it current may use it.

    Args:
        width: Largest width drawn [px].
        height: Largest height drawn [px].

    Raises:
        RenderingUnavailable: none can be made.
    """
    kind = choose()
    # PyOpenGL binds to one platform, for good, when it is first imported.
    os.environ["PYOPENGL_PLATFORM"] = kind
    try:
        if kind == "egl":
            from mujoco.egl import GLContext
        else:
            from mujoco.osmesa import GLContext  # type: ignore[assignment]
        return GLContext(width, height)
    except Exception as error:  # PyOpenGL raises whatever its platform module happens to hit
        package = "libegl1 with the driver of your GPU" if kind == "egl" else "libosmesa6"
        raise RenderingUnavailable(
            f"MuJoCo cannot make a context with {kind}: {error!r}. Install the Debian package {package}, or set "
            "MUJOCO_GL to the other of egl and osmesa"
        ) from error


def _library(name: str) -> ctypes.CDLL | None:
    path = ctypes.util.find_library(name)
    try:
        return ctypes.CDLL(path) if path else None
    except OSError:
        return None


def _osmesa_works() -> bool:
    library = _library("OSMesa")
    return library is not None and hasattr(library, "OSMesaCreateContextExt")


@functools.cache  # a display is shared by the whole process: a second look would close it under MuJoCo's feet
def _egl_works() -> bool:
    """Whether some EGL device can be initialised: what MuJoCo does, without importing PyOpenGL."""
    library = _library("EGL")
    if library is None:
        return False
    library.eglGetProcAddress.restype = ctypes.c_void_p
    library.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    query = library.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_of = library.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query or not display_of:
        return False
    devices = (ctypes.c_void_p * 16)()
    count = ctypes.c_int(0)
    query_devices = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(query)
    get_display = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(display_of)
    if not query_devices(16, devices, ctypes.byref(count)):
        return False
    library.eglInitialize.restype = ctypes.c_uint
    library.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    for device in devices[: count.value]:
        display = get_display(_EGL_PLATFORM_DEVICE, device, _NO_DISPLAY)
        if display and library.eglInitialize(display, None, None):
            library.eglTerminate.argtypes = [ctypes.c_void_p]
            library.eglTerminate(display)
            return True
    return False
