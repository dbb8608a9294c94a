# SPDX-License-Identifier: Apache-2.0
"""Which pairs of links need no collision check, found by sampling as MoveIt's setup assistant does."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass

import coal
import numpy as np
import pinocchio

from humanoid_description import shapes, srdf
from humanoid_description.errors import child

ALWAYS_SHARE = 0.95


@dataclass(frozen=True)
class _Objects:
    """Shapes of a model: link, joint and pose of each, and a ball around it."""

    links: list[str]
    joints: list[int]
    poses: np.ndarray  # (k, 4, 4), joint from shape
    forms: list[coal.CollisionGeometry]
    radii: np.ndarray  # (k,)


def disabled_pairs(
    model: pinocchio.Model,
    urdf: str,
    samples: int,
    seed: int,
    progress: Callable[[float], None] = lambda done: None,
) -> dict[tuple[str, str], str]:
    """Pairs of links that need no check, with the reason MoveIt gives.

    "Adjacent": joined by a joint (links without shape in between do not count). "Default": touching with all joints at
    zero. "Always": touching in more than 95 % of random configurations. "Never": touching in none of them.

    Args:
        model: Of the URDF, base fixed.
        urdf: Its text.
        samples: Random configurations, uniform inside the joint limits.
        seed: Of the random numbers; equal seeds give equal results.
        progress: Called now and then with the share of work done, 0 to 1.

    Source: J. Coleman, "Reducing the barrier to entry of complex robotic software" (MoveIt Setup Assistant), 2014.
    """
    objects = _objects(model, urdf)
    links = sorted(set(objects.links))
    adjacent = _adjacent(urdf, set(links))
    result = {pair: "Adjacent" for pair in adjacent}
    candidates = {(a, b) for i, a in enumerate(links) for b in links[i + 1 :]} - adjacent
    data = model.createData()

    for pair in _touching(model, data, objects, np.zeros(model.nq), candidates):
        result[pair] = "Default"
    candidates -= set(result)

    random = np.random.default_rng(seed)
    seen = dict.fromkeys(candidates, 0)
    early = min(samples, 500)  # enough to tell 95 % from less
    for sample in range(samples):
        q = random.uniform(model.lowerPositionLimit, model.upperPositionLimit)
        wanted = candidates if sample < early else {pair for pair in candidates if not seen[pair]}
        for pair in _touching(model, data, objects, q, wanted):
            seen[pair] += 1
        if sample % 200 == 0:
            progress(sample / samples)
        if sample == early - 1:
            always = {pair for pair in candidates if seen[pair] > ALWAYS_SHARE * early}
            result.update(dict.fromkeys(always, "Always"))
            candidates -= always
    result.update({pair: "Never" for pair in candidates if not seen[pair]})
    return dict(sorted(result.items()))


def _objects(model: pinocchio.Model, urdf: str) -> _Objects:
    found = shapes.collision_shapes(urdf)
    frames = [model.frames[model.getFrameId(shape.link, pinocchio.BODY)] for shape in found]
    return _Objects(
        links=[shape.link for shape in found],
        joints=[frame.parentJoint for frame in frames],
        poses=np.array([frame.placement.homogeneous @ shape.link_from_shape for frame, shape in zip(frames, found)]),
        forms=[shape.coal() for shape in found],
        radii=np.array([_radius(shape) for shape in found]),
    )


def _radius(shape: shapes.Shape) -> float:
    if shape.kind == "box":
        return 0.5 * float(np.linalg.norm(shape.size))
    if shape.kind == "sphere":
        return shape.size[0]
    radius, length = shape.size
    return radius + 0.5 * length if shape.kind == "capsule" else float(np.hypot(radius, 0.5 * length))


def _touching(
    model: pinocchio.Model,
    data: pinocchio.Data,
    objects: _Objects,
    q: np.ndarray,
    wanted: set[tuple[str, str]],
) -> set[tuple[str, str]]:
    """Those of the wanted pairs whose shapes touch at q."""
    pinocchio.forwardKinematics(model, data, q)
    poses = np.array([data.oMi[joint].homogeneous for joint in objects.joints]) @ objects.poses
    centres = poses[:, :3, 3]
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) - objects.radii[:, None] - objects.radii[None]
    request, touching = coal.CollisionRequest(), set()
    transforms: dict[int, coal.Transform3s] = {}
    for i, j in zip(*np.nonzero(np.triu(gaps < 0.0, 1))):
        pair = srdf.pair(objects.links[i], objects.links[j])
        if pair not in wanted or pair in touching:
            continue
        for k in (i, j):
            if k not in transforms:
                transforms[k] = coal.Transform3s(poses[k, :3, :3], poses[k, :3, 3])
        result = coal.CollisionResult()
        if coal.collide(objects.forms[i], transforms[i], objects.forms[j], transforms[j], request, result):
            touching.add(pair)
    return touching


def _adjacent(urdf: str, with_shape: set[str]) -> set[tuple[str, str]]:
    """Pairs joined by one joint, or by several with only shapeless links between."""
    parents = {
        child(joint, "child").attrib["link"]: child(joint, "parent").attrib["link"]
        for joint in ElementTree.fromstring(urdf).findall("joint")
    }
    pairs = set()
    for link in with_shape:
        above = parents.get(link)
        while above is not None and above not in with_shape:
            above = parents.get(above)
        if above is not None:
            pairs.add(srdf.pair(link, above))
    return pairs
