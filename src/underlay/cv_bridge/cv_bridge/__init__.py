# SPDX-License-Identifier: Apache-2.0
"""Images between ROS messages and OpenCV."""

from cv_bridge.core import CvBridge, CvBridgeError
from cv_bridge.encodings import cv_type as getCvType

__all__ = ["CvBridge", "CvBridgeError", "getCvType"]
