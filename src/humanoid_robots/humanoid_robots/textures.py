# SPDX-License-Identifier: Apache-2.0
"""Procedural textures: what a camera sees should have grain, or depth and image models have nothing to hold on to."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from humanoid_robots.scene import Color


def tiles(colors: tuple[Color, Color], pixels: int = 512, across: int = 4) -> np.ndarray:
    """Floor tiles with joints and grain, (pixels, pixels, 3) uint8; repeats seamlessly."""
    random = np.random.default_rng(1)
    step = pixels // across
    rows, columns = np.indices((pixels, pixels))
    odd = ((rows // step + columns // step) % 2)[..., None]
    image = np.where(odd, colors[0], colors[1])
    image = image * (1.0 + 0.05 * random.normal(size=(across, across, 1)).repeat(step, 0).repeat(step, 1))
    joint = ((rows % step < 2) | (columns % step < 2))[..., None]
    image = np.where(joint, 0.55 * image, image)
    return _pixels(image + 0.018 * _noise(random, (pixels, pixels), 0.7)[..., None])


def wood(color: Color, seed: int = 0, pixels: int = 512, boards: int = 4) -> np.ndarray:
    """Boards with grain along the columns, (pixels, pixels, 3) uint8."""
    random = np.random.default_rng((seed, 2) if seed else 2)
    width = pixels // boards
    shade = (1.0 + 0.07 * random.normal(size=boards)).repeat(width)
    grain = _noise(random, (pixels, pixels), (1.2, 40.0)) + 0.6 * _noise(random, (pixels, pixels), (4.0, 90.0))
    image = np.asarray(color) * (shade[:, None] * (1.0 + 0.09 * grain))[..., None]
    image[np.arange(0, pixels, width)] *= 0.6
    return _pixels(image)


def cardboard(color: Color, pixels: int = 256) -> np.ndarray:
    """Kraft board: faint flutes and flecks, (pixels, pixels, 3) uint8."""
    random = np.random.default_rng(3)
    flutes = 0.012 * np.sin(np.arange(pixels) * 2 * np.pi * 32 / pixels)[None, :]
    flecks = np.where(random.random((pixels, pixels)) < 0.012, -0.10, 0.0)
    shade = 0.03 * _noise(random, (pixels, pixels), 12.0) + 0.02 * _noise(random, (pixels, pixels), 0.8)
    return _pixels(np.asarray(color) * (1.0 + flutes + flecks + shade)[..., None])


def plaster(color: Color, pixels: int = 256) -> np.ndarray:
    """A painted wall, (pixels, pixels, 3) uint8."""
    random = np.random.default_rng(4)
    shade = 0.012 * _noise(random, (pixels, pixels), 1.0) + 0.012 * _noise(random, (pixels, pixels), 20.0)
    return _pixels(np.asarray(color) * (1.0 + shade)[..., None])


def label(color: Color, text_seed: int, pixels: int = 128) -> np.ndarray:
    """A white shipping label: coloured field (the goal), a bar code and lines of print; (pixels, pixels, 3) uint8."""
    random = np.random.default_rng(1000 + text_seed)
    image = np.full((pixels, pixels, 3), 0.96)
    unit = pixels // 16
    image[unit : 6 * unit, unit : 15 * unit] = color
    bars = random.random(14 * unit // 2) < 0.5
    image[7 * unit : 11 * unit, unit : 15 * unit][:, bars.repeat(2)] = 0.08
    for line in range(3):
        length = int((5 + 9 * random.random()) * unit)
        top = int((11.8 + 1.2 * line) * unit)
        image[top : top + max(unit // 3, 1), unit : unit + length] = 0.25
    return _pixels(image)


def _noise(random: np.random.Generator, shape: tuple[int, int], blur: float | tuple[float, float]) -> np.ndarray:
    smooth = gaussian_filter(random.normal(size=shape), blur, mode="wrap")
    return np.asarray(smooth / smooth.std())


def _pixels(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((255.0 * np.clip(image, 0.0, 1.0)).round().astype(np.uint8))
