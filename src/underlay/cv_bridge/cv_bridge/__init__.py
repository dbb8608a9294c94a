# SPDX-License-Identifier: Apache-2.0
"""Images between ROS messages and OpenCV."""

from cv_bridge.core import CvBridge
from cv_bridge.encodings import CvBridgeError

__all__ = ["CvBridge", "CvBridgeError"]


def __getattr__(name: str) -> object:
    if name in ("cvtColorForDisplay", "getCvType"):
        raise NotImplementedError(f"cv_bridge.{name} is left out of this stand-in for ROS 2")
    raise AttributeError(f"module 'cv_bridge' has no attribute '{name}'")
