# SPDX-License-Identifier: Apache-2.0
"""Packets of a headset become operator frames. Poses are written down as a person would describe them, not computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanoid_core import rotations
from humanoid_core.two_way import STEP, Estimate, TwoWayClock
from humanoid_teleop.operator import INFERRED, LOST, PART_INDEX, TRACKED, OperatorFrame
from humanoid_teleop.webxr import packet
from humanoid_teleop.webxr.packet import PACKET, PacketError
from humanoid_teleop.webxr.session import HeadsetSession, SessionSettings

SETTINGS = SessionSettings(grip_to_wrist=0.1, oldest=0.25)
NOW = 1_700_000_000_000_000_000  # [ns]
UP, DOWN, LEFT, RIGHT, AHEAD, BACK = ((0, 1, 0), (0, -1, 0), (-1, 0, 0), (1, 0, 0), (0, 0, -1), (0, 0, 1))  # WebXR's


class Headset:
    """Writes packets, one every 10 ms."""

    def __init__(self) -> None:
        self.record = np.zeros(1, PACKET)[0]
        self.record["version"] = packet.VERSION
        self.record["flags"] = packet.VISIBLE
        self.record["time"] = NOW * 1e-6
        self.record["head_validity"] = TRACKED
        self.put("head", (0, 1.7, 0), RIGHT, UP)
        for side in ("left", "right"):
            hand = self.record[side]
            hand["grip"] = hand["trigger"] = np.nan
            hand["pose"]["rotation"] = hand["joints"]["rotation"] = (0, 0, 0, 1)

    def put(self, part: str, position, x, y) -> None:
        """Place a part with the given x and y axes of its own."""
        pose = self.record[part] if part == "head" else self.record[part]["pose"]
        pose["position"] = position
        pose["rotation"] = rotations.quaternion(np.column_stack([x, y, np.cross(x, y)]).astype(float))

    def hold(self, side: str, kind: int, engaged: bool = False, validity: int = TRACKED) -> None:
        hand = self.record[side]
        hand["kind"], hand["validity"], hand["engaged"] = kind, validity, engaged

    def next(self, flags: int = packet.VISIBLE) -> tuple[bytes, int]:
        self.record["sequence"] += 1
        self.record["time"] += 10.0
        self.record["flags"] = flags
        return self.record.tobytes(), round(float(self.record["time"]) * 1e6)


def feed(session: HeadsetSession, headset: Headset, flags: int = packet.VISIBLE) -> OperatorFrame:
    data, arrival = headset.next(flags)
    frame = session.feed(data, arrival, None)
    assert frame is not None
    return frame


def axes(frame: OperatorFrame, part: str) -> np.ndarray:
    return rotations.matrix(frame.rotation(part))


def test_the_tracking_frame_stands_under_the_head_and_looks_where_the_person_faces() -> None:
    headset = Headset()
    headset.put("head", (3.0, 1.7, -2.0), BACK, UP)  # facing WebXR's right: the head's own right is backwards
    headset.put("left", (4.0, 1.0, -2.0), BACK, UP)
    headset.hold("left", packet.FINGERS)
    frame = feed(HeadsetSession(SETTINGS), headset)
    assert frame.position("head") == pytest.approx([0, 0, 1.7], abs=1e-6)
    assert axes(frame, "head") == pytest.approx(np.eye(3), abs=1e-6)
    assert frame.position("left_wrist") == pytest.approx([1, 0, 1], abs=1e-6)  # 1 m ahead of them


def test_axes_of_a_bare_hand_palm_down_fingers_ahead() -> None:
    headset = Headset()
    headset.hold("right", packet.FINGERS)
    headset.put("right", (0.2, 1.0, -0.4), RIGHT, UP)  # WebXR joints: -z to the fingertips, y out of the back
    frame = feed(HeadsetSession(SETTINGS), headset)
    assert frame.position("right_wrist") == pytest.approx([0.4, -0.2, 1.0], abs=1e-6)
    assert axes(frame, "right_wrist") == pytest.approx(np.eye(3), abs=1e-6)


@pytest.mark.parametrize(("side", "back_of_hand"), [("left", [0, 1, 0]), ("right", [0, -1, 0])])
def test_axes_of_a_controller_thumb_up_fingers_ahead(side: str, back_of_hand: list[float]) -> None:
    headset = Headset()
    headset.hold(side, packet.CONTROLLER, validity=INFERRED)
    # Grip space: -z to the thumb; x out of the back of the right hand, out of the palm of the left: rightwards in both.
    headset.put(side, (0.0, 1.0, -0.4), RIGHT, BACK)
    frame = feed(HeadsetSession(SETTINGS), headset)
    turned = axes(frame, f"{side}_wrist")
    assert turned[:, 0] == pytest.approx([1, 0, 0], abs=1e-6)
    assert turned[:, 2] == pytest.approx(back_of_hand, abs=1e-6)
    assert frame.position(f"{side}_wrist") == pytest.approx([0.3, 0, 1.0], abs=1e-6)  # 0.1 m behind the grip
    assert frame.validity[PART_INDEX[f"{side}_wrist"]] == INFERRED


def test_finger_joints_keep_webxr_axes_in_the_tracking_frame() -> None:
    headset = Headset()
    headset.put("head", (0, 1.7, 0), BACK, UP)  # facing WebXR's right
    headset.hold("left", packet.FINGERS)
    joints = headset.record["left"]["joints"]
    joints["position"] = np.linspace((1, 1, 0), (1.2, 1, 0), 25)
    joints["rotation"] = rotations.quaternion(np.column_stack([BACK, UP, LEFT]).astype(float))  # -z rightwards: ahead
    hand = feed(HeadsetSession(SETTINGS), headset).left
    assert hand.validity == TRACKED
    assert hand.joint_positions is not None
    assert hand.joint_rotations is not None
    assert hand.joint_positions[-1] == pytest.approx([1.2, 0, 1], abs=1e-6)
    turned = rotations.matrix(hand.joint_rotations[7])
    assert -turned[:, 2] == pytest.approx([1, 0, 0], abs=1e-6)
    assert turned[:, 1] == pytest.approx([0, 0, 1], abs=1e-6)


def test_a_dead_man_counts_only_after_it_was_seen_released() -> None:
    session, headset = HeadsetSession(SETTINGS), Headset()
    headset.hold("left", packet.CONTROLLER, engaged=True)
    assert not feed(session, headset).left.engaged  # squeezed already when the connection began
    headset.hold("left", packet.CONTROLLER, engaged=False)
    feed(session, headset)
    headset.hold("left", packet.CONTROLLER, engaged=True)
    assert feed(session, headset).left.engaged
    assert not feed(session, headset, flags=0).left.engaged  # a system menu
    assert not feed(session, headset).left.engaged


@pytest.mark.parametrize("event", ["connect", "recentre", "recentred", "lost"])
def test_nobody_comes_back_engaged(event: str) -> None:
    session, headset = HeadsetSession(SETTINGS), Headset()
    for engaged in (False, True):
        headset.hold("right", packet.FINGERS, engaged)
        frame = feed(session, headset)
    assert frame.right.engaged
    if event == "lost":
        headset.hold("right", packet.FINGERS, engaged=True, validity=LOST)
        assert not feed(session, headset).right.engaged
        headset.hold("right", packet.FINGERS, engaged=True)
    elif event == "recentred":
        assert not feed(session, headset, packet.VISIBLE | packet.RECENTRED).right.engaged
    else:
        getattr(session, event)()
    assert not feed(session, headset).right.engaged


def test_the_frame_stays_where_it_was_fixed_until_recentred() -> None:
    session, headset = HeadsetSession(SETTINGS), Headset()
    feed(session, headset)
    headset.put("head", (0.5, 1.7, -1.0), RIGHT, UP)
    assert feed(session, headset).position("head") == pytest.approx([1.0, -0.5, 1.7], abs=1e-6)
    session.recentre()
    assert feed(session, headset).position("head") == pytest.approx([0, 0, 1.7], abs=1e-6)


def test_no_frame_before_the_head_is_tracked_upright() -> None:
    session, headset = HeadsetSession(SETTINGS), Headset()
    headset.record["head_validity"] = INFERRED
    assert session.feed(*headset.next(), None) is None
    headset.record["head_validity"] = TRACKED
    headset.put("head", (0, 1.7, 0), RIGHT, AHEAD)  # looking at the floor
    assert session.feed(*headset.next(), None) is None


def test_stamps_are_the_headsets_on_the_hosts_clock() -> None:
    session, headset = HeadsetSession(SETTINGS), Headset()
    data, measured = headset.next()
    clock = Estimate(offset=0, uncertainty=1_000_000)
    frame = session.feed(data, measured + 20_000_000, clock)
    assert frame is not None
    assert frame.stamp == pytest.approx(measured, abs=1000)
    data, measured = headset.next()
    ahead = session.feed(data, measured, Estimate(offset=-5_000_000, uncertainty=10_000_000))
    assert ahead is not None
    assert ahead.stamp == measured  # never later than it arrived


def test_late_lost_and_reordered_packets_are_counted() -> None:
    session, headset = HeadsetSession(SETTINGS), Headset()
    first = headset.next()
    assert session.feed(*first, None)
    assert session.feed(*first, None) is None  # again
    data, measured = headset.next()
    assert session.feed(data, measured + 300_000_000, Estimate(0, 0)) is None
    headset.next()  # never arrives
    assert session.feed(*headset.next(), None)
    assert session.dropped == 3


def test_what_is_no_number_is_lost() -> None:
    session, headset = HeadsetSession(SETTINGS), Headset()
    feed(session, headset)
    headset.hold("left", packet.FINGERS)
    headset.record["left"]["pose"]["position"] = np.nan
    headset.record["head"]["rotation"] = 0.0
    frame = feed(session, headset)
    assert not frame.has("left_wrist")
    assert not frame.has("head")
    headset.record["left"]["pose"]["position"] = 1.0
    headset.record["left"]["joints"]["position"][3] = np.inf
    assert feed(session, headset).left.joint_positions is None


@given(st.one_of(st.binary(max_size=64), st.binary(min_size=PACKET.itemsize, max_size=PACKET.itemsize)))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_frame_or_a_packet_error(data: bytes) -> None:
    try:
        frame = HeadsetSession(SETTINGS).feed(data, NOW, None)
    except PacketError:
        return
    assert frame is None or np.isfinite(frame.positions).all()


def test_the_clock_knows_how_wrong_it_can_be() -> None:
    clock, generator, host = TwoWayClock(), np.random.default_rng(1), NOW
    offset = 123_456_789
    for _ in range(200):
        there, back = (int(generator.exponential(4e6)) + 500_000 for _ in range(2))
        clock.add(host, host + there + offset, host + there + back)
        estimate = clock.estimate
        assert estimate is not None
        assert abs(estimate.offset - offset) <= estimate.uncertainty
        host += 500_000_000
    assert estimate.uncertainty < 3_000_000


def test_a_clock_that_is_set_is_noticed_by_the_next_exchange() -> None:
    clock = TwoWayClock()
    clock.add(0, 1_000_000, 2_000_000)
    clock.add(0, 3 * STEP, 4_000_000)
    assert clock.estimate == Estimate(3 * STEP - 2_000_000, 2_000_000)
    clock.add(5, 0, 4)  # cannot be: received before it was asked
    assert clock.estimate == Estimate(3 * STEP - 2_000_000, 2_000_000)
