# SPDX-License-Identifier: Apache-2.0
"""Codings of 16-bit depth that stock image_transport (compressed_depth_image_transport) reads: PNG and RVL.

RVL after: A. D. Wilson, "Fast Lossless Depth Image Compression", ISS 2017. It is coded here with NumPy, as a Python
driver would have to; in C++ it is much faster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from bench.report import BenchError, Figure
from bench.rig import REPOSITORY

_FRAMES = 10
_PNG = {
    "PNG level 1": [cv2.IMWRITE_PNG_COMPRESSION, 1],
    "PNG level 1, run lengths": [
        cv2.IMWRITE_PNG_COMPRESSION,
        1,
        cv2.IMWRITE_PNG_STRATEGY,
        cv2.IMWRITE_PNG_STRATEGY_RLE,
    ],
    "PNG, Huffman only": [
        cv2.IMWRITE_PNG_COMPRESSION,
        1,
        cv2.IMWRITE_PNG_STRATEGY,
        cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
    ],
}
BEST = "PNG level 1, run lengths"


def scene(seed: int) -> np.ndarray:
    """A room with a table and boxes, with a depth camera's noise, steps and holes, (480, 640) uint16 [mm]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:480, 0:640].astype(np.float32)
    depth = np.minimum(3500.0, 1.3e6 / np.maximum(rows - 60.0 + 0.05 * columns, 1.0))  # floor, then a wall
    for _ in range(12):
        x, y, w, h = rng.integers([0, 150, 40, 40], [560, 400, 160, 140])
        depth[y : y + h, x : x + w] = rng.uniform(600, 1800) + 0.3 * (columns[y : y + h, x : x + w] - x)
    depth += rng.normal(0.0, 1.0, depth.shape) * (depth / 1000.0) ** 2 * 1.5
    edges = np.abs(np.diff(depth, axis=1, prepend=depth[:, :1])) > 50.0
    depth[cv2.dilate(edges.astype(np.uint8), np.ones((3, 5), np.uint8)) > 0] = 0.0
    depth[rng.random(depth.shape) < 0.01] = 0.0
    return depth.astype(np.uint16)


def rvl(image: np.ndarray) -> bytes:
    """Run lengths and differences, in steps of three bits, (h, w) uint16."""
    pixels = image.ravel().astype(np.int32)
    there = pixels > 0
    edges = np.flatnonzero(np.diff(there.astype(np.int8))) + 1
    starts = np.concatenate(([0], edges))
    lengths = np.diff(np.concatenate((starts, [pixels.size])))
    if there[0]:
        starts, lengths = np.concatenate(([0], starts)), np.concatenate(([0], lengths))
    if len(lengths) % 2:
        starts, lengths = np.append(starts, pixels.size), np.append(lengths, 0)
    values = pixels[there]
    delta = np.diff(values, prepend=np.int32(0))
    symbols = (delta << 1) ^ (delta >> 31)
    # Before each run of pixels stand two numbers: how many zeros, how many pixels.
    before = np.concatenate(([0], np.cumsum(lengths[1::2])))[:-1]
    stream = np.insert(symbols, np.repeat(before, 2), lengths)
    nibbles = np.maximum(1, -(-np.ceil(np.log2(stream + 1.0)).astype(np.int64) // 3))
    at = np.cumsum(nibbles) - nibbles
    out = np.zeros(-(-int(nibbles.sum()) // 8) * 8, np.uint8)
    for k in range(int(nibbles.max())):
        more = nibbles > k
        out[at[more] + k] = ((stream[more] >> (3 * k)) & 7) | np.where(nibbles[more] > k + 1, 8, 0)
    words = out.reshape(-1, 8).astype(np.uint32) @ (np.uint32(1) << np.arange(28, -1, -4, dtype=np.uint32))
    return words.astype("<u4").tobytes()


def unrvl(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """The image again, pixel by pixel as the paper has it; slow, for checking."""
    nibbles = [word >> shift & 15 for word in np.frombuffer(data, "<u4").tolist() for shift in range(28, -1, -4)]
    at = 0

    def number() -> int:
        nonlocal at
        value, bits = 0, 0
        while True:
            nibble = nibbles[at]
            at += 1
            value |= (nibble & 7) << bits
            bits += 3
            if not nibble & 8:
                return value

    pixels: list[int] = []
    last = 0
    while len(pixels) < shape[0] * shape[1]:
        pixels += [0] * number()
        for _ in range(number()):
            symbol = number()
            last += (symbol >> 1) ^ -(symbol & 1)
            pixels.append(last)
    return np.array(pixels, np.uint16).reshape(shape)


def measure_codings(images: list[np.ndarray]) -> dict[str, tuple[float, float]]:
    """Frames per CPU-second and size over raw size, by coding.

    Raises:
        BenchError: a coding is not exact.
    """
    codings: dict[str, Callable[[np.ndarray], bytes]] = {
        name: (lambda image, options=options: cv2.imencode(".png", image, options)[1].tobytes())  # type: ignore[misc]
        for name, options in _PNG.items()
    }
    codings["RVL in NumPy"] = rvl
    results = {}
    for name, code in codings.items():
        data = [code(image) for image in images]
        first = np.frombuffer(data[0], np.uint8)
        back = unrvl(data[0], (480, 640)) if name.startswith("RVL") else cv2.imdecode(first, cv2.IMREAD_UNCHANGED)
        if back is None or not np.array_equal(np.asarray(back), images[0]):
            raise BenchError(f"{name} does not give the depth back exactly")
        times = []
        for _ in range(3):
            begin = time.process_time()
            for image in images:
                code(image)
            times.append(time.process_time() - begin)
        results[name] = len(images) / min(times), sum(map(len, data)) / sum(image.nbytes for image in images)
    return results


def real_frames() -> list[np.ndarray]:
    """Frames of an RGB-D camera out of $HUMANOID_SHARED_DATA, or shared/data beside the repository; none elsewhere."""
    place = Path(os.environ.get("HUMANOID_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    images = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in sorted(place.glob("rgbd/*_depth.tiff"))]
    return [np.asarray(image) for image in images if image is not None]


def figures() -> dict[str, Figure]:
    """The coding that the twin and our drivers use, beside the others."""
    found: dict[str, Figure] = {}
    sets = {"depth": [scene(seed) for seed in range(_FRAMES)], "depth of a real camera": real_frames() * _FRAMES}
    for name, images in sets.items():
        if not images:
            found |= {f"{name}, frames per CPU-second": Figure(np.nan), f"{name}, size over raw": Figure(np.nan)}
            continue
        results = measure_codings(images)
        others = [coding for coding in results if coding != BEST]
        speed, size = ({coding: results[coding][i] for coding in others} for i in (0, 1))
        found[f"{name}, frames per CPU-second"] = Figure(results[BEST][0], speed)
        found[f"{name}, size over raw"] = Figure(results[BEST][1], size)
    return found
