# SPDX-License-Identifier: Apache-2.0
"""The pictures of the report, each from one episode to a piece of HTML. A figure without data is None."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup

from humanoid_core import rotations
from humanoid_core.task import ObjectState, objects_of
from humanoid_dataset import pictures
from humanoid_dataset.episode import Episode, Stream
from humanoid_dataset.latency import Latency
from humanoid_dataset.picture_checks import color_topics, depth_topics, spread
from humanoid_dataset.results import CheckLimits
from humanoid_dataset.robot import RobotFacts
from humanoid_dataset.stream_checks import expected_rate, pauses, rule_of, sync_residuals
from humanoid_dataset.svg import Chart, histogram, span
from humanoid_dataset.tracking import Tracking, wrist_error

SHEET = 8  # pictures of one camera
THUMB = 288  # [px] width of one picture
MILLI = 1e3

SAFETY_STATES = ("hold", "active", "soft stop", "emergency stop")
TELEOP_STATES = ("waiting", "calibrating", "ready", "engaged", "holding")


@dataclass(frozen=True)
class Figure:
    """One card of the report: a title, legend entries (style class, words), the drawing, a note below."""

    title: str
    html: Markup
    legend: tuple[tuple[str, str], ...] = ()
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Shot:
    """One picture of a contact sheet as a data address, with its time in the episode [s]."""

    source: str
    seconds: float


def contact_sheets(episode: Episode) -> dict[str, list[Shot]]:
    """Pictures spread over the episode, by camera and kind: colour, and depth in false colours (near is bright)."""
    topics = {topic: False for topic in color_topics(episode)} | {topic: True for topic in depth_topics(episode)}
    wanted = {topic: spread(len(episode.streams[topic]), SHEET) for topic in topics}
    sheets: dict[str, list[Shot]] = {}
    for topic, messages in episode.heavy(wanted).items():
        name = topic.split("/")[1].replace("_", " ") + (", depth" if topics[topic] else "")
        stamps = episode.streams[topic].stamps
        shots = []
        for index, message in zip(wanted[topic], messages):
            image = false_color(pictures.depth(message)) if topics[topic] else pictures.color(message)
            height = round(image.shape[0] * THUMB / image.shape[1])
            small = cv2.resize(image, (THUMB, height), interpolation=cv2.INTER_AREA)
            shots.append(Shot(jpeg(small), (int(stamps[index]) - episode.span[0]) * 1e-9))
        sheets[name] = shots
    return dict(sorted(sheets.items()))


def false_color(depth: np.ndarray) -> np.ndarray:
    """Depth (h, w) [m] as a picture: near bright, far dark, nothing measured black."""
    valid = depth > 0
    if not valid.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    near, far = np.percentile(depth[valid], (1, 99))
    scaled = 1.0 - np.clip((depth - near) / max(far - near, 1e-6), 0.0, 1.0)
    image = cv2.applyColorMap((30 + 225 * scaled).astype(np.uint8), cv2.COLORMAP_INFERNO)
    image[~valid] = 0
    return image


def jpeg(image: np.ndarray, quality: int = 80) -> str:
    """A picture (h, w, 3) BGR as a data address."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def timeline(episode: Episode) -> Figure | None:
    """States of limiter and retargeting, labels, and what happened in the scene, one above the other."""
    start, end = episode.span
    lanes: list[tuple[str, list[tuple[float, float, str, str]]]] = []
    states = (("limiter", "safety/status", SAFETY_STATES), ("teleoperation", "teleop/status", TELEOP_STATES))
    for name, topic, known in states:
        bands = _state_bands(episode, topic, known)
        if bands:
            lanes.append((name, bands))
    labels = _labels(episode)
    for name in ("label", "instant"):
        chosen = [label for label in labels if (label[1] > label[0]) == (name == "label")]
        if chosen:
            kinds = sorted({words for _, _, words in chosen}, key=[words for _, _, words in chosen].index)
            lanes.append((name + "s", [(a, b, words, f"s{kinds.index(words) % 6}") for a, b, words in chosen]))
    events = [
        ((_ns(m.header.stamp) - start) * 1e-9, f"{m.kind} {m.object}".strip()) for m in episode.messages("scene/events")
    ]
    if events:
        lanes.append(("scene", [(t, t, words, "s4") for t, words in events]))
    if not lanes:
        return None
    chart = Chart(
        960, 30 + 26 * len(lanes), (0.0, (end - start) * 1e-9), (0.0, float(len(lanes))), left=100, y_axis=False
    )
    for row, (name, bands) in enumerate(lanes):
        low = len(lanes) - row - 1
        chart.text(chart.x[0], low + 0.5, name, "tick end", dx=-8)
        room = -1e9
        for begin, stop, words, css in bands:
            if stop > begin:
                chart.box(begin, stop, low + 0.12, low + 0.88, f"band {css}", f"{words}: {begin:.2f} to {stop:.2f} s")
                if chart.px(stop) - chart.px(begin) > 6.2 * len(words) + 6:
                    chart.text(begin, low + 0.5, words, "band-text", dx=5)
            else:
                chart.dot(begin, low + 0.5, f"mark {css}", f"{words} at {begin:.2f} s")
                if chart.px(begin) > room and chart.px(begin) + 6.2 * len(words) < chart.width:
                    chart.text(begin, low + 0.5, words, "tick", dx=7)
                    room = chart.px(begin) + 6.2 * len(words) + 14
    return Figure("Timeline", chart.html("states, labels and events over time"), wide=True)


