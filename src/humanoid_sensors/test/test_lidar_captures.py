# SPDX-License-Identifier: Apache-2.0
"""Captures of real LiDARs against what other decoders made of them."""

from __future__ import annotations

from pathlib import Path

import lidar_packets
import numpy as np
import pytest
from scipy.spatial import cKDTree

from humanoid_sensors import pcap
from humanoid_sensors.lidar.hesai import PandarQt64
from humanoid_sensors.lidar.ouster import Ouster
from humanoid_sensors.lidar.velodyne import _HEIGHT, Vlp16

ANGLES = Path(__file__).parents[1] / "config" / "pandar_qt64_angles.csv"


def places(points: np.ndarray) -> np.ndarray:
    return np.column_stack([points["x"], points["y"], points["z"]]).astype(float)


@pytest.fixture(scope="module")
def velodyne(shared_data):
    """Points of the last message, and Nebula's points of it."""
    folder = shared_data / "lidar" / "velodyne_vlp16"
    decoder = Vlp16("puck")
    scan = lidar_packets.scan_datagrams(lidar_packets.recorded_scans(folder)[-1], 1206, False)
    sweeps = [decoder.feed(datagram, arrival) for arrival, datagram in scan] + [decoder.flush()]
    points = np.concatenate([sweep.points for sweep in sweeps if sweep])
    kind = np.dtype(
        [("xyz", "<f4", 3), ("intensity", "u1"), ("returns", "u1"), ("ring", "<u2"), ("azimuth", "<f4")]
        + [("elevation", "<f4"), ("distance", "<f4"), ("t", "<u4")]
    )
    return points, lidar_packets.pcd(next(folder.glob("*.pcd")), kind)


def test_vlp16_has_as_many_points_as_the_reference(velodyne):
    points, reference = velodyne
    assert len(points) == pytest.approx(len(reference), rel=2e-3)


def test_vlp16_points_are_where_the_reference_has_them(velodyne):
    points, reference = velodyne
    ours = places(points)
    # The reference leaves out the lasers' heights, by up to 11 mm.
    by_ring = dict(zip(np.argsort(np.argsort(lidar_packets.VLP16_DEGREES)).tolist(), _HEIGHT[:16].tolist()))
    ours[:, 2] -= np.array([by_ring[ring] for ring in points["ring"].tolist()])
    distance, nearest = cKDTree(ours).query(reference["xyz"])
    assert np.median(distance) < 2e-4
    # Its azimuths agree to its own 0.01 deg, but for the last pair of blocks of a packet, beyond which it does not
    # look, and for second echoes, whose azimuths it does not interpolate.
    pair = reference["t"] // 110592
    compared = (reference["t"] // 55296 % 4 < 2) & (pair % 2 == 0) & (reference["t"] < 20 * 55296)
    assert compared.mean() > 0.8
    assert np.percentile(distance[compared] / reference["distance"][compared], 99) < np.radians(0.01)
    assert (points["ring"][nearest[compared]] == reference["ring"][compared]).mean() > 0.99


def test_qt64_points_are_where_the_reference_has_them(shared_data):
    folder = shared_data / "lidar" / "hesai_qt64"
    decoder = PandarQt64("front", ANGLES)
    sweeps = []
    for scan in lidar_packets.recorded_scans(folder):
        for arrival, datagram in lidar_packets.scan_datagrams(scan, 1500, True):
            sweeps.append(decoder.feed(datagram, arrival))
    sweeps = [sweep for sweep in sweeps if sweep]
    assert [sweep.datagrams for sweep in sweeps] == [299, 300, 300, 300]
    assert not any(sweep.lost for sweep in sweeps)
    reference = lidar_packets.pcd(next(folder.glob("*.pcd")), np.dtype([("xyz", "<f4", 3)]))["xyz"]
    ours = places(sweeps[2].points)
    distance, _ = cKDTree(ours).query(reference)
    assert np.percentile(distance, 95) < 1e-5
    assert np.percentile(distance, 99) < 0.005
    # The reference leaves second echoes out that lie close to the first.
    extra, _ = cKDTree(reference).query(ours)
    assert len(ours) - len(reference) == pytest.approx((extra > 1e-4).sum(), rel=0.1)


def test_ouster_points_are_those_of_the_makers_library(shared_data):
    folder = shared_data / "lidar" / "ouster"
    decoder = Ouster("os1", next(folder.glob("*.json")))
    for datagram in pcap.read(next(folder.glob("*.pcap"))):
        assert decoder.feed(datagram.payload, datagram.stamp) is None
    sweep = decoder.flush()
    assert (len(sweep.points), sweep.lost, sweep.datagrams) == (27310, 0, 64)
    assert (sweep.stamp, sweep.last - sweep.stamp) == (3577133606620, 99910300)
    ours = places(sweep.points)
    # Figures of ouster-sdk 1.0.1 for this capture.
    np.testing.assert_allclose(ours.sum(axis=0), [27528.30073, 24873.94275, -1977.38098], atol=0.02)
    np.testing.assert_allclose(
        ours[[0, 1000, 20000]],
        [
            [-12.60465251, -0.92888525, 2.89248902],
            [-33.88701455, 11.17058502, -0.26883762],
            [-1.08085721, -7.9344809, -0.57315858],
        ],
        atol=2e-5,
    )
