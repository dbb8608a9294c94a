# SPDX-License-Identifier: Apache-2.0
"""The scene around the robot as MuJoCo bodies: room, lights, tables, bins and parcels."""

from __future__ import annotations

import mujoco
import numpy as np

from humanoid_robots import textures
from humanoid_robots.scene import Bin, Color, Layout, Light, Parcel, Room, Table, Worker

FIXED_CAMERA = "overview"
VISUAL_GROUP = 1  # seen by cameras and LiDAR, touches nothing
_BOX = mujoco.mjtGeom.mjGEOM_BOX
_WALL = 0.008  # thickness of a bin's walls [m]

# Contacts of parcels: stiff enough not to sink in, soft enough for a 1 ms step. The time constant is 5 ms.
_SOLREF = (0.005, 1.0)
_SOLIMP = (0.95, 0.99, 0.001, 0.5, 2.0)


def furnish(spec: mujoco.MjSpec, layout: Layout) -> None:
    """Add a scene to a model.

    Args:
        spec: Gets bodies named as the scene's objects; parcels move freely, all else stands fast.
        layout: The scene, drawn for one seed.
    """
    light = layout.light
    _room(spec, layout.scene.room, light)
    _bystander(spec, layout.scene.worker)
    for name, table in layout.scene.tables.items():
        _table(spec, name, table, light)
    for name, item in layout.scene.bins.items():
        _bin(spec, name, item)
    if layout.scene.parcels is not None:
        color = light.tinted(layout.scene.parcels.color, "cardboard")
        _cube(spec, "cardboard", textures.cardboard(color), specular=0.05)
        _material(spec, "tape", (0.62, 0.46, 0.27), specular=0.6, shininess=0.7)
        for number, parcel in enumerate(layout.parcels):
            label = f"{parcel.name}_label"
            _cube(spec, label, textures.label(layout.scene.bins[parcel.goal].color, 100 * layout.seed + number))
            _parcel(spec, parcel, label, layout.scene.parcels.taped)


def _room(spec: mujoco.MjSpec, room: Room, light: Light) -> None:
    sky = spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        width=128,
        height=768,
    )
    sky.rgb1, sky.rgb2 = (0.82, 0.86, 0.90), (0.50, 0.53, 0.56)
    image = textures.tiles((light.tinted(room.floor_colors[0], "floor"), light.tinted(room.floor_colors[1], "floor")))
    floor = _texture(spec, "floor", image, mujoco.mjtTexture.mjTEXTURE_2D)
    floor.texrepeat, floor.texuniform = (0.5, 0.5), True
    floor.specular, floor.shininess = 0.2, 0.3
    _cube(spec, "wall", textures.plaster(light.tinted(room.wall_color, "wall")))
    world = spec.worldbody
    world.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(0.0, 0.0, 0.05), material="floor")
    half = 0.5 * room.wall_height
    for name, x, y, sx, sy in (
        ("wall_front", room.wall_distance + 0.05, 0.0, 0.05, 2 * room.wall_distance),
        ("wall_back", -room.wall_distance - 0.05, 0.0, 0.05, 2 * room.wall_distance),
        ("wall_left", 0.0, room.wall_distance + 1.05, 2 * room.wall_distance, 0.05),
        ("wall_right", 0.0, -room.wall_distance - 1.05, 2 * room.wall_distance, 0.05),
    ):
        world.add_geom(name=name, type=_BOX, pos=(x, y, half), size=(sx, sy, half), material="wall")
    shade = light.brightness * np.array((1.0 + light.warmth, 1.0, 1.0 - light.warmth))
    across, along = light.tilt
    key = world.add_light(name="key", pos=(0.2, -0.5, 2.1), dir=(0.08 + along, 0.3 + across, -1.0))
    key.type, key.castshadow = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, True
    key.diffuse, key.specular = shade * (0.50, 0.49, 0.47), shade * (0.20, 0.20, 0.20)
    fill = world.add_light(name="fill", pos=(1.2, 1.6, 2.6), dir=(-0.4, -0.6, -1.0))
    fill.type, fill.castshadow = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, False
    fill.diffuse, fill.specular = shade * (0.20, 0.21, 0.23), shade * (0.05, 0.05, 0.05)
    spec.visual.rgba.haze = (0.60, 0.63, 0.66, 1.0)
    spec.visual.headlight.ambient = shade * (0.32, 0.32, 0.33)
    spec.visual.headlight.diffuse = shade * (0.10, 0.10, 0.10)
    spec.visual.headlight.specular = (0.0, 0.0, 0.0)


