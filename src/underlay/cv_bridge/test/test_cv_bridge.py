# SPDX-License-Identifier: Apache-2.0
"""Views, conversions and refusals as upstream's."""

import cv2
import numpy as np
import pytest
from cv_bridge import CvBridge, CvBridgeError, encodings

BRIDGE = CvBridge()


def test_passthrough_is_a_writable_view_of_the_message() -> None:
    message = BRIDGE.cv2_to_imgmsg(np.zeros((4, 6, 3), np.uint8), "rgb8")
    BRIDGE.imgmsg_to_cv2(message)[1, 2] = (7, 8, 9)
    assert list(message.data[18 + 6 : 18 + 9]) == [7, 8, 9]


def test_padded_rows_are_cut_off() -> None:
    message = BRIDGE.cv2_to_imgmsg(np.arange(24, dtype=np.uint8).reshape(4, 6))
    message.width = 4
    assert BRIDGE.imgmsg_to_cv2(message).tolist() == np.arange(24).reshape(4, 6)[:, :4].tolist()


def test_without_an_encoding_only_the_type_is_said() -> None:
    for dtype, shape, encoding in ((np.uint8, (2, 2, 3), "8UC3"), (np.uint16, (2, 2), "16UC1")):
        assert BRIDGE.cv2_to_imgmsg(np.zeros(shape, dtype)).encoding == encoding


def test_big_endian_messages_come_out_right() -> None:
    message = BRIDGE.cv2_to_imgmsg(np.array([[1, 258]], ">u2"))
    assert message.is_bigendian
    assert BRIDGE.imgmsg_to_cv2(message).tolist() == [[1, 258]]


def _image(encoding: str) -> np.ndarray:
    _, channels, dtype = encodings.parse(encoding)
    shape = (4, 4) if channels == 1 else (4, 4, channels)
    return (np.random.default_rng(1).random(shape) * 200).astype(dtype)


def test_colours_and_depths_are_converted() -> None:
    rgb = _image("rgb8")
    message = BRIDGE.cv2_to_imgmsg(rgb, "rgb8")
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message, "bgr8"), rgb[:, :, ::-1])
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message, "mono8"), cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message, "rgb16"), rgb.astype(np.uint16) * 257)
    grey = BRIDGE.cv2_to_imgmsg(np.full((2, 2), 1000, np.uint16), "mono16")
    assert BRIDGE.imgmsg_to_cv2(grey, "mono8").tolist() == [[4, 4], [4, 4]]
    depth = BRIDGE.cv2_to_imgmsg(np.full((2, 2), 1000, np.uint16), "16UC1")
    assert BRIDGE.imgmsg_to_cv2(depth, "32FC1").tolist() == [[1000.0, 1000.0], [1000.0, 1000.0]]
    raw = _image("bayer_rggb8")
    bayer = BRIDGE.cv2_to_imgmsg(raw, "bayer_rggb8")
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(bayer, "bgr8"), cv2.cvtColor(raw, cv2.COLOR_BayerBG2BGR))


@pytest.mark.parametrize(
    ("source", "target", "text"),
    [
        ("16UC1", "mono8", r"\[16UC1\] is not a color format. but \[mono8\] is. The conversion does not make sense"),
        ("32FC1", "mono8", "not a color format"),
        ("8UC3", "bgr8", "not a color format"),
        ("bgr8", "32FC1", "is a color format but"),
        ("rgb8", "foo8", "Unknown encoding foo8"),
        ("rgb8", "bayer_rggb8", "Unsupported conversion"),
    ],
)
def test_what_makes_no_sense_is_refused(source: str, target: str, text: str) -> None:
    with pytest.raises(CvBridgeError, match=text):
        BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(_image(source), source), target)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(CvBridgeError, match="incompatible type 8UC3"):
        BRIDGE.cv2_to_imgmsg(_image("rgb8"), "mono8")
    with pytest.raises(TypeError, match="not a numpy array"):
        BRIDGE.cv2_to_imgmsg([[1]])
    short = BRIDGE.cv2_to_imgmsg(_image("mono8"))
    short.height += 1
    with pytest.raises(TypeError, match="buffer is too small"):
        BRIDGE.imgmsg_to_cv2(short)


def test_compressed_images() -> None:
    bgr = _image("bgr8")
    message = BRIDGE.cv2_to_compressed_imgmsg(bgr, "png")
    assert message.format == "png"
    assert np.array_equal(BRIDGE.compressed_imgmsg_to_cv2(message), bgr)
    assert np.array_equal(BRIDGE.compressed_imgmsg_to_cv2(message, "rgb8"), bgr[:, :, ::-1])
    assert BRIDGE.cv2_to_compressed_imgmsg(bgr).format == "jpg"
    message.data = b"nothing"
    assert BRIDGE.compressed_imgmsg_to_cv2(message) is None