def joints(tracking: Tracking, names: Iterable[str], title: str, offset: float) -> Figure | None:
    """Commanded against measured position of some joints, one small chart each.

    Args:
        tracking: Of the episode.
        names: Joints to show.
        title: Of the card.
        offset: Time of the first command in the episode [s].
    """
    shown = [name for name in names if name in tracking.names]
    if not shown or not len(tracking.times):
        return None
    charts = []
    for name in shown:
        column = tracking.names.index(name)
        commanded, measured = tracking.commanded[:, column], tracking.measured[:, column]
        times = tracking.times + offset
        limits = span([commanded, measured], 0.1)
        chart = Chart(300, 120, (float(times[0]), float(times[-1])), limits, title=_plain(name), left=40)
        chart.line(times, measured, "s1")
        chart.line(times, commanded, "s0 thin")
        charts.append(chart.html(f"{name}, commanded and measured over time"))
    body = Markup("<div class='multiples'>") + Markup("").join(charts) + Markup("</div>")
    return Figure(title, body, (("s0", "commanded"), ("s1", "measured")), "Position [rad] over time.", wide=True)


def tracking_error(tracking: Tracking, limits: CheckLimits, robot: RobotFacts, offset: float) -> Figure | None:
    """Largest and median joint error over time once the lag is taken out, fingers left out."""
    magnitudes = np.abs(tracking.error[:, [name not in robot.fingers for name in tracking.names]])
    if not np.isfinite(magnitudes).any():
        return None
    some = np.isfinite(magnitudes).any(axis=1)
    worst, middle = (np.full(len(some), np.nan) for _ in range(2))
    worst[some], middle[some] = np.nanmax(magnitudes[some], axis=1), np.nanmedian(magnitudes[some], axis=1)
    times = tracking.times + offset
    chart = Chart(470, 190, (float(times[0]), float(times[-1])), span([worst], 0.01, zero=True))
    chart.line(times, worst, "s1")
    chart.line(times, middle, "s0")
    chart.level(limits.tracking.error_p95, "limit", "limit of the 95th percentile")
    lag = "" if np.isnan(tracking.lag) else f" with the lag of {MILLI * tracking.lag:.0f} ms taken out"
    return Figure(
        "Joint tracking error",
        chart.html("joint tracking error over time"),
        (("s1", "worst joint"), ("s0", "median joint")),
        f"|commanded − measured| [rad] over time{lag}, fingers left out.",
    )


