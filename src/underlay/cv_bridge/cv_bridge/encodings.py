# SPDX-License-Identifier: Apache-2.0
"""Image encodings: what an encoding's name says, and conversion between two of them."""

import re

import cv2
import numpy as np

_DEPTHS = {"8U": "uint8", "8S": "int8", "16U": "uint16", "16S": "int16", "32S": "int32", "32F": "float32"} | {
    "64F": "float64"
}
_GENERIC = re.compile(r"(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?")
# Colour of each encoding; its channels and depth.
_COLORS = {"yuv422": ("UYVY", 2, "8U"), "yuv422_yuy2": ("YUY2", 2, "8U")}
for _bits in (8, 16):
    _COLORS[f"mono{_bits}"] = ("GRAY", 1, f"{_bits}U")
    for _name in ("rgb", "bgr", "rgba", "bgra"):
        _COLORS[f"{_name}{_bits}"] = (_name.upper(), len(_name), f"{_bits}U")
    # OpenCV names a pattern by its second row.
    for _name, _code in (("rggb", "BG"), ("bggr", "RG"), ("gbrg", "GR"), ("grbg", "GB")):
        _COLORS[f"bayer_{_name}{_bits}"] = (f"Bayer{_code}", 1, f"{_bits}U")


def parse(encoding: str) -> tuple[str, int, str] | None:
    """Colour ("" for none), number of channels and depth such as "8U"; None if the encoding is not known."""
    if encoding in _COLORS:
        return _COLORS[encoding]
    found = _GENERIC.fullmatch(encoding)
    return ("", int(found[2] or 1), found[1]) if found else None


def dtype_of(depth: str) -> np.dtype:
    """NumPy's type of a depth."""
    return np.dtype(_DEPTHS[depth])


def depth_of(dtype: np.dtype) -> str:
    """Depth of a NumPy type. Raises KeyError for one that OpenCV lacks."""
    return {name: depth for depth, name in _DEPTHS.items()}[dtype.name]


def cv_type(encoding: str) -> int:
    """OpenCV's number of an encoding.

    Raises:
        RuntimeError: the encoding is not known.
    """
    parsed = parse(encoding)
    if parsed is None:
        raise RuntimeError(f"Unrecognized image encoding [{encoding}]")
    return list(_DEPTHS).index(parsed[2]) + ((parsed[1] - 1) << 3)


def _known(encoding: str) -> tuple[str, int, str]:
    parsed = parse(encoding)
    if parsed is None:
        raise RuntimeError(f"Unknown encoding {encoding}")
    return parsed


def _color_code(source: str, target: str) -> int | None:
    if source in ("UYVY", "YUY2"):
        name = f"COLOR_YUV2{target}_{source}"
    elif source.startswith("Bayer") and len(target) == 4 and target != "GRAY":
        return None  # OpenCV could, upstream does not
    else:
        name = f"COLOR_{source}2{target}"
    return getattr(cv2, name, None)


def _change_depth(image: np.ndarray, source: str, target: str) -> np.ndarray:
    scale = {("8U", "16U"): 65535 / 255, ("16U", "8U"): 255 / 65535}.get((source, target), 1.0)
    wanted = dtype_of(target)
    if wanted.kind == "f":
        return (image * scale).astype(wanted) if scale != 1.0 else image.astype(wanted)
    limits = np.iinfo(wanted)
    return np.clip(np.rint(image * scale), limits.min, limits.max).astype(wanted)


def convert(image: np.ndarray, source: str, target: str) -> np.ndarray:
    """A copy of an image in another encoding.

    Args:
        image: Pixels, (h, w) or (h, w, channels), of the type that the source encoding says.
        source: Encoding of the pixels.
        target: Encoding that is wanted.

    Raises:
        RuntimeError: an encoding is not known, or there is no way from one to the other.
    """
    if source == target:
        return image.copy()
    color, channels, depth = _known(source)
    wanted_color, wanted_channels, wanted_depth = _known(target)
    if not color and wanted_color:
        raise RuntimeError(f"[{source}] is not a color format. but [{target}] is. The conversion does not make sense")
    if not wanted_color and channels != wanted_channels:
        if color:
            raise RuntimeError(
                f"[{source}] is a color format but [{target}] is not so they must have the same OpenCV type, "
                "CV_8UC3, CV16UC1 ...."
            )
        raise RuntimeError(f"[{source}] and [{target}] do not have the same number of channel")
    if wanted_color and color != wanted_color:
        code = _color_code(color, wanted_color)
        if code is None:
            raise RuntimeError(f"Unsupported conversion from [{source}] to [{target}]")
        try:
            image = cv2.cvtColor(image, code)
        except cv2.error as reason:
            raise RuntimeError(str(reason)) from reason
    elif not image.size:
        raise RuntimeError(f"cannot convert an empty image from [{source}] to [{target}]")
    return _change_depth(image, depth, wanted_depth) if depth != wanted_depth else image.copy()
