# SPDX-License-Identifier: Apache-2.0
"""The bridge between image messages and arrays."""

import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge import encodings
from cv_bridge.encodings import CvBridgeError


class CvBridge:
    """Converts both ways; it has no state."""

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> np.ndarray:
        """An image message as an array.

        Args:
            img_msg: The message.
            desired_encoding: "passthrough" for a view of the message's own data (a copy if rows are padded or bytes
                have to be swapped), or an encoding to convert to.

        Returns:
            Pixels, (h, w) for one channel or (h, w, channels).

        Raises:
            CvBridgeError: an encoding is not known, or there is no way to the desired one.
            TypeError: there is less data than height and step say.
        """
        _, channels, name = encodings.parse(img_msg.encoding)
        dtype = np.dtype(name).newbyteorder(">" if img_msg.is_bigendian else "<")
        data = np.asarray(img_msg.data, dtype) if isinstance(img_msg.data, list) else img_msg.data
        shape = (img_msg.height, img_msg.step // dtype.itemsize // channels)
        image = np.ndarray(shape if channels == 1 else (*shape, channels), dtype, data)
        image = np.ascontiguousarray(image[:, : img_msg.width])
        if img_msg.is_bigendian == (sys.byteorder == "little"):
            image = image.astype(dtype.newbyteorder("="))
        return (
            image if desired_encoding == "passthrough" else encodings.convert(image, img_msg.encoding, desired_encoding)
        )

    def cv2_to_imgmsg(self, cvim: np.ndarray, encoding: str = "passthrough", header: Header | None = None) -> Image:
        """An array as an image message.

        Args:
            cvim: Pixels, (h, w) or (h, w, channels).
            encoding: What they mean; "passthrough" says only type and channels, such as "8UC3".
            header: Header of the message.

        Raises:
            CvBridgeError: the encoding is not known or does not fit the array.
            TypeError: `cvim` is not an array.
        """
        if not isinstance(cvim, (np.ndarray, np.generic)):
            raise TypeError("Your input type is not a numpy array")
        channels = 1 if cvim.ndim < 3 else cvim.shape[2]
        found = f"{encodings.depth_of(cvim.dtype)}C{channels}"
        message = Image(height=cvim.shape[0], width=cvim.shape[1])
        if header is not None:
            message.header = header
        message.encoding = found if encoding == "passthrough" else encoding
        if encodings.parse(message.encoding)[1:] != (channels, cvim.dtype.name):
            raise CvBridgeError(f"encoding specified as {encoding}, but image has incompatible type {found}")
        message.is_bigendian = cvim.dtype.byteorder == ">"
        message.data.frombytes(np.ascontiguousarray(cvim).reshape(-1).view(np.uint8).data)
        message.step = len(message.data) // message.height
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> np.ndarray | None:
        """A compressed image message as an array, BGR if it has colours; None if it cannot be decoded."""
        data = np.frombuffer(cmprs_img_msg.data, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if desired_encoding == "passthrough":
            return image
        if image is None:
            raise CvBridgeError("the message cannot be decoded")
        return encodings.convert(image, "bgr8", desired_encoding)

    def cv2_to_compressed_imgmsg(self, cvim: np.ndarray, dst_format: str = "jpg") -> CompressedImage:
        """An array, BGR if it has colours, as a compressed message whose `format` is the file format's name.

        Raises:
            CvBridgeError: OpenCV cannot write such an image in that format.
            TypeError: `cvim` is not an array.
        """
        if not isinstance(cvim, (np.ndarray, np.generic)):
            raise TypeError("Your input type is not a numpy array")
        message = CompressedImage(format=dst_format)
        try:
            message.data.frombytes(cv2.imencode(f".{dst_format}", cvim)[1].data)
        except cv2.error as reason:
            raise CvBridgeError(str(reason)) from reason
        return message
