# SPDX-License-Identifier: Apache-2.0
"""Image encodings: what an encoding's name says, and conversion between two of them."""

import re

import cv2
import numpy as np


class CvBridgeError(TypeError):
    """An image cannot be converted as asked."""


_DEPTHS = {"8U": "uint8", "8S": "int8", "16U": "uint16", "16S": "int16", "32S": "int32", "32F": "float32"} | {
    "64F": "float64"
}
_GENERIC = re.compile(r"(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?")
# Colour of each encoding; its channels and NumPy type.
_COLORS = {"yuv422": ("UYVY", 2, "uint8"), "yuv422_yuy2": ("YUY2", 2, "uint8")}
for _bits in (8, 16):
    _COLORS[f"mono{_bits}"] = ("GRAY", 1, f"uint{_bits}")
    for _name in ("rgb", "bgr", "rgba", "bgra"):
        _COLORS[f"{_name}{_bits}"] = (_name.upper(), len(_name), f"uint{_bits}")
    # OpenCV names a pattern by its second row.
    for _name, _code in (("rggb", "BG"), ("bggr", "RG"), ("gbrg", "GR"), ("grbg", "GB")):
        _COLORS[f"bayer_{_name}{_bits}"] = (f"Bayer{_code}", 1, f"uint{_bits}")


def parse(encoding: str) -> tuple[str, int, str]:
    """Colour ("" for none), number of channels and NumPy type.

    Raises:
        CvBridgeError: the encoding is not known.
    """
    if encoding in _COLORS:
        return _COLORS[encoding]
    found = _GENERIC.fullmatch(encoding)
    if found is None:
        raise CvBridgeError(f"Unknown encoding {encoding}")
    return "", int(found[2] or 1), _DEPTHS[found[1]]


def depth_of(dtype: np.dtype) -> str:
    """Depth, such as "8U", of a NumPy type. Raises KeyError for one that OpenCV lacks."""
    return {name: depth for depth, name in _DEPTHS.items()}[dtype.name]


def _color_code(source: str, target: str) -> int | None:
    if source in ("UYVY", "YUY2"):
        name = f"COLOR_YUV2{target}_{source}"
    elif source.startswith("Bayer") and len(target) == 4 and target != "GRAY":
        return None  # OpenCV could, upstream does not
    else:
        name = f"COLOR_{source}2{target}"
    return getattr(cv2, name, None)


def _change_type(image: np.ndarray, target: str) -> np.ndarray:
    scales = {("uint8", "uint16"): 65535 / 255, ("uint16", "uint8"): 255 / 65535}
    scaled = image * scales.get((image.dtype.name, target), 1)
    if np.dtype(target).kind == "f":
        return scaled.astype(target)
    limits = np.iinfo(target)
    return np.clip(np.rint(scaled), limits.min, limits.max).astype(target)


def convert(image: np.ndarray, source: str, target: str) -> np.ndarray:
    """A copy of an image in another encoding.

    Args:
        image: Pixels, (h, w) or (h, w, channels), of the type that the source encoding says.
        source: Encoding of the pixels.
        target: Encoding that is wanted.

    Raises:
        CvBridgeError: an encoding is not known, or there is no way from one to the other.
    """
    if source == target:
        return image.copy()
    color, channels, _ = parse(source)
    wanted_color, wanted_channels, wanted_type = parse(target)
    if not color and wanted_color:
        raise CvBridgeError(f"[{source}] is not a color format. but [{target}] is. The conversion does not make sense")
    if not wanted_color and channels != wanted_channels:
        if color:
            raise CvBridgeError(
                f"[{source}] is a color format but [{target}] is not so they must have the same OpenCV type, "
                "CV_8UC3, CV16UC1 ...."
            )
        raise CvBridgeError(f"[{source}] and [{target}] do not have the same number of channel")
    if wanted_color and color != wanted_color:
        code = _color_code(color, wanted_color)
        if code is None:
            raise CvBridgeError(f"Unsupported conversion from [{source}] to [{target}]")
        try:
            image = cv2.cvtColor(image, code)
        except cv2.error as reason:
            raise CvBridgeError(str(reason)) from reason
    elif not image.size:
        raise CvBridgeError(f"cannot convert an empty image from [{source}] to [{target}]")
    return _change_type(image, wanted_type) if image.dtype.name != wanted_type else image.copy()