def _bystander(spec: mujoco.MjSpec, worker: Worker | None) -> None:
    """A camera that looks at the worker's table, from as far away as the worker is large."""
    grown = worker.reach / 0.5 if worker is not None else 1.0
    shoulders = np.array((0.0, 0.0, worker.shoulder_height if worker is not None else 1.1))
    here, there = shoulders + grown * np.array((1.45, -1.05, 0.5)), shoulders + grown * np.array((0.12, 0.0, -0.2))
    camera = spec.worldbody.add_camera(name=FIXED_CAMERA, pos=here, fovy=45.0)
    camera.mode = mujoco.mjtCamLight.mjCAMLIGHT_FIXED
    camera.quat = _looking(there - here)


def _looking(forward: np.ndarray) -> np.ndarray:
    """Quaternion wxyz (4,) of a MuJoCo camera that looks along `forward` with the world's z up."""
    back = -forward / np.linalg.norm(forward)
    right = np.cross((0.0, 0.0, 1.0), back)
    right /= np.linalg.norm(right)
    rotation = np.column_stack([right, np.cross(back, right), back])
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, rotation.ravel())
    return quaternion


def _table(spec: mujoco.MjSpec, name: str, table: Table, light: Light) -> None:
    _cube(spec, f"{name}_top", textures.wood(light.tinted(table.color, name), light.grain), specular=0.15)
    _material(spec, f"{name}_steel", (0.28, 0.29, 0.31), specular=0.5, shininess=0.6)
    body = spec.worldbody.add_body(name=name, pos=(*table.position, 0.0))
    x, y = 0.5 * table.size[0], 0.5 * table.size[1]
    top = 0.015
    body.add_geom(
        name=f"{name}_top", type=_BOX, pos=(0, 0, table.height - top), size=(x, y, top), material=f"{name}_top"
    )
    leg = 0.5 * (table.height - 2 * top)
    for i, (sx, sy) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        position = (sx * (x - 0.04), sy * (y - 0.04), leg)
        body.add_geom(
            name=f"{name}_leg_{i + 1}", type=_BOX, pos=position, size=(0.02, 0.02, leg), material=f"{name}_steel"
        )


def _bin(spec: mujoco.MjSpec, name: str, item: Bin) -> None:
    """A bin, tray or shelf."""
    _material(spec, name, item.color, specular=0.35, shininess=0.4)
    _material(spec, f"{name}_stand", (0.28, 0.29, 0.31), specular=0.5, shininess=0.6)
    body = spec.worldbody.add_body(name=name, pos=(*item.position, 0.0))
    x, y = 0.5 * item.size[0], 0.5 * item.size[1]
    middle = item.height + 0.5 * item.wall_height - 0.5 * _WALL
    half = 0.5 * (item.wall_height + _WALL)
    parts = {
        "floor": ((0, 0, item.height - 0.5 * _WALL), (x + _WALL, y + _WALL, 0.5 * _WALL)),
        "front": ((x + 0.5 * _WALL, 0, middle), (0.5 * _WALL, y + _WALL, half)),
        "back": ((-x - 0.5 * _WALL, 0, middle), (0.5 * _WALL, y + _WALL, half)),
        "left": ((0, y + 0.5 * _WALL, middle), (x, 0.5 * _WALL, half)),
        "right": ((0, -y - 0.5 * _WALL, middle), (x, 0.5 * _WALL, half)),
    }
    if item.kind == "shelf":
        parts.pop("right" if item.position[1] > 0.0 else "left")  # open towards the robot's middle
    for part, (position, size) in parts.items():
        body.add_geom(name=f"{name}_{part}", type=_BOX, pos=position, size=size, material=name)
    leg = 0.5 * (item.height - _WALL)
    corners = {"bin": [(0.0, 0.0)], "tray": [], "shelf": [(x, y), (x, -y), (-x, y), (-x, -y)]}[item.kind]
    thick = 0.05 if item.kind == "bin" else 0.012
    for i, (across, along) in enumerate(corners):
        size = (thick, thick, leg)
        body.add_geom(
            name=f"{name}_stand_{i}", type=_BOX, pos=(across, along, leg), size=size, material=f"{name}_stand"
        )
    if item.kind == "shelf":
        for i, share in enumerate((0.2, 0.6)):
            place = (0.0, 0.0, share * item.height)
            body.add_geom(name=f"{name}_board_{i}", type=_BOX, pos=place, size=(x, y, 0.5 * _WALL), material=name)


