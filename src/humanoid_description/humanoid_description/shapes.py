# SPDX-License-Identifier: Apache-2.0
"""Collision shapes of a URDF. A cylinder followed by balls at its two ends is one capsule, as our xacro writes it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Literal

import coal
import numpy as np
import pinocchio


@dataclass(frozen=True)
class Shape:
    """A primitive on a link.

    Attributes:
        link: Link it belongs to.
        kind: Cylinder and capsule lie along their own z; the length of a capsule is between the centres of its caps.
        size: box: edge lengths (3,); sphere: (radius,); cylinder and capsule: (radius, length) [m].
        link_from_shape: Pose in the frame of the link, (4, 4).
    """

    link: str
    kind: Literal["box", "sphere", "cylinder", "capsule"]
    size: tuple[float, ...]
    link_from_shape: np.ndarray

    def coal(self) -> coal.CollisionGeometry:
        """The shape for coal."""
        if self.kind == "box":
            return coal.Box(*self.size)
        if self.kind == "sphere":
            return coal.Sphere(*self.size)
        return (coal.Capsule if self.kind == "capsule" else coal.Cylinder)(*self.size)


def collision_shapes(urdf: str) -> list[Shape]:
    """Primitives of all <collision> elements, in the order of the file; meshes are left out."""
    return [
        shape
        for link in ElementTree.fromstring(urdf).findall("link")
        for shape in _with_capsules(
            [s for s in (_shape(link.attrib["name"], e) for e in link.findall("collision")) if s]
        )
    ]


def mesh_links(urdf: str) -> list[str]:
    """Links whose collision geometry is (also) a mesh."""
    links = ElementTree.fromstring(urdf).findall("link")
    return [link.attrib["name"] for link in links if link.findall("collision/geometry/mesh")]


def _shape(link: str, collision: ElementTree.Element) -> Shape | None:
    pose = np.eye(4)
    origin = collision.find("origin")
    if origin is not None:
        pose[:3, 3] = _numbers(origin.get("xyz", "0 0 0"))
        pose[:3, :3] = pinocchio.rpy.rpyToMatrix(_numbers(origin.get("rpy", "0 0 0")))
    geometry = collision.find("geometry")
    form = None if geometry is None else next(iter(geometry), None)
    if form is None or form.tag == "mesh":
        return None
    if form.tag == "box":
        return Shape(link, "box", tuple(_numbers(form.attrib["size"])), pose)
    if form.tag == "sphere":
        return Shape(link, "sphere", (float(form.attrib["radius"]),), pose)
    return Shape(link, "cylinder", (float(form.attrib["radius"]), float(form.attrib["length"])), pose)


def _with_capsules(shapes: list[Shape]) -> list[Shape]:
    merged: list[Shape] = []
    i = 0
    while i < len(shapes):
        if _is_capsule(shapes[i : i + 3]):
            body = shapes[i]
            merged.append(Shape(body.link, "capsule", body.size, body.link_from_shape))
            i += 3
        else:
            merged.append(shapes[i])
            i += 1
    return merged


def _is_capsule(shapes: list[Shape]) -> bool:
    if [shape.kind for shape in shapes] != ["cylinder", "sphere", "sphere"]:
        return False
    body, *caps = shapes
    radius, length = body.size
    middle, half = body.link_from_shape[:3, 3], 0.5 * length * body.link_from_shape[:3, 2]
    found = [cap.link_from_shape[:3, 3] - middle for cap in caps]
    return all(cap.size == (radius,) for cap in caps) and any(
        np.allclose(found, [end, -end], atol=1e-9) for end in (half, -half)
    )


def _numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])
