# SPDX-License-Identifier: Apache-2.0
"""What is read by a file's index is what stands in it, record by record, however topics lie in chunks."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from synthetic import write_episode

from humanoid_dataset import bag
from humanoid_dataset.episode import Episode
from humanoid_dataset.motion_checks import farthest_out
from humanoid_dataset.tracking import _quantile, track

_HEADER = "std_msgs/Header header\n"
_OWN = (
    "=" * 80 + "\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n" + "=" * 80
    + "\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n"
)  # fmt: skip
_IMAGE = ("sensor_msgs/msg/CompressedImage", _HEADER + "string format\nuint8[] data\n" + _OWN)
_FORCE = ("bench_msgs/msg/Force", _HEADER + "float64[3] force\n" + _OWN)


def _head(k: int) -> bytes:
    return struct.pack("<BBHiII", 0, 1, 0, 100 + k // 50, k % 50, 2) + b"f\0\0\0"


def _force(k: int) -> bytes:
    return _head(k) + struct.pack("<3d", k, np.nan if k == 40 else -k, 0.5)


def _image(k: int) -> bytes:
    return _head(k) + struct.pack("<I", 5) + b"jpeg\0\0\0\0" + struct.pack("<I", 400 + k) + bytes([k]) * (400 + k)


def _mixed(path: Path, compression: CompressionType) -> Path:
    """Pictures and numbers in the same chunks; two publishers of one topic by turns."""
    with path.open("wb") as stream:
        writer = Writer(stream, compression=compression, chunk_size=4096)
        writer.start("ros2")
        image, force = (writer.register_schema(name, "ros2msg", text.encode()) for name, text in (_IMAGE, _FORCE))
        picture = writer.register_channel("/bot/camera/head/color/image_raw/compressed", "cdr", image)
        two = [writer.register_channel("/bot/wrench/left", "cdr", force) for _ in range(2)]
        for k in range(60):
            writer.add_message(picture, 1000 + k, _image(k), 1000 + k, 3 * k)
            writer.add_message(two[k * k % 3 % 2], 1000 + k, _force(k), 1000 + k, k)
        writer.finish()
    return path


@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD])
def test_index_and_records_agree(tmp_path: Path, compression: CompressionType):
    path = _mixed(tmp_path / "mixed.mcap", compression)
    indexed, (walked, fault) = bag.read_index(path), bag.walk(path)
    assert not fault
    assert set(indexed) == set(walked)
    for name, topic in indexed.items():
        for field in ("received", "sequence", "sizes"):
            assert getattr(topic, field).tolist() == sorted(getattr(walked[name], field).tolist()), (name, field)
        assert topic.stamps().tolist() == sorted(walked[name].stamps().tolist())
    assert list(indexed) == ["/bot/camera/head/color/image_raw/compressed", "/bot/wrench/left"]  # in one order, always
    forces = indexed["/bot/wrench/left"]
    assert forces.payloads() == [_force(k) for k in range(60)]
    assert [forces.payload(k) for k in (0, 59)] == [_force(0), _force(59)]


def test_chunks_of_one_kind_give_the_same(tmp_path: Path):
    path = next(write_episode(tmp_path / "e").glob("*.mcap"))
    indexed, (walked, _) = bag.read_index(path), bag.walk(path)
    for name, topic in indexed.items():
        assert topic.stamps().tolist() == walked[name].stamps().tolist()
        if not topic.heavy:
            assert topic.payloads() == walked[name].payloads()


def test_index_that_lies_is_not_believed(tmp_path: Path):
    path = _mixed(tmp_path / "mixed.mcap", CompressionType.NONE)
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    index = min(summary.chunk_indexes[1].message_index_offsets.values())
    for at in (0, 1, 9, 11, 15, 23):  # opcode, length, channel, bytes, log time and offset of the first entry
        data = bytearray(path.read_bytes())
        data[index + at] ^= 1
        (tmp_path / "lies.mcap").write_bytes(data)
        with pytest.raises(bag.Untrue):
            bag.read_index(tmp_path / "lies.mcap")


@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD])
def test_a_damaged_byte_anywhere_is_a_fault_and_no_crash(tmp_path: Path, compression: CompressionType):
    whole = _mixed(tmp_path / "mixed.mcap", compression).read_bytes()
    path, told = tmp_path / "damaged.mcap", 0
    places = range(len(whole) // 50, len(whole), len(whole) // 50)
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        told += bool(bag.walk(path)[1])
        with contextlib.suppress(bag.Untrue):
            bag.read_index(path)
    assert told > len(places) // 4  # nothing watches over what stands outside of chunks


def test_fields_of_many_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _mixed(tmp_path / "mixed.mcap", CompressionType.NONE)
    for limit in (1 << 22, 0):  # brought together, and field by field
        monkeypatch.setattr("humanoid_dataset.columns._WHOLE", limit)
        [table] = Episode.open(tmp_path).columns("/bot/wrench/left".removeprefix("/"))
        assert table.array("force").shape == (60, 3)
        assert table.array("force")[:, 0].tolist() == list(range(60))
        assert table.finite(("force",)).tolist() == [k != 40 for k in range(60)]
        assert not table.whole("force")
        assert table.whole("header.stamp.nanosec")


def test_farthest_out_is_the_first_of_the_worst():
    values = np.array([[0.0, 5.0], [3.0, np.nan], [-4.0, 5.0]])
    assert farthest_out(values, np.array([-1.0, 0.0]), np.array([0.0, 2.0])) == (3.0, 0, 1)
    assert np.isnan(farthest_out(values, np.full(2, -np.inf), np.full(2, np.inf))[0])
    assert np.isnan(farthest_out(np.zeros((0, 2)), np.zeros(2), np.zeros(2))[0])


@pytest.mark.parametrize("size", [1, 2, 7, 100, 101])
def test_quantiles_are_numpys(size: int):
    values = np.random.default_rng(size).normal(size=(4, size))
    for q in (0.0, 0.5, 0.95, 1.0):
        assert _quantile(values, q).tolist() == np.quantile(values, q, axis=1).tolist()


def test_lag_is_the_least_of_squares():
    stamps = np.arange(0, 4_000_000_000, 2_000_000)
    seconds = stamps * 1e-9

    class Table:
        def __init__(self, late: float) -> None:
            self.stamps, self.names = stamps, ["a", "b"]
            self.position = np.stack([np.sin(3 * (seconds - late)), 7.0 + 0.3 * np.cos(5 * (seconds - late))], axis=1)

        def column(self, name: str) -> int:
            return self.names.index(name)

    for late in (-0.1, 0.0, 0.036, 0.2):
        assert track(Table(0.0), Table(late), 0.05, 0.5).lag == pytest.approx(late, abs=1e-9)
