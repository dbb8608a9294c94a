# SPDX-License-Identifier: Apache-2.0
"""What a replay leaves behind: a bag per robot, a table, and a strip of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rosbag2_py
from PIL import Image, ImageDraw, ImageFont
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from humanoid_core import convert, endpoints, rotations
from humanoid_description import Robot
from humanoid_description.pictures import BACKGROUND, Scene, View
from humanoid_teleop.operator import LOST, PART_INDEX, SIDES, OperatorFrame
from humanoid_teleop.person.calibration import about_z, yaw
from humanoid_teleop.replay.track import Track

WIDTH, HEIGHT, LABEL = 250, 250, 22  # [px] of a picture, and of the writing beside it
VIEW = View(azimuth=0.45, elevation=0.12, distance=5.2, height=0.9, fov_y=0.36)
_INK, _PAPER = (40, 44, 52), tuple(int(255 * value) for value in BACKGROUND)
_COLOURS = {"left": (38, 110, 190), "right": (190, 60, 50), "": (110, 116, 124)}
_BONES = [
    ("head", "torso"),
    ("torso", "pelvis"),
    *((f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in (("shoulder", "elbow"), ("elbow", "wrist"))),
    *((f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in (("hip", "knee"), ("knee", "foot"))),
    *(("torso", f"{side}_shoulder") for side in SIDES),
    *(("pelvis", f"{side}_hip") for side in SIDES),
]


def write_bag(folder: Path, track: Track, robot: Robot) -> None:
    """A rosbag2 folder (MCAP): joint_targets/teleop with the live node's stamps, and robot_description.

    Args:
        folder: To make.
        track: The robot's motion.
        robot: The robot.
    """
    targets = endpoints.JOINT_TARGETS.at(source="teleop")
    writer = rosbag2_py.SequentialWriter()
    storage = rosbag2_py.StorageOptions(uri=str(folder), storage_id="mcap")
    writer.open(storage, rosbag2_py.ConverterOptions("cdr", "cdr"))
    for number, endpoint in enumerate((endpoints.ROBOT_DESCRIPTION, targets)):
        qos = rosbag2_py.to_rclcpp_qos_vector(_qos(endpoint.qos), 9)
        writer.create_topic(
            rosbag2_py.TopicMetadata(number, f"/{endpoint.name}", endpoint.type, "cdr", offered_qos_profiles=qos)
        )
    description = serialize_message(String(data=robot.urdf))
    writer.write(f"/{endpoints.ROBOT_DESCRIPTION.name}", description, int(track.stamps[0]))
    for stamp, position, velocity in zip(track.stamps.tolist(), track.position, track.velocity):
        message = convert.joint_state(convert.to_stamp(stamp), track.joints, position, velocity)
        writer.write(f"/{targets.name}", serialize_message(message), stamp)
    writer.close()


def _qos(qos: endpoints.Qos) -> str:
    """An endpoint's quality of service as rosbag2 writes it: a list in YAML."""
    never = "{sec: 9223372036, nsec: 854775807}"
    return (
        f"- {{history: keep_last, depth: {qos.depth}, reliability: {'reliable' if qos.reliable else 'best_effort'}, "
        f"durability: {'transient_local' if qos.latched else 'volatile'}, deadline: {never}, lifespan: {never}, "
        f"liveliness: automatic, liveliness_lease_duration: {never}, avoid_ros_namespace_conventions: false}}"
    )


def instants(stamps: np.ndarray, following: np.ndarray, columns: int) -> np.ndarray:
    """Evenly spread stamps (columns,) [ns] among those at which an arm follows; among all where none does."""
    chosen = stamps[following.any(axis=1)] if following.any() else stamps
    return chosen[np.linspace(0, len(chosen) - 1, columns).astype(int)]


def robot_row(robot: Robot, track: Track, at: np.ndarray) -> list[Image.Image]:
    """The robot at some stamps (k,) [ns]."""
    scene, q = Scene(robot), robot.home()
    index = robot.index(track.joints)
    pictures = []
    for row in np.searchsorted(track.stamps, at):
        q[index] = track.position[min(int(row), len(track.stamps) - 1)]
        pictures.append(scene.picture(q, WIDTH, HEIGHT, VIEW, frames=False))
    return pictures


def person_row(frames: Sequence[OperatorFrame], at: np.ndarray) -> list[Image.Image]:
    """The person at some stamps (k,) [ns], seen as the robots are."""
    stamps = np.array([frame.stamp for frame in frames])
    return [_person(frames[int(np.abs(stamps - stamp).argmin())]) for stamp in at]