def _parcel(spec: mujoco.MjSpec, parcel: Parcel, label: str, taped: bool) -> None:
    x, y, z, w = parcel.orientation
    body = spec.worldbody.add_body(name=parcel.name, pos=parcel.position, quat=(w, x, y, z))
    body.add_freejoint(name=parcel.name)
    half = 0.5 * parcel.size
    box = parcel.shape == "box"
    kind, size = (_BOX, half) if box else (mujoco.mjtGeom.mjGEOM_CYLINDER, (half[0], half[2], 0.0))
    geom = body.add_geom(name=parcel.name, type=kind, size=size, mass=parcel.mass, material="cardboard")
    # condim 4 adds torsional friction: a palm keeps a parcel from spinning about the line between both hands.
    geom.condim, geom.priority = 4, 1
    geom.friction = (parcel.friction, 0.01, 0.0001)
    geom.solref, geom.solimp = _SOLREF, _SOLIMP

    def decoration(suffix: str, position: tuple[float, ...], size: tuple[float, ...], material: str) -> None:
        part = body.add_geom(name=f"{parcel.name}_{suffix}", type=_BOX, pos=position, size=size, material=material)
        part.contype, part.conaffinity, part.mass, part.group = 0, 0, 0.0, VISUAL_GROUP

    thin = 0.0004
    if taped:
        decoration("tape_top", (0, 0, half[2]), (0.024, half[1] + thin, thin), "tape")
        for side, sign in (("left", 1.0), ("right", -1.0)):
            decoration(f"tape_{side}", (0, sign * half[1], 0.7 * half[2]), (0.024, thin, 0.3 * half[2]), "tape")
    edge = 0.5 * min(0.075, 0.6 * float(parcel.size.min()))
    if not box:
        decoration("label_top", (0.0, 0.0, half[2]), (edge, edge, 2 * thin), label)
        return
    decoration("label_top", (-0.1 * half[0], 0.5 * half[1], half[2]), (edge, edge, 2 * thin), label)
    decoration("label_front", (-half[0], -0.4 * half[1], 0.0), (2 * thin, edge, edge), label)


def _texture(spec: mujoco.MjSpec, name: str, image: np.ndarray, kind: mujoco.mjtTexture) -> mujoco.MjsMaterial:
    height, width = image.shape[:2]
    texture = spec.add_texture(name=name, type=kind, width=width, height=height, nchannel=3)
    texture.data = image.tobytes()
    material = spec.add_material(name=name, specular=0.1, shininess=0.1)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    return material


def _cube(spec: mujoco.MjSpec, name: str, image: np.ndarray, specular: float = 0.1) -> None:
    """A material that shows the image on each face of a box."""
    _texture(spec, name, np.concatenate([image] * 6), mujoco.mjtTexture.mjTEXTURE_CUBE).specular = specular


def _material(spec: mujoco.MjSpec, name: str, color: Color, specular: float, shininess: float) -> None:
    spec.add_material(name=name, rgba=(*color, 1.0), specular=specular, shininess=shininess)
