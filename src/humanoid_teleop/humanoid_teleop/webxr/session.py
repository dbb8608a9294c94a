# SPDX-License-Identifier: Apache-2.0
"""From the packets of a headset to operator frames: axes, time, and when a dead-man counts.

WebXR: https://www.w3.org/TR/webxr-1 (spaces, grip space) and https://www.w3.org/TR/webxr-hand-input-1 (joints).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humanoid_core import rotations
from humanoid_core.two_way import Estimate
from humanoid_teleop.operator import LOST, SIDES, TRACKED, Hand, OperatorFrame
from humanoid_teleop.webxr import packet

SOURCE = "webxr"

# WebXR's axes (x right, y up, z backwards) to the tracking frame's (x forward, y left, z up).
TRACKING_FROM_XR = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
# The operator wrist's axes (x along the fingers, z out of the back of the hand) in those of ...
JOINT_FROM_WRIST = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])  # ... a WebXR joint: -z, y
GRIP_FROM_WRIST = {  # ... a grip space: fingers at -y; the back of the hand at -x (left), x (right)
    "left": np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "right": np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
}


@dataclass(frozen=True)
class SessionSettings:
    """How packets become frames.

    Attributes:
        grip_to_wrist: From the middle of a controller's grip back to the wrist, against the fingers [m].
        oldest: Packets that took longer than this are dropped [s].
    """

    grip_to_wrist: float
    oldest: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.grip_to_wrist <= 0.3:
            raise ValueError(f"grip_to_wrist {self.grip_to_wrist}: must be 0 to 0.3 m")
        if not 0.0 < self.oldest <= 10.0:
            raise ValueError(f"oldest {self.oldest}: must be above 0, at most 10 s")


class HeadsetSession:
    """One operator at a headset, over as many connections as it takes.

    The tracking frame is fixed by the first tracked head: origin on the floor under it, x where it faces. It is fixed
    anew on `recentre` and when the headset moves its own origin.

    A dead-man counts only once it was seen released: after connecting, after sleep or a system menu, after the origin
    moved, and for a hand whose tracking was lost. So nobody comes back engaged by accident.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._sequence = 0
        self.dropped = 0
        self.connect()
        self._origin: np.ndarray | None = None
        self._heading = np.eye(3)

    def connect(self) -> None:
        """A connection begins: its clock, counters and dead-men are new."""
        self._last_time = -np.inf
        self._last_count: int | None = None
        self._armed = dict.fromkeys(SIDES, False)

    def recentre(self) -> None:
        """Fix the tracking frame anew with the next tracked head."""
        self._origin = None

    def feed(self, data: bytes, arrival: int, clock: Estimate | None) -> OperatorFrame | None:
        """The frame of a packet; None where it is late, out of order, or the tracking frame is not known yet.

        Args:
            data: The packet.
            arrival: By the host's clock [ns].
            clock: Headset clock against the host's; None: stamped on arrival.

        Raises:
            PacketError: it is none of ours.
        """
        record = packet.read(data)
        self._count(int(record["sequence"]))
        time = float(record["time"])
        if not np.isfinite(time) or time <= self._last_time:
            self.dropped += 1
            return None
        self._last_time = time
        stamp = arrival if clock is None else min(arrival, round(time * 1e6) - clock.offset)
        if arrival - stamp > self._settings.oldest * 1e9:
            self.dropped += 1
            return None
        flags = int(record["flags"])
        if flags & packet.RECENTRED:
            self.recentre()
        if not flags & packet.VISIBLE or flags & packet.RECENTRED:
            self._armed = dict.fromkeys(SIDES, False)
        head = _pose(record["head"], int(record["head_validity"]))
        if self._origin is None and not self._fix_origin(head):
            return None
        frame = OperatorFrame(stamp, SOURCE, self._sequence)
        self._sequence = (self._sequence + 1) % 2**32
        if head is not None:
            position, rotation, validity = head
            rotation = rotation @ TRACKING_FROM_XR.T
            frame.set("head", self._place(position), self._turn(rotation), validity)
        for side in SIDES:
            self._add_hand(frame, side, record[side], visible=bool(flags & packet.VISIBLE))
        return frame

    def farewell(self, stamp: int) -> OperatorFrame:
        """The frame that says that nothing is tracked any more, hands released."""
        frame = OperatorFrame(stamp, SOURCE, self._sequence)
        self._sequence = (self._sequence + 1) % 2**32
        return frame

    # --- parts ---

    def _count(self, sequence: int) -> None:
        if self._last_count is not None:
            self.dropped += max(0, (sequence - self._last_count) % 2**32 - 1) if sequence != self._last_count else 0
        self._last_count = sequence

    def _fix_origin(self, head: tuple[np.ndarray, np.ndarray, int] | None) -> bool:
        if head is None or head[2] != TRACKED:
            return False
        position, rotation, _ = head
        forward = -rotation[:, 2]
        if np.hypot(forward[0], forward[2]) < 0.3:  # looking at the floor or the ceiling: where they face is not known
            return False
        forward = TRACKING_FROM_XR @ np.array([forward[0], 0.0, forward[2]])
        forward /= np.linalg.norm(forward)
        left = np.cross([0.0, 0.0, 1.0], forward)
        self._heading = np.array([forward, left, [0.0, 0.0, 1.0]]) @ TRACKING_FROM_XR
        self._origin = np.array([position[0], 0.0, position[2]])
        self._armed = dict.fromkeys(SIDES, False)
        return True

    def _place(self, positions: np.ndarray) -> np.ndarray:
        """WebXR positions (..., 3) in the tracking frame."""
        return np.asarray((positions - self._origin) @ self._heading.T)

    def _turn(self, rotation: np.ndarray) -> np.ndarray:
        """Quaternion xyzw in the tracking frame of a rotation matrix whose rows are WebXR's axes."""
        return rotations.quaternion(self._heading @ rotation)

    def _add_hand(self, frame: OperatorFrame, side: str, record: np.void, visible: bool) -> None:
        hand: Hand = frame.hand(side)
        hand.grip, hand.trigger = (
            float(np.clip(record[name], 0.0, 1.0)) if np.isfinite(record[name]) else float("nan")
            for name in ("grip", "trigger")
        )
        hand.axes = [float(value) for value in np.clip(np.nan_to_num(record["axes"]), -1.0, 1.0)]
        hand.buttons = [bool(int(record["buttons"]) >> bit & 1) for bit in range(8)]
        kind, pose = int(record["kind"]), _pose(record["pose"], int(record["validity"]))
        tracked = visible and pose is not None and kind in (packet.CONTROLLER, packet.FINGERS)
        wanted = bool(record["engaged"])
        self._armed[side] = tracked and (self._armed[side] or not wanted)
        hand.engaged = self._armed[side] and wanted
        if pose is None or not tracked:
            return
        position, rotation, validity = pose
        axes = rotation @ (JOINT_FROM_WRIST if kind == packet.FINGERS else GRIP_FROM_WRIST[side])
        if kind == packet.CONTROLLER:
            position = position - self._settings.grip_to_wrist * axes[:, 0]
        frame.set(f"{side}_wrist", self._place(position), self._turn(axes), validity)
        if kind == packet.FINGERS:
            self._add_fingers(hand, record["joints"], validity)

    def _add_fingers(self, hand: Hand, joints: np.ndarray, validity: int) -> None:
        positions = joints["position"].astype(float)
        turns = [rotations.normalised(joint) for joint in joints["rotation"].astype(float)]
        if not np.isfinite(positions).all() or any(turn is None for turn in turns):
            return
        heading = rotations.quaternion(self._heading)
        hand.validity = validity
        hand.joint_positions = self._place(positions)
        hand.joint_rotations = np.array([rotations.multiply(heading, turn) for turn in turns if turn is not None])


def _pose(record: np.void, validity: int) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Position (3,), rotation matrix (3, 3) and validity of a pose; None where it is lost or no pose."""
    position, turn = record["position"].astype(float), rotations.normalised(record["rotation"].astype(float))
    if validity == LOST or turn is None or not np.isfinite(position).all():
        return None
    return position, rotations.matrix(turn), min(validity, TRACKED)
