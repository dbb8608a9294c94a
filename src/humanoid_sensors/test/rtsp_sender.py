# SPDX-License-Identifier: Apache-2.0
"""Pushes a moving bar to an RTSP receiver as soon as it listens. Arguments: its address, number of pictures."""

import sys
import time
from fractions import Fraction

import av
import numpy as np


def main() -> None:
    """Try for ten seconds."""
    url, count = sys.argv[1], int(sys.argv[2])
    for _ in range(100):
        try:
            with av.open(url, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as output:
                stream = output.add_stream("mpeg4", rate=100)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                for i in range(count):
                    image = np.zeros((48, 64, 3), np.uint8)
                    image[:, i % 64] = 255
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                    frame.pts, frame.time_base = i, Fraction(1, 100)
                    output.mux(stream.encode(frame))
                output.mux(stream.encode())
            return
        except (OSError, av.FFmpegError):  # it does not listen yet
            time.sleep(0.1)


if __name__ == "__main__":
    main()
