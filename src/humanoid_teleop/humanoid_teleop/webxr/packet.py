# SPDX-License-Identifier: Apache-2.0
"""What the page sends for each frame of the headset: one packed little-endian record.

Poses are WebXR's: local-floor space (x right, y up, z backwards, metres), quaternions xyzw. The page writes the same
record in `web/src/packet.ts`.
"""

from __future__ import annotations

import numpy as np

from humanoid_core.errors import HumanoidError

VERSION = 1

# `flags`
VISIBLE = 1  # the session has the headset's input: neither asleep nor behind a system menu
RECENTRED = 2  # since the packet before, the headset moved its origin
# `kind` of a hand
NOTHING, CONTROLLER, FINGERS = 0, 1, 2

POSE = np.dtype([("position", "<f4", 3), ("rotation", "<f4", 4)])
HAND = np.dtype(
    [
        ("kind", "u1"),
        ("validity", "u1"),  # as in TrackedPose: 0 lost, 1 inferred, 2 tracked
        ("engaged", "u1"),  # the dead-man
        ("buttons", "u1"),  # bits, in the order of the gamepad's buttons from the third on (xr-standard mapping)
        ("grip", "<f4"),  # NaN where there is none
        ("trigger", "<f4"),
        ("axes", "<f4", 2),
        ("pose", POSE),  # grip space of a controller, wrist joint of bare hands
        ("joints", POSE, 25),  # of bare hands, in WebXR's order
    ]
)
PACKET = np.dtype(
    [
        ("version", "u1"),
        ("flags", "u1"),
        ("head_validity", "u1"),
        ("reserved", "u1"),
        ("sequence", "<u4"),
        ("time", "<f8"),  # of measurement, by the page's clock [ms]
        ("head", POSE),
        ("left", HAND),
        ("right", HAND),
    ]
)


class PacketError(HumanoidError):
    """What a page sent is no packet of ours."""


def read(data: bytes) -> np.void:
    """The record in a packet.

    Raises:
        PacketError: its size or version is another.
    """
    if len(data) != PACKET.itemsize:
        raise PacketError(f"headset packet: found {len(data)} bytes, expected {PACKET.itemsize}: reload the page")
    record = np.frombuffer(data, PACKET)[0]
    if record["version"] != VERSION:
        raise PacketError(f"headset packet: found version {record['version']}, expected {VERSION}: reload the page")
    return record