def error_by_joint(tracking: Tracking, limits: CheckLimits, robot: RobotFacts) -> Figure | None:
    """95th percentile of the error of each joint as bars, worst first."""
    p95 = tracking.percentile(95)
    order = [int(i) for i in np.argsort(-np.nan_to_num(p95, nan=-1.0)) if np.isfinite(p95[i])][:12]
    if not order:
        return None
    chart = Chart(
        470, 30 + 15 * len(order), (0.0, max(1.1 * float(p95[order[0]]), 0.01)), (0.0, float(len(order))),
        x_unit="rad", left=150, y_axis=False,
    )  # fmt: skip
    for row, index in enumerate(order):
        low = len(order) - row - 1
        name = _plain(tracking.names[index])
        chart.text(0.0, low + 0.5, name, "tick end", dx=-6)
        finger = tracking.names[index] in robot.fingers
        css = "bar calm" if finger else "bar bad" if p95[index] > limits.tracking.error_p95 else "bar s0"
        chart.box(0.0, float(p95[index]), low + 0.15, low + 0.85, css, f"{name} {p95[index]:.4f}")
    return Figure(
        "Tracking error by joint",
        chart.html("95th percentile by joint"),
        note="95th percentile [rad], worst first; fingers, which stop at what they hold, in grey.",
    )