def _person(frame: OperatorFrame) -> Image.Image:
    fine = 2
    image = Image.new("RGB", (WIDTH * fine, HEIGHT * fine), _PAPER)
    draw = ImageDraw.Draw(image)
    root = "pelvis" if frame.has("pelvis") else "head"
    turn = rotations.matrix(about_z(-yaw(frame.rotation("pelvis")))) if frame.has("pelvis") else np.eye(3)
    origin = frame.position(root) * (1.0, 1.0, 0.0)

    def pixel(place: np.ndarray) -> tuple[float, float]:
        x, y, z = turn @ (place - origin)
        c, s = np.cos(VIEW.azimuth), np.sin(VIEW.azimuth)
        across, away = -s * x + c * y, c * x + s * y
        up = (z - VIEW.height) * np.cos(VIEW.elevation) - away * np.sin(VIEW.elevation)
        scale = 0.5 * HEIGHT * fine / (np.tan(0.5 * VIEW.fov_y) * VIEW.distance)
        return 0.5 * WIDTH * fine + scale * across, 0.5 * HEIGHT * fine - scale * up

    def known(part: str) -> bool:
        return bool(frame.validity[PART_INDEX[part]] != LOST)

    for a, b in _BONES:
        if known(a) and known(b):
            side = next((side for side in SIDES if b.startswith(side)), "")
            draw.line([pixel(frame.position(a)), pixel(frame.position(b))], fill=_COLOURS[side], width=5 * fine)
    if known("head"):
        (x, y), r = pixel(frame.position("head")), 9 * fine
        draw.ellipse((x - r, y - r, x + r, y + r), outline=_COLOURS[""], width=3 * fine)
    for side in SIDES:
        if known(f"{side}_wrist"):
            wrist, axes = frame.position(f"{side}_wrist"), rotations.matrix(frame.rotation(f"{side}_wrist"))
            draw.line([pixel(wrist), pixel(wrist + 0.14 * axes[:, 0])], fill=_COLOURS[side], width=4 * fine)
            draw.line([pixel(wrist), pixel(wrist + 0.07 * axes[:, 2])], fill=(40, 150, 70), width=3 * fine)
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def strip(rows: Sequence[tuple[str, Sequence[Image.Image]]], times: Sequence[float]) -> Image.Image:
    """Rows of pictures, each with its name, under the instants that they show [s]."""
    page = Image.new("RGB", (LABEL + WIDTH * len(times), LABEL + HEIGHT * len(rows)), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for column, time in enumerate(times):
        draw.text((LABEL + WIDTH * (column + 0.5), LABEL / 2), f"{time:.2f} s", fill=_INK, font=font, anchor="mm")
    for row, (name, pictures) in enumerate(rows):
        label = Image.new("RGB", (HEIGHT, LABEL), _PAPER)
        ImageDraw.Draw(label).text((HEIGHT / 2, LABEL / 2), name, fill=_INK, font=font, anchor="mm")
        page.paste(label.rotate(90, expand=True), (0, LABEL + HEIGHT * row))
        for column, picture in enumerate(pictures):
            page.paste(picture, (LABEL + WIDTH * column, LABEL + HEIGHT * row))
    return page


def table(source: str, results: Sequence[dict[str, Any]]) -> str:
    """The comparison as text."""
    heads = (
        "robot",
        "scale",
        "wrist mm\nmed / p95",
        "wrist deg\nmed / p95",
        "at limit\n%",
        "clear-\nance mm",
        "rms jerk m/s3\nrobot / person",
        "SPARC\nrobot / person",
        "LDLJ\nrobot / person",
        "peak\nspeed %",
        "outside\nlimits",
        "us per\ntick",
    )
    lines = [[head.split("\n")[0] for head in heads], [(head + "\n").split("\n")[1] for head in heads]]
    for result in results:
        sides = [side for side in result["sides"].values() if side["followed"]]
        lines.append(
            [
                result["robot"],
                _number(result["scale"], 3),
                _pair(result["wrist_error_mm"]["median"], result["wrist_error_mm"]["p95"], 1),
                _pair(result["wrist_error_deg"]["median"], result["wrist_error_deg"]["p95"], 1),
                _number(result["at_joint_limit_percent"], 1),
                _number(result["clearance_mm"], 1),
                *(
                    _pair(_mean(side["robot"][key] for side in sides), _mean(side["person"][key] for side in sides), n)
                    for key, n in (("rms_jerk", 1), ("sparc", 2), ("ldlj", 2))
                ),
                _number(result["peak_speed_percent"], 0),
                str(result["ticks_outside_limits"]),
                _number(result["cpu_us_per_tick"], 0),
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    written = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(zip(*both)))
        for both in ((line, widths) for line in lines)
    ]
    followed = max((result["seconds_followed"] or 0.0 for result in results), default=0.0)
    notes = (
        f"{source}: {followed:.1f} s followed. Errors: robot's wrist against the scaled person's, both hands.\n"
        "At limit: share of that time with a joint of torso, head or arms on an end of its range. Clearance: between\n"
        "links that move against each other, a hand in itself left out. Jerk, SPARC, LDLJ: of the wrists against the\n"
        "chest, both, below 10 Hz; the person's scaled to the robot."
    )
    return "\n".join([line.rstrip() for line in written] + ["", notes])


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _pair(first: float | None, second: float | None, digits: int) -> str:
    return f"{_number(first, digits)} / {_number(second, digits)}"
