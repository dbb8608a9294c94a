# SPDX-License-Identifier: Apache-2.0
"""What the pre-flight check makes of what it saw: pure functions from observations to rows, no ROS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

from humanoid_bringup.preflight import Row, Status
from humanoid_bringup.preflight_streams import Seen, Stream, World
from humanoid_core import endpoints
from humanoid_description import Robot

SLOW = 0.8  # share of the expected rate below which a stream is red, as time synchronisation warns
OLDEST = 0.5  # [s] from measurement to arrival
AHEAD = {"real": 0.005, "twin": 0.1}  # [s] a stamp may be in the future; the twin's /clock may come after its message
UNSURE = 0.001  # [s] of the host's clock, where stations and robot must agree
MOVED = 1e-6  # two limits further apart are different [rad, rad/s, N m]
_STATES = ("HOLD", "ACTIVE", "SOFT_STOP", "E_STOP")
_E_STOP = 3
_FAULT = 4


def rows(robot: Robot, streams: Iterable[Stream], world: World) -> list[Row]:
    """The whole table."""
    return [
        *_robot_rows(robot, world),
        *_limit_rows(robot, world.urdf),
        *(_stream_row(one, world) for one in streams),
        *_calibration_rows(robot, world.calibrations),
        *_clock_rows(world),
        *_stop_rows(world),
        *_room_rows(world),
        *_diagnostic_rows(world.diagnostics),
    ]


def _robot_rows(robot: Robot, world: World) -> list[Row]:
    made = []
    if world.robot_mode is None:
        made.append(Row("robot", Status.RED, "no robot/status", "a driver or the twin", "start robot.launch.py"))
    else:
        bad = world.robot_mode == _FAULT or bool(world.robot_faults)
        words = "; ".join([world.robot_words, *world.robot_faults])
        advice = "the driver's words say what is wrong" if bad else ""
        made.append(Row("robot", Status.RED if bad else Status.GREEN, words, "no fault", advice))
    absent = [joint for joint in robot.config.commanded_joints if joint not in world.joints]
    count = len(robot.config.commanded_joints)
    made.append(
        Row(
            "joints",
            Status.RED if absent else Status.GREEN,
            f"{count - len(absent)} of {count} commanded joints are measured",
            "all",
            f"no state of {', '.join(absent[:4])}{' ...' if len(absent) > 4 else ''}" if absent else "",
        )
    )
    many = world.commanders != 1
    made.append(
        Row(
            "joint_commands",
            Status.RED if many else Status.GREEN,
            f"{world.commanders} publishers",
            "1, the limiter",
            "" if not many else "nobody but the limiter may command: look at ros2 topic info -v joint_commands",
        )
    )
    return made


def _limit_rows(robot: Robot, published: str) -> list[Row]:
    """The configuration's limits against the maker's, and the published model against the one the limiter reads."""
    ours = _urdf_limits(robot.urdf)
    wrong = []
    for name, entry in robot.config.joints.items():
        lower, upper, velocity, effort = ours.get(name, (math.nan,) * 4)
        if entry.velocity > velocity + MOVED:
            wrong.append(f"{name}: velocity {entry.velocity:g}, the URDF allows {velocity:g}")
        if entry.torque > effort + MOVED:
            wrong.append(f"{name}: torque {entry.torque:g}, the URDF allows {effort:g}")
        if not lower + entry.margin < upper - entry.margin:
            wrong.append(f"{name}: nothing is left between {lower:g} and {upper:g} with a margin of {entry.margin:g}")
    made = [_judged("limits file against URDF", wrong, f"{len(robot.config.joints)} joints within", robot.config.name)]
    if not published:
        return [*made, Row("URDF that runs", Status.RED, "no robot_description", "the limiter's", "start it")]
    theirs = _urdf_limits(published)
    other = [
        f"{name}: range, velocity, effort {theirs.get(name, 'absent')}, the limiter's file has {ours[name]}"
        for name in robot.config.joints
        if name not in theirs or any(abs(a - b) > MOVED for a, b in zip(theirs[name], ours[name]))
    ]
    made.append(_judged("URDF that runs", other, "as the limiter reads it", "the same urdf:= everywhere"))
    links = {link.attrib["name"] for link in ElementTree.fromstring(published).iter("link")}
    loose = [f"{key}: no link {frame}" for key, frame in robot.config.frames.items() if frame not in links]
    made.append(_judged("frames of sensors", loose, "all in the URDF", "the key names a frame that tf lacks"))
    return made


def _judged(name: str, wrong: list[str], well: str, advice: str) -> Row:
    if not wrong:
        return Row(name, Status.GREEN, well, "no difference")
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return Row(name, Status.RED, f"{wrong[0]}{more}", "no difference", advice)


def _urdf_limits(urdf: str) -> dict[str, tuple[float, float, float, float]]:
    """Lower, upper, velocity, effort of each joint that has limits; a continuous one turns as far as it likes."""
    found = {}
    for joint in ElementTree.fromstring(urdf).iter("joint"):
        limit = joint.find("limit")
        if limit is None or joint.get("type") not in ("revolute", "prismatic", "continuous"):
            continue
        free = joint.get("type") == "continuous"
        ends = (-math.inf, math.inf) if free else (float(limit.get("lower", 0)), float(limit.get("upper", 0)))
        found[joint.attrib["name"]] = (*ends, float(limit.get("velocity", 0)), float(limit.get("effort", 0)))
    return {name: tuple(min(max(v, -1e9), 1e9) for v in values) for name, values in found.items()}  # type: ignore[misc]


def _stream_row(stream: Stream, world: World) -> Row:
    name = stream.endpoint.name
    seen = world.seen.get(name, Seen())
    expected = f"{stream.rate:g} Hz" if stream.rate else "there"
    bad = Status.RED if stream.required else Status.YELLOW
    if not seen.messages:
        found = "silent" if seen.publishers else "nobody publishes"
        advice = "its driver's line in /diagnostics says why" if seen.publishers else "start it, or --without it"
        return Row(name, Status.RED if seen.publishers and stream.rate else bad, found, expected, advice)
    found = f"{seen.rate:.1f} Hz" if stream.rate else "there"
    if not stream.rate:
        return Row(name, Status.GREEN, found, expected)
    found += f", {1e3 * seen.youngest:.0f} to {1e3 * seen.oldest:.0f} ms old"
    expected += f", at most {1e3 * OLDEST:.0f} ms old"
    if seen.rate < SLOW * stream.rate:
        return Row(name, Status.RED, found, expected, "slow: cable, USB bandwidth, load, or the device's own setting")
    if stream.stamped and -seen.youngest > AHEAD[world.hardware]:
        return Row(name, Status.RED, found, expected, "stamps of the future: synchronise the clocks (chronyc tracking)")
    if stream.stamped and seen.oldest > OLDEST:
        return Row(name, Status.RED, found, expected, "late: clocks apart, or a queue in front of the network")
    return Row(name, Status.GREEN, found, expected)


def _calibration_rows(robot: Robot, calibrations: Mapping[str, tuple[int, int, float]]) -> list[Row]:
    made = []
    for topic, (width, height, focal) in calibrations.items():
        _, name, stream, _ = topic.split("/")
        camera = robot.config.cameras.get(name)
        imager = camera and (camera.color if stream == "color" else camera.depth)
        expected = f"{imager.width} x {imager.height}, calibrated" if imager else "calibrated"
        found = f"{width} x {height}, focal length {focal:.1f} px" if focal else f"{width} x {height}, not calibrated"
        advice = ""
        if not focal:
            advice = "run camera_calibration and name its file under `calibration` in config/sensors"
        elif imager and (width, height) != (imager.width, imager.height):
            advice = "the calibration is of another size of picture"
        made.append(
            Row(f"calibration {name} {stream}", Status.RED if advice else Status.GREEN, found, expected, advice)
        )
    return made


def _clock_rows(world: World) -> list[Row]:
    made = []
    if world.hardware == "twin":
        made.append(Row("clock", Status.GREEN, "simulated, /clock runs", "one clock for all"))
    elif world.host_clock is None:
        made.append(Row("clock", Status.YELLOW, "the kernel does not say", "synchronised", "chronyc tracking"))
    else:
        synchronised, error = world.host_clock
        well = synchronised and error <= 0.1
        words = f"{'synchronised' if synchronised else 'not synchronised'}, error at most {1e3 * error:.1f} ms"
        advice = f"chronyc tracking on both computers; they should agree within {1e3 * UNSURE:.0f} ms"
        made.append(Row("clock", Status.GREEN if well else Status.YELLOW, words, "synchronised", advice))
    if world.warnings:
        more = f" and {len(world.warnings) - 1} more" if len(world.warnings) > 1 else ""
        made.append(
            Row(
                "time synchronisation",
                Status.YELLOW,
                world.warnings[0] + more,
                "no warning",
                "ros2 topic echo sync/status",
            )
        )
    return made


def _stop_rows(world: World) -> list[Row]:
    made = []
    state = "no limiter" if world.safety is None else _STATES[world.safety]
    bad = world.safety in (None, _E_STOP)
    words = f"{state}{': ' + '; '.join(world.reasons) if world.reasons else ''}"
    advice = "" if not bad else "release the cause, then ros2 service call safety/reset"
    made.append(Row("limiter", Status.RED if bad else Status.GREEN, words, "HOLD or ACTIVE", advice))
    beats = world.operator_age < 1.0
    found = f"{world.operator_age:.2f} s ago" if math.isfinite(world.operator_age) else "none yet"
    advice = "" if beats else "start the station: without heartbeat nobody can engage"
    made.append(Row("heartbeat", Status.GREEN if beats else Status.YELLOW, found, "within 1 s", advice))
    absent = {endpoints.SAFETY_STOP.name, endpoints.SAFETY_RESET.name} - world.services
    if absent:
        found = f"no service {', '.join(sorted(absent))}"
        made.append(Row("stop button", Status.RED, found, "answers", "start the limiter"))
    elif world.pressed is None:
        advice = "press it: preflight --press (only while nobody is engaged), and the maker's own button by hand"
        made.append(Row("stop button", Status.YELLOW, "there, not pressed", "pressed, stops", advice))
    else:
        stopped = math.isfinite(world.pressed)
        found = (
            f"pressed, E_STOP after {1e3 * world.pressed:.0f} ms, reset" if stopped else "pressed, no E_STOP followed"
        )
        advice = "" if stopped else "do not go on: the stop does not stop"
        made.append(Row("stop button", Status.GREEN if stopped else Status.RED, found, "E_STOP", advice))
    return made


def _room_rows(world: World) -> list[Row]:
    made = []
    if world.recorder is None:
        made.append(Row("recorder", Status.YELLOW, "none", "idle", "start it, or fly without recording"))
    else:
        error, words = world.recorder
        advice = "its words say what is wrong; nothing is recorded until then" if error else ""
        made.append(Row("recorder", Status.RED if error else Status.GREEN, words, "idle", advice))
    span = [1e-9 * (seen.last - seen.first) for seen in world.seen.values()]
    speed = sum(seen.size for seen in world.seen.values()) / max(span, default=0.0) if max(span, default=0.0) else 0.0
    hours = f", {world.disk_free / speed / 3600:.1f} h of these streams" if speed else ""
    short = world.disk_free < world.disk_needed
    advice = "move episodes away, or record elsewhere (out:=)" if short else ""
    found, expected = f"{world.disk_free / 1e9:.1f} GB{hours}", f"at least {world.disk_needed / 1e9:.1f} GB"
    made.append(Row("free disk", Status.RED if short else Status.GREEN, found, expected, advice))
    if world.shared_memory:
        made.append(Row("shared memory", Status.YELLOW, "too little", "room for all processes", world.shared_memory))
    return made


def _diagnostic_rows(diagnostics: Mapping[str, tuple[int, str]]) -> list[Row]:
    if not diagnostics:
        return [Row("diagnostics", Status.RED, "nobody reports", "every node", "no node of this robot runs")]
    bad = {name: told for name, told in diagnostics.items() if told[0]}
    if not bad:
        return [Row("diagnostics", Status.GREEN, f"all {len(diagnostics)} well", "all well")]
    return [
        Row(name, Status.YELLOW if level == 1 else Status.RED, words, "well", "more about it stands in /diagnostics")
        for name, (level, words) in bad.items()
    ]
