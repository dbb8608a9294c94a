# SPDX-License-Identifier: Apache-2.0
"""Draw the decoded LiDAR captures beside what other decoders made of them, and print the table of docs/sensors.md:
`python -m bench.sensors_plot`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from scipy.spatial import cKDTree

from bench.rig import REPOSITORY
from humanoid_sensors import pcap
from humanoid_sensors.lidar.cloud import Decoder
from humanoid_sensors.lidar.hesai import PandarQt64
from humanoid_sensors.lidar.ouster import Ouster
from humanoid_sensors.lidar.velodyne import _HEIGHT, Vlp16

sys.path.append(str(REPOSITORY / "src" / "humanoid_sensors" / "test"))

import lidar_packets

matplotlib.use("Agg")
from matplotlib import pyplot

OUT = REPOSITORY / "docs" / "images" / "lidars.png"
ANGLES = REPOSITORY / "src" / "humanoid_sensors" / "config" / "pandar_qt64_angles.csv"


@dataclass(frozen=True)
class Capture:
    """A sweep: our points and the other decoder's (n, 3) [m]; None: it left only figures. `reach` is drawn [m]."""

    name: str
    other: str
    reach: float
    ours: np.ndarray
    theirs: np.ndarray | None


def captures(data: Path) -> list[Capture]:
    """The three real captures, decoded."""
    return [_velodyne(data / "velodyne_vlp16"), _hesai(data / "hesai_qt64"), _ouster(data / "ouster")]


def _places(points: np.ndarray) -> np.ndarray:
    return np.column_stack([points["x"], points["y"], points["z"]]).astype(float)


def _fed(decoder: Decoder, datagrams: list[tuple[int, bytes]]) -> list[np.ndarray]:
    sweeps = [decoder.feed(datagram, arrival) for arrival, datagram in datagrams] + [decoder.flush()]
    return [sweep.points for sweep in sweeps if sweep is not None]


def _velodyne(folder: Path) -> Capture:
    scan = list(lidar_packets.scan_datagrams(lidar_packets.recorded_scans(folder)[-1], 1206, False))
    points = np.concatenate(_fed(Vlp16("puck"), scan))
    ours = _places(points)
    # The reference leaves out the lasers' heights: ours are taken off for the comparison.
    by_ring = dict(zip(np.argsort(np.argsort(lidar_packets.VLP16_DEGREES)).tolist(), _HEIGHT[:16].tolist()))
    ours[:, 2] -= np.array([by_ring[ring] for ring in points["ring"].tolist()])
    kind = np.dtype([("xyz", "<f4", 3), ("rest", "u1", 20)])
    return Capture("Velodyne VLP-16", "Nebula", 10.0, ours, lidar_packets.pcd(next(folder.glob("*.pcd")), kind)["xyz"])


def _hesai(folder: Path) -> Capture:
    scans = lidar_packets.recorded_scans(folder)
    datagrams = [one for scan in scans for one in lidar_packets.scan_datagrams(scan, 1500, True)]
    sweeps = _fed(PandarQt64("front", ANGLES), datagrams)
    theirs = lidar_packets.pcd(next(folder.glob("*.pcd")), np.dtype([("xyz", "<f4", 3)]))["xyz"]
    return Capture("Hesai PandarQT", "Nebula", 10.0, _places(sweeps[2]), theirs)


def _ouster(folder: Path) -> Capture:
    datagrams = [(one.stamp, one.payload) for one in pcap.read(next(folder.glob("*.pcap")))]
    (points,) = _fed(Ouster("os1", next(folder.glob("*.json"))), datagrams)
    return Capture("Ouster OS-1-32", "ouster-sdk (figures only)", 25.0, _places(points), None)


def draw(found: list[Capture]) -> None:
    """A column each: from above, a cut seen from the side, distances between the two decoders' points."""
    figure, axes = pyplot.subplots(
        3, len(found), figsize=(4.6 * len(found), 9.0), height_ratios=[5, 1.3, 3], layout="constrained"
    )
    for column, one in zip(axes.T, found):
        above, side, errors = column
        ours, theirs, reach = one.ours, one.theirs, one.reach
        near = np.linalg.norm(ours[:, :2], axis=1) < reach
        if theirs is not None:
            above.scatter(*theirs[:, :2].T, s=3.0, c="0.75", linewidths=0, label=f"{one.other}: {len(theirs)}")
        above.scatter(*ours[near, :2].T, s=0.6, c=ours[near, 2], cmap="viridis", linewidths=0,
                      label=f"ours: {len(ours)}")  # fmt: skip
        above.set(title=one.name, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach), xlabel="x [m]")
        above.legend(loc="upper right", fontsize=8, markerscale=5)
        for points, colour, size in ((theirs, "0.75", 6.0), (ours, "tab:blue", 1.0)):
            if points is not None:
                cut = points[np.abs(points[:, 1]) < 2.0]
                side.scatter(cut[:, 0], cut[:, 2], s=size, c=colour, linewidths=0)
        side.set(
            title="side view, 2 m either way of y = 0",
            aspect="equal",
            xlim=(-reach, reach),
            xlabel="x [m]",
            ylabel="z [m]",
        )
        if theirs is None:
            errors.axis("off")
            errors.text(
                0.05,
                0.6,
                "the maker's library: the same count,\nthree points within 0.02 mm,\nthe sum of all within 0.02 m",
            )
        else:
            distance = np.sort(cKDTree(ours).query(theirs)[0])
            share = np.arange(1, len(distance) + 1) / len(distance)
            errors.semilogx(1e3 * np.maximum(distance, 1e-7), 100.0 * share)
            errors.set(title=f"from each of {one.other}'s points to ours", xlabel="distance [mm]", ylabel="[%]")
            errors.grid(alpha=0.3)
    OUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUT, dpi=90, pil_kwargs={"optimize": True})


def table(found: list[Capture]) -> str:
    """Counts and position errors, a line for each capture."""
    lines = [
        "| LiDAR | reference | points, ours / theirs | p50 | p95 | p99 | largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        if one.theirs is None:
            lines.append(f"| {one.name} | {one.other} | {len(one.ours)} / 27310 | | | | 0.02 mm of three points |")
            continue
        millimetres = 1e3 * cKDTree(one.ours).query(one.theirs)[0]
        errors = " | ".join(f"{value:.3f} mm" for value in np.percentile(millimetres, [50, 95, 99, 100]))
        lines.append(f"| {one.name} | {one.other} | {len(one.ours)} / {len(one.theirs)} | {errors} |")
    return "\n".join(lines)


def main() -> None:
    """Draw and print."""
    data = Path(os.environ.get("HUMANOID_SHARED_DATA", REPOSITORY.parent / "shared" / "data")) / "lidar"
    found = captures(data)
    draw(found)
    print(table(found))


if __name__ == "__main__":
    main()
