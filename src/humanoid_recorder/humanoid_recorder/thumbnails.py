# SPDX-License-Identifier: Apache-2.0
"""A picture of an episode: one row for each camera, from left to right through time."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mcap.exceptions import McapError
from mcap.reader import McapReader, make_reader

from humanoid_recorder.errors import BagError
from humanoid_recorder.sidecar import Episode

_HEIGHT = 120  # of a thumbnail [pixels]
_LABEL = 18  # height of a line of text [pixels]
_DEPTH_HEADER = 12  # compressed_depth_image_transport: an enumeration and two floats before the PNG
_COLOURS = {"rgb8": cv2.COLOR_RGB2BGR, "bgr8": None, "mono8": cv2.COLOR_GRAY2BGR}


def strip(folder: Path, episode: Episode, count: int = 8) -> np.ndarray:
    """Thumbnails of every camera at `count` evenly spaced times, (h, w, 3) uint8, BGR.

    A frame that cannot be shown (another encoding, damage) stays grey.

    Raises:
        BagError: the bag cannot be read, or has no pictures.
    """
    if episode.bag is None:
        raise BagError(folder, f"state {episode.state!r}", "a finished episode (run recover)")
    bag = folder / episode.bag.file
    shown = {"sensor_msgs/msg/CompressedImage": _compressed, "sensor_msgs/msg/Image": _raw}
    cameras = sorted((t.name, shown[t.type]) for t in episode.topics if t.type in shown and t.written)
    if not cameras:
        raise BagError(bag, "no pictures", "at least one camera")
    try:
        with open(bag, "rb") as stream:
            reader = make_reader(stream)
            rows = [_row(reader, name, decode, episode, count) for name, decode in cameras]
    except (McapError, EOFError) as error:
        raise BagError(bag, error, "a bag that can be read (run verify)") from error
    width = max(row.shape[1] for row in rows)
    return np.vstack([cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT) for row in rows])


def _row(
    reader: McapReader, topic: str, decode: Callable[[bytes], np.ndarray], episode: Episode, count: int
) -> np.ndarray:
    report = next(report for report in episode.topics if report.name == topic)
    length = max(1, report.last_ns - report.first_ns)
    tiles = []
    for i in range(count):
        begin = report.first_ns + length * i // max(1, count - 1) - (length // count if i == count - 1 else 0)
        found = next(iter(reader.iter_messages([topic], start_time=begin)), None)
        tile: np.ndarray = np.full((_HEIGHT, _HEIGHT * 4 // 3, 3), 128, np.uint8)
        if found is not None:
            try:
                image = decode(found[2].data)
                tile = cv2.resize(image, (round(image.shape[1] * _HEIGHT / image.shape[0]), _HEIGHT))
            except (struct.error, ValueError, cv2.error):
                pass  # stays grey
            begin = found[2].log_time
        tiles.append(_labelled(tile, f"{(begin - episode.start_ns) * 1e-9:.1f} s"))
    return _labelled(np.hstack(tiles), topic)


def _labelled(image: np.ndarray, text: str) -> np.ndarray:
    framed = cv2.copyMakeBorder(image, _LABEL, 0, 0, 2, cv2.BORDER_CONSTANT)
    return cv2.putText(framed, text, (3, _LABEL - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)


class _Cdr:
    """Reads a little-endian CDR message from its beginning."""

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 12  # behind encapsulation and stamp

    def number(self) -> int:
        self._at += -self._at % 4
        (value,) = struct.unpack_from("<I", self._payload, self._at)
        self._at += 4
        return int(value)

    def bytes(self) -> bytes:
        length = self.number()
        if self._at + length > len(self._payload):
            raise ValueError("found a length past the end, expected a message")
        self._at += length
        return self._payload[self._at - length : self._at]

    def text(self) -> str:
        return self.bytes()[:-1].decode("utf-8", "replace")

    def skip(self, size: int) -> None:
        self._at += size


def _compressed(payload: bytes) -> np.ndarray:
    cdr = _Cdr(payload)
    cdr.text()  # frame_id
    kind, data = cdr.text(), cdr.bytes()
    if "compressedDepth" in kind:
        return _depth(cv2.imdecode(np.frombuffer(data[_DEPTH_HEADER:], np.uint8), cv2.IMREAD_UNCHANGED))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"found no picture, expected {kind}")
    return image


def _raw(payload: bytes) -> np.ndarray:
    cdr = _Cdr(payload)
    cdr.text()  # frame_id
    height, width, encoding = cdr.number(), cdr.number(), cdr.text()
    cdr.skip(1)  # is_bigendian
    step, data = cdr.number(), np.frombuffer(cdr.bytes(), np.uint8)
    rows = data.reshape(height, step)
    if encoding in ("16UC1", "mono16"):
        return _depth(np.ascontiguousarray(rows[:, : 2 * width]).view("<u2"))
    if encoding not in _COLOURS:
        raise ValueError(f"found encoding {encoding}, expected one of {', '.join(_COLOURS)}")
    image = np.ascontiguousarray(rows[:, : width * (1 if encoding == "mono8" else 3)]).reshape(height, width, -1)
    code = _COLOURS[encoding]
    return image if code is None else cv2.cvtColor(image, code)


def _depth(image: np.ndarray | None) -> np.ndarray:
    if image is None:
        raise ValueError("found no picture, expected depth")
    far = max(1.0, float(np.percentile(image, 98)))
    scaled = np.clip(255.0 - image / far * 255.0, 0, 255).astype(np.uint8)
    coloured = cv2.applyColorMap(scaled, cv2.COLORMAP_TURBO)
    coloured[image == 0] = 0
    return coloured
