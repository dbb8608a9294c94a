# SPDX-License-Identifier: Apache-2.0
"""Numbers out of the elements of a URDF."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pinocchio as pin

from humanoid_description.errors import child


def origin(element: ElementTree.Element) -> tuple[np.ndarray, np.ndarray]:
    """Translation (3,) [m] and rotation (3, 3) of an element's <origin>."""
    entry = element.find("origin")
    attributes = {} if entry is None else entry.attrib
    turned = np.asarray(pin.rpy.rpyToMatrix(numbers(attributes.get("rpy", "0 0 0"))))
    return numbers(attributes.get("xyz", "0 0 0")), turned


def inertia(inertial: ElementTree.Element) -> np.ndarray:
    """Inertia at the centre of mass along the axes of the link, (3, 3) [kg m2]."""
    get = {name: float(value) for name, value in child(inertial, "inertia").attrib.items()}
    rows = [
        [get["ixx"], get["ixy"], get["ixz"]],
        [get["ixy"], get["iyy"], get["iyz"]],
        [get["ixz"], get["iyz"], get["izz"]],
    ]
    rotation = origin(inertial)[1]
    return rotation @ np.array(rows) @ rotation.T


def numbers(text: str) -> np.ndarray:
    """Numbers of an attribute, separated by spaces."""
    return np.array([float(word) for word in text.split()])


def is_possible(inertia: np.ndarray) -> bool:
    """Whether a body can have an inertia (3, 3): no principal moment is greater than the sum of the two others."""
    moments = np.linalg.eigvalsh(inertia)
    return bool(moments[0] > 0.0 and moments[0] + moments[1] >= moments[2] * (1.0 - 1e-9))