def wrists(tracking: Tracking, robot: RobotFacts, offset: float) -> Figure | None:
    """Distance between where commands and where measurements put each wrist, over time."""
    if robot.kinematics is None or not len(tracking.times):
        return None
    found = {}
    step = max(1, len(tracking.times) // 2000)
    thin = Tracking(
        tracking.names, tracking.times[::step], tracking.commanded[::step], tracking.measured[::step],
        tracking.lag, tracking.error[::step], tracking.first_stamp,
    )  # fmt: skip
    for side, link in robot.wrists.items():
        if robot.kinematics.has(link):
            found[side] = wrist_error(thin, robot.kinematics, link)
    if not found:
        return None
    times = thin.times + offset
    chart = Chart(
        470, 190, (float(times[0]), float(times[-1])), span([MILLI * p for p, _ in found.values()], 5.0, zero=True)
    )  # fmt: skip
    words = []
    for index, (side, (position, turn)) in enumerate(found.items()):
        chart.line(times, MILLI * position, f"s{index}")
        words.append(
            f"{side}: median {MILLI * np.nanmedian(position):.1f} mm, "
            f"p95 {MILLI * np.nanpercentile(position, 95):.1f} mm, {np.degrees(np.nanmedian(turn)):.1f}°"
        )
    legend = tuple((f"s{i}", side) for i, side in enumerate(found))
    note = "Commanded against measured wrist [mm] at the same instant, lag included. " + "; ".join(words) + "."
    return Figure("Wrist, commanded against measured", chart.html("wrist error over time"), legend, note)


def teleop_error(episode: Episode) -> Figure | None:
    """How far retargeting left each wrist from the operator's, over time, as it reported itself."""
    series: dict[str, tuple[list[float], list[float], list[float]]] = {}
    for message in episode.messages("teleop/status"):
        for error in message.errors:
            if not np.isfinite(error.position):
                continue  # not engaged: nothing is followed
            times, position, turn = series.setdefault(error.name, ([], [], []))
            times.append((_ns(message.header.stamp) - episode.span[0]) * 1e-9)
            position.append(MILLI * error.position)
            turn.append(np.degrees(error.orientation))
    chosen = {name: np.array(v) for name, v in sorted(series.items()) if "wrist" in name}
    if not chosen or all(v.shape[1] < 2 for v in chosen.values()):
        return None
    ends = (min(v[0, 0] for v in chosen.values()), max(v[0, -1] for v in chosen.values()))
    chart = Chart(470, 190, ends, span([v[1] for v in chosen.values()], 5.0, zero=True))
    words = []
    for index, (name, values) in enumerate(chosen.items()):
        chart.line(values[0], values[1], f"s{index}")
        (near, turned), (far, twisted) = (np.percentile(values[1:], q, axis=1) for q in (50, 95))
        words.append(f"{_plain(name)}: median {near:.1f} mm, {turned:.1f}°, p95 {far:.1f} mm, {twisted:.1f}°")
    legend = tuple((f"s{i}", _plain(name)) for i, name in enumerate(chosen))
    note = "Scaled operator against solved robot wrist [mm], from teleop/status. " + "; ".join(words) + "."
    return Figure("Wrist, operator against robot", chart.html("retargeting error over time"), legend, note)


def latency_histogram(found: Latency) -> Figure | None:
    """How long operator frames took to become commands."""
    if len(found.seconds) < 2:
        return None
    values = MILLI * found.seconds
    high = max(float(np.percentile(values, 99.5)) * 1.1, 1.0)
    counts, edges = np.histogram(np.clip(values, 0.0, high), bins=48, range=(0.0, high))
    chart = Chart(470, 190, (0.0, high), (0.0, 1.1 * float(counts.max())), x_unit="ms")
    histogram(chart, edges, counts, "bar s0")
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    chart.box(p99, p99, 0.0, 1.1 * float(counts.max()), "limit-fill", "p99")
    stages = "".join(f"; {name} {MILLI * np.median(v):.2f} ms" for name, v in found.stages.items())
    note = f"{len(values)} frames, by the {found.clock}: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms{stages}."
    return Figure("Latency, operator frame to command", chart.html("latency histogram"), (("s0", "frames"),), note)


def skew_histogram(episode: Episode, limits: CheckLimits) -> Figure | None:
    """Distance of every sample from the instant of its synchronised frame, and the 95th percentile of each stream."""
    residuals, _ = sync_residuals(episode)
    chosen = {name: np.abs(v) * MILLI for name, v in residuals.items() if len(v) and np.abs(v).max() > 0}
    if not chosen:
        return None
    every = np.concatenate(list(chosen.values()))
    high = max(float(every.max()) * 1.05, 1.0)
    counts, edges = np.histogram(every, bins=48, range=(0.0, high))
    top = np.log10(1.0 + counts.max()) * 1.1
    chart = Chart(470, 190, (0.0, high), (0.0, float(top)), x_unit="ms", y_axis=False, left=12)
    for index, count in enumerate(counts):
        if count:
            bar = float(np.log10(1.0 + count))
            chart.box(edges[index], edges[index + 1], 0.0, bar, "bar s2", f"{edges[index]:.1f} ms: {count}")
    if MILLI * limits.timing.skew <= high:
        at = MILLI * limits.timing.skew
        chart.box(at, at, 0.0, float(top), "limit-fill", "limit")
    worst = sorted(chosen.items(), key=lambda item: -float(np.percentile(item[1], 95)))[:4]
    words = "; ".join(f"{name} {np.percentile(v, 95):.1f} ms" for name, v in worst)
    note = f"All streams, logarithmic count. 95th percentiles, worst first: {words}."
    return Figure("Skew inside synchronised frames", chart.html("skew histogram"), (("s2", "samples"),), note)


def streams_strip(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> Figure | None:
    """One lane per flowing topic: green where it keeps its rate, amber where it is slow, red where it pauses."""
    start, end = episode.span
    flows = [s for _, s in sorted(episode.streams.items()) if _flows(s, limits)]
    if not flows or end <= start:
        return None
    seconds = (end - start) * 1e-9
    chart = Chart(960, 30 + 15 * len(flows), (0.0, seconds), (0.0, float(len(flows))), left=350, y_axis=False)
    for row, stream in enumerate(flows):
        low = len(flows) - row - 1
        rule = rule_of(stream.topic, limits)
        # Without a rate to hold it to, a stream is only slow where it nearly pauses.
        wanted = expected_rate(stream, rule, robot) or (rule.rate_min if rule else None) or 0.3 * stream.rate
        chart.text(0.0, low + 0.5, _shortened(stream.topic, 50), "tick end", dx=-62)
        chart.text(0.0, low + 0.5, f"{stream.rate:.1f} Hz", "tick end", dx=-6)
        times = (stream.stamps if stream.stamped else stream.received).astype(np.int64)
        for begin, stop, css in _rate_runs((times - start) * 1e-9, seconds, wanted, limits.timing.ends):
            chart.box(begin, stop, low + 0.2, low + 0.8, css, f"{stream.topic}: {begin:.2f} to {stop:.2f} s")
        for begin, stop in pauses(episode, stream, rule, limits) if rule else []:
            chart.box(
                begin,
                stop,
                low + 0.1,
                low + 0.9,
                "run bad",
                f"{stream.topic}: nothing from {begin:.2f} to {stop:.2f} s",
            )
    legend = (("run good", "at rate"), ("run slow", "slow"), ("run bad", "gap"), ("run none", "nothing"))
    return Figure("Rates and gaps", chart.html("rate of each topic over time"), legend, wide=True)


def lidar_top_view(episode: Episode, robot: RobotFacts) -> Figure | None:
    """The cloud taken while the robot moved least, from above, brighter where higher; the robot's base is the cross."""
    stream = episode.streams.get("lidar/points")
    if stream is None or not len(stream):
        return None
    index = _calmest(stream, episode)
    [message] = episode.heavy({"lidar/points": [index]})["lidar/points"]
    cloud = _in_base(pictures.points(message), message.header.frame_id, int(stream.stamps[index]), episode, robot)
    if not len(cloud):
        return None
    reach, size = 4.0, 520
    image = np.full((size, size, 3), (32, 24, 20), np.uint8)
    for ring in range(1, int(reach) + 1):
        cv2.circle(image, (size // 2, size // 2), round(ring * size / (2 * reach)), (62, 52, 46), 1, cv2.LINE_AA)
    inside = cloud[(np.abs(cloud[:, :2]) < reach).all(axis=1)]
    inside = inside[np.argsort(inside[:, 2])]
    low, high = np.percentile(inside[:, 2], (2, 98)) if len(inside) else (0.0, 1.0)
    shade = (255 * np.clip((inside[:, 2] - low) / max(high - low, 1e-6), 0.2, 1.0)).astype(np.uint8)
    colors = cv2.applyColorMap(shade[:, None], cv2.COLORMAP_VIRIDIS)[:, 0]
    rows = (size / 2 - inside[:, 0] * size / (2 * reach)).astype(int).clip(0, size - 1)
    columns = (size / 2 - inside[:, 1] * size / (2 * reach)).astype(int).clip(0, size - 1)
    for right, down in ((0, 1), (1, 0), (0, 0)):
        image[(rows + down).clip(0, size - 1), (columns + right).clip(0, size - 1)] = colors
    cv2.drawMarker(image, (size // 2, size // 2), (255, 255, 255), cv2.MARKER_CROSS, 14, 1, cv2.LINE_AA)
    picture = Markup('<img class="square" alt="LiDAR points from above" src="{}">').format(jpeg(image, 88))
    at = (int(stream.stamps[index]) - episode.span[0]) * 1e-9
    note = f"Forward is up, rings every metre, colour by height; {len(cloud)} points at {at:.1f} s."
    return Figure("LiDAR from above", picture, note=note)


def scene_top_view(episode: Episode) -> Figure | None:
    """Paths of the objects that have a goal, from above, with the goals and where everything ended."""
    frames = [(message, objects_of(message)) for message in episode.messages("scene/objects")]
    if not frames:
        return None
    last = frames[-1][1]
    paths: dict[str, list[np.ndarray]] = {item.name: [] for item in last if item.goal}
    for _, objects in frames:
        for item in objects:
            if item.name in paths:
                paths[item.name].append(item.position[:2])
    if not paths:
        return None
    shown = [
        item for item in last if item.goal or item.name in {other.goal for other in last} or item.category == "table"
    ]
    corners = np.concatenate([_footprint(item) for item in shown] + [np.zeros((1, 2))])
    low, high = corners.min(axis=0) - 0.1, corners.max(axis=0) + 0.1
    # Forward is up and left is left: across runs -y. The picture keeps lengths equal both ways.
    width, height = 470, 300
    scale = max((high[1] - low[1]) / (width - 60), (high[0] - low[0]) / (height - 30))
    centre = 0.5 * (low + high)
    half = 0.5 * scale * np.array([height - 28, width - 52])
    chart = Chart(
        width,
        height,
        (-centre[1] - half[1], -centre[1] + half[1]),
        (centre[0] - half[0], centre[0] + half[0]),
        x_unit="m",
    )
    for item in shown:
        css = "table" if item.category == "table" else "outline"
        chart.polygon(_footprint(item) @ np.array([[0.0, 1.0], [-1.0, 0.0]]), css if not item.goal else "object")
    for index, (name, path) in enumerate(paths.items()):
        track = np.array(path)
        chart.line(-track[:, 1], track[:, 0], f"s{index % 6}")
        chart.dot(-track[0, 1], track[0, 0], f"mark s{index % 6}", f"{name} at the start")
    chart.text(0.0, 0.0, "robot", "tick middle", dy=14.0)
    chart.dot(0.0, 0.0, "mark calm", "robot")
    legend = tuple((f"s{i % 6}", _plain(name)) for i, name in enumerate(paths))
    note = "From above, forward is up [m]: where each object went from its dot, and where it ended; goals are outlined."
    return Figure("Objects", chart.html("paths of the objects from above"), legend, note)


def touch(episode: Episode) -> Figure | None:
    """Mean reading of each tactile pad over time."""
    pads = episode.matching(prefix="tactile/", type_name="humanoid_interfaces/msg/TactileArray")
    series = {topic: np.array([float(np.mean(m.values)) for m in episode.messages(topic)]) for topic in pads}
    series = {topic: values for topic, values in series.items() if len(values) > 1}
    if not series:
        return None
    loudest = sorted(series, key=lambda topic: -float(np.nanmax(series[topic])))[:6]
    unit, scale = _tactile_unit(next(iter(episode.messages(pads[0]))).quantity)
    seconds = (episode.span[1] - episode.span[0]) * 1e-9
    chart = Chart(470, 190, (0.0, seconds), span([series[t] / scale for t in loudest], 0.1, zero=True))
    for index, topic in enumerate(loudest):
        times = (episode.streams[topic].stamps - episode.span[0]) * 1e-9
        chart.line(times, series[topic] / scale, f"s{index}")
    legend = tuple((f"s{i}", _plain(topic.split("/", 1)[1])) for i, topic in enumerate(loudest))
    return Figure("Touch", chart.html("tactile pads over time"), legend, f"Mean of each pad [{unit}] over time.")


def force(episode: Episode) -> Figure | None:
    """Magnitude of each force sensor over time."""
    topics = episode.matching(type_name="geometry_msgs/msg/WrenchStamped")
    series = {t: np.array([_norm(m.wrench.force) for m in episode.messages(t)]) for t in topics}
    series = {topic: values for topic, values in series.items() if len(values) > 1}
    if not series:
        return None
    seconds = (episode.span[1] - episode.span[0]) * 1e-9
    chart = Chart(470, 190, (0.0, seconds), span(list(series.values()), 1.0, zero=True))
    for index, (topic, values) in enumerate(series.items()):
        chart.line((episode.streams[topic].stamps - episode.span[0]) * 1e-9, values, f"s{index}")
    legend = tuple((f"s{i}", _plain(topic.split("/", 1)[-1])) for i, topic in enumerate(series))
    return Figure("Force at the wrists", chart.html("wrist force over time"), legend, "|force| [N] over time.")


def effort(episode: Episode, robot: RobotFacts) -> Figure | None:
    """Largest joint torque of each arm over time."""
    table = episode.joints("joint_states")
    groups = {side: [n for n in names if n in table.names] for side, names in robot.arms.items()}
    groups = {side: names for side, names in groups.items() if names}
    if not groups or not np.isfinite(table.effort).any():
        return None
    times = (table.stamps - episode.span[0]) * 1e-9
    series = {s: np.abs(table.effort[:, [table.column(n) for n in names]]).max(axis=1) for s, names in groups.items()}
    chart = Chart(470, 190, (0.0, float(times[-1])), span(list(series.values()), 1.0, zero=True))
    for index, values in enumerate(series.values()):
        chart.line(times, values, f"s{index}")
    legend = tuple((f"s{i}", f"{side} arm") for i, side in enumerate(series))
    return Figure(
        "Joint effort", chart.html("joint effort over time"), legend, "Largest |torque| of each arm [N·m] over time."
    )


def bytes_by_topic(episode: Episode) -> Figure | None:
    """What each topic cost."""
    sizes = sorted(((s.size, s.topic) for s in episode.streams.values() if s.size), reverse=True)
    if not sizes:
        return None
    shown = sizes[:11]
    rest = sum(size for size, _ in sizes[11:])
    if rest:
        shown.append((rest, f"{len(sizes) - 11} more topics"))
    total = sum(size for size, _ in sizes)
    chart = Chart(
        470, 30 + 15 * len(shown), (0.0, 1.15 * shown[0][0] * 1e-6), (0.0, float(len(shown))),
        x_unit="MB", left=250, y_axis=False,
    )  # fmt: skip
    for row, (size, topic) in enumerate(shown):
        low = len(shown) - row - 1
        chart.text(0.0, low + 0.5, _shortened(topic, 40), "tick end", dx=-6)
        chart.box(0.0, size * 1e-6, low + 0.15, low + 0.85, "bar s3", f"{topic}: {size * 1e-6:.2f} MB")
        chart.text(size * 1e-6, low + 0.5, f"{100 * size / total:.0f} %", "tick", dx=4)
    rate = total * 1e-6 / max(episode.duration, 1e-9)
    disk = f"{episode.size * 1e-6:.1f} MB on disk"
    note = f"{total * 1e-6:.1f} MB of messages, {rate:.1f} MB per second of the episode; {disk}."
    return Figure("Bytes by topic", chart.html("bytes by topic"), note=note)


def _state_bands(episode: Episode, topic: str, words: tuple[str, ...]) -> list[tuple[float, float, str, str]]:
    """Stretches of one state from a status topic: begin [s], end [s], words, style."""
    start, end = episode.span
    changes: list[tuple[float, int]] = []
    for message in episode.messages(topic):
        seconds = max(0.0, (_ns(message.header.stamp) - start) * 1e-9)
        if not changes or changes[-1][1] != message.state:
            changes.append((seconds, int(message.state)))
    bands = []
    for index, (begin, state) in enumerate(changes):
        stop = changes[index + 1][0] if index + 1 < len(changes) else (end - start) * 1e-9
        name = words[state] if 0 <= state < len(words) else str(state)
        bands.append((begin, max(stop, begin + 1e-3), name, "state-" + name.replace(" ", "-")))
    return bands


def _labels(episode: Episode) -> list[tuple[float, float, str]]:
    """Labels of the sidecar and of the annotations topic: begin [s], end [s] (equal for an instant), words."""
    start = episode.span[0]
    found = {
        (int(a["start_ns"]), int(a.get("end_ns") or a["start_ns"]), str(a["label"]))
        for a in episode.sidecar.get("annotations") or []
    }
    for message in episode.messages("annotations"):
        begin = _ns(message.header.stamp)
        found.add((begin, _ns(message.end) or begin, message.label))
    return [((a - start) * 1e-9, (b - start) * 1e-9, words) for a, b, words in sorted(found)]


def _flows(stream: Stream, limits: CheckLimits) -> bool:
    """Whether a stream is expected to flow: not a fact, and not an event now and then."""
    rule = rule_of(stream.topic, limits)
    timed = rule is not None and (rule.rate or rule.rate_min or rule.max_gap) is not None
    return len(stream) > 1 and (timed or not stream.latched) and (timed or stream.rate > 2.0)


def _rate_runs(times: np.ndarray, seconds: float, rate: float, ends: float) -> list[tuple[float, float, str]]:
    """Stretches of equal judgement of a stream's rate, from counts in bins that should hold eight messages or more.

    Args:
        times: Of the messages in the episode [s].
        seconds: Length of the episode.
        rate: Expected [Hz].
        ends: What a stream may miss at either end [s].
    """
    first, last = max(float(times.min()), 0.0), min(float(times.max()), seconds)
    count = max(1, int((last - first) / max(seconds / 160, 8.0 / max(rate, 1e-9))))
    edges = np.linspace(first, last, count + 1)
    counts, _ = np.histogram(times, edges)
    share = counts / max((last - first) / count * rate, 1e-9)
    runs: list[tuple[float, float, str]] = []
    if first > ends:
        runs.append((0.0, first, "run none"))
    for index in range(count):
        css = "run good" if share[index] > 0.8 else "run slow" if counts[index] else "run none"
        if runs and runs[-1][2] == css:
            runs[-1] = (runs[-1][0], float(edges[index + 1]), css)
        else:
            runs.append((float(edges[index]) if runs else 0.0, float(edges[index + 1]), css))
    runs[-1] = (runs[-1][0], seconds, runs[-1][2]) if seconds - last <= ends else runs[-1]
    return runs


def _calmest(stream: Stream, episode: Episode) -> int:
    """Index of the cloud during which the measured joints moved least: a scan takes its time."""
    table = episode.joints("joint_states")
    if len(table.stamps) < 2 or len(stream) < 2:
        return len(stream) // 2
    begin = np.searchsorted(table.stamps, stream.stamps).clip(0, len(table.stamps) - 1)
    end = np.searchsorted(table.stamps, stream.stamps + int(np.median(np.diff(stream.stamps))))
    end = end.clip(0, len(table.stamps) - 1)
    moved = np.abs(np.nan_to_num(table.position[end] - table.position[begin])).max(axis=1)
    return int(np.argmin(np.where(end > begin, moved, np.inf)))


def _in_base(cloud: np.ndarray, frame: str, stamp: int, episode: Episode, robot: RobotFacts) -> np.ndarray:
    """A cloud (n, 3) turned from its sensor's frame into the robot's root, at the joints measured nearest in time."""
    table = episode.joints("joint_states")
    if robot.kinematics is None or not robot.kinematics.has(frame) or not len(table.stamps):
        return cloud
    row = int(np.argmin(np.abs(table.stamps - stamp)))
    where, rotation = robot.kinematics.pose(frame, table.names, np.nan_to_num(table.position[row : row + 1]))
    return cloud @ rotation[0].T + where[0]


def _footprint(item: ObjectState) -> np.ndarray:
    """Corners of an object's base from above, (4, 2) [m]."""
    half = 0.5 * item.size[:2]
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * half
    return corners @ rotations.matrix(item.orientation)[:2, :2].T + item.position[:2]


def _tactile_unit(quantity: int) -> tuple[str, float]:
    return {0: ("kPa", 1e3), 1: ("N", 1.0)}.get(quantity, ("counts", 1.0))


def _norm(vector: Any) -> float:
    return float(np.sqrt(vector.x**2 + vector.y**2 + vector.z**2))


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _plain(name: str) -> str:
    return name.removesuffix("_joint").replace("_", " ")


def _shortened(words: str, length: int) -> str:
    return words if len(words) <= length else "…" + words[-(length - 1) :]
