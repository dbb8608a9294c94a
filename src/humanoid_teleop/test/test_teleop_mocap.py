# SPDX-License-Identifier: Apache-2.0
"""Motion-capture streams: packets written here byte by byte from the published formats, and a recorded real stream."""

from __future__ import annotations

import queue
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from humanoid_core import config, rotations
from humanoid_teleop.mocap import mvn, natnet
from humanoid_teleop.mocap.mvn import MvnReader
from humanoid_teleop.mocap.natnet import NatNetReader
from humanoid_teleop.mocap.receiver import Receiver, ReceiverError, Source
from humanoid_teleop.mocap.segments import LivePerson, Sample, Segment, StreamError
from humanoid_teleop.recordings.motion import SkeletonMap

STREAMS = Path(__file__).parents[3] / "config/motions/streams"
IDENTITY = (0.0, 0.0, 0.0, 1.0)
TICKS = 1_000_000  # of the server's clock per second


def packet(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def server(version: tuple[int, int]) -> bytes:
    content = b"Motive".ljust(256, b"\0") + bytes((3, 1, 0, 0)) + bytes((*version, 0, 0)) + struct.pack("<Q", TICKS)
    return packet(natnet.SERVER_INFO, content + struct.pack("<HB4s", 1511, 1, b"\xef\xff*c"))


def sized(version: tuple[int, int], count: int, content: bytes) -> bytes:
    size = struct.pack("<i", len(content)) if version >= (4, 1) else b""
    return struct.pack("<i", count) + size + content


def body(number: int, position=(0.0, 0.0, 0.0), rotation=IDENTITY, tracked: bool = True) -> bytes:
    return struct.pack("<i3f4ffh", number, *position, *rotation, 0.001, int(tracked))


def frame(version: tuple[int, int], number: int, bodies: list[bytes], bones: list[bytes], exposed: int) -> bytes:
    markers = b"all\0" + struct.pack("<i3f", 1, 1.0, 2.0, 3.0)
    labelled = struct.pack("<i3ffhf", 1, 1.0, 2.0, 3.0, 0.01, 0, 0.001)
    plate = struct.pack("<iii2f", 1, 1, 2, 0.5, 0.6)  # id, one channel of two values
    content = struct.pack("<i", number)
    content += sized(version, 1, markers) + sized(version, 1, struct.pack("<3f", 1.0, 2.0, 3.0))
    content += sized(version, len(bodies), b"".join(bodies))
    content += sized(version, 1, struct.pack("<ii", 7, len(bones)) + b"".join(bones))
    if version >= (4, 1):
        content += sized(version, 0, b"")  # assets
    content += sized(version, 1, labelled) + sized(version, 1, plate) + sized(version, 0, b"")
    content += struct.pack("<IIdQQQhi", 0, 0, number / 100.0, exposed, exposed + 5, exposed + 9, 0, 0)
    return packet(natnet.FRAME, content)


def names(version: tuple[int, int]) -> bytes:
    def described(name: bytes, number: int) -> bytes:
        content = name + b"\0" + struct.pack("<ii3f", number, -1, 0.0, 0.0, 0.0)
        content += struct.pack("<i3fi", 1, 0.1, 0.2, 0.3, 1)  # one marker and its label
        return content + (b"marker\0" if version >= (4, 0) else b"")

    def dataset(kind: int, content: bytes) -> bytes:
        size = struct.pack("<i", len(content)) if version >= (4, 1) else b""
        return struct.pack("<i", kind) + size + content

    person = b"Ann\0" + struct.pack("<ii", 7, 2) + described(b"Ann_Hip", 1) + described(b"Ann_Head", 2)
    sets = [
        dataset(0, b"all\0" + struct.pack("<i", 2) + b"a\0b\0"),
        dataset(1, described(b"wand", 4)),
        dataset(2, person),
    ]
    return packet(natnet.NAMES, struct.pack("<i", len(sets)) + b"".join(sets))


@pytest.mark.parametrize("version", [(3, 0), (3, 1), (4, 0), (4, 1)])
def test_natnet_frames_carry_names_poses_and_the_time_of_exposure(version: tuple[int, int]) -> None:
    reader = NatNetReader()
    assert reader.read(server(version)) is None
    assert reader.version == version
    assert reader.read(names(version)) is None
    assert reader.names == ["wand", "Hip", "Head"]
    bones = [body((7 << 16) | 1, (0.0, 1.0, 0.0)), body((7 << 16) | 2, (0.0, 1.7, 0.0), tracked=False)]
    turned = tuple(Rotation.from_euler("y", 30, degrees=True).as_quat())
    sample = reader.read(frame(version, 12, [body(4, (1.0, 2.0, 3.0), turned)], bones, exposed=2_500_000))
    assert sample is not None
    assert (sample.counter, sample.time) == (12, 2.5)
    assert sample.segments["wand"].position == pytest.approx([1, 2, 3])
    assert sample.segments["wand"].rotation == pytest.approx(turned, abs=1e-6)
    assert sample.segments["Head"].position == pytest.approx([0, 1.7, 0])
    assert [sample.segments[name].tracked for name in ("wand", "Hip", "Head")] == [True, True, False]


@given(cut=st.integers(0, 300), at=st.integers(0, 400), value=st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_broken_natnet_packets_are_stream_errors(cut: int, at: int, value: int) -> None:
    version = (4, 1)
    reader = NatNetReader()
    reader.read(server(version))
    whole = bytearray(frame(version, 1, [body(4)], [body(1)], 0))
    whole[at % len(whole)] = value
    for data in (bytes(whole), bytes(whole[:cut])):
        try:
            reader.read(data)
        except StreamError:
            continue


def datagrams(counter: int, segments: dict[str, tuple[tuple, tuple]], per_datagram: int = 12) -> list[bytes]:
    items = [
        struct.pack(">I3f4f", mvn.SEGMENTS.index(name) + 1, *position, w, x, y, z)
        for name, (position, (x, y, z, w)) in segments.items()
    ]
    parts = [items[i : i + per_datagram] for i in range(0, len(items), per_datagram)]
    result = []
    for number, part in enumerate(parts):
        last = 0x80 if number == len(parts) - 1 else 0
        head = (b"MXTP02", counter, number | last, len(part), 1500, 0, 23, 0, 0, 32 * len(part))
        result.append(struct.pack(">6sIBBIBBBB2xH", *head) + b"".join(part))
    return result


T_POSE = {name: ((0.0, 0.1 * index, 1.0), IDENTITY) for index, name in enumerate(mvn.SEGMENTS)}


def test_mvn_samples_are_put_together_from_datagrams() -> None:
    reader, (first, last) = MvnReader(), datagrams(5, T_POSE)
    assert reader.read(first) is None
    sample = reader.read(last)
    assert sample is not None
    assert (sample.counter, sample.time, len(sample.segments)) == (5, 1.5, 23)
    assert sample.segments["LeftToe"].position == pytest.approx([0, 2.2, 1], abs=1e-6)
    assert reader.read(last) is None  # again
    first, last = datagrams(6, T_POSE)
    assert reader.read(last) is None  # its first part was lost
    assert MvnReader(character=1).read(first) is None


@pytest.mark.parametrize("data", [b"", b"nonsense that is long enough to be a header", datagrams(1, T_POSE)[0][:-1]])
def test_what_is_no_mvn_datagram_is_named(data: bytes) -> None:
    with pytest.raises(StreamError, match="MVN"):
        MvnReader().read(data)


def standing(facing_deg: float, up: str) -> dict[str, Segment]:
    """A person in the T-pose of 1.7 m at (3, 2), seen from a system with this axis up; segment names are MVN's."""
    turn = Rotation.from_euler("z", facing_deg, degrees=True)
    # z up to y up: x forward, y left, z up become z forward, x left, y up.
    change = Rotation.identity() if up == "z" else Rotation.from_matrix([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    places = {"Pelvis": (0, 0, 1), "Head": (0, 0, 1.6), "LeftHand": (0, 0.7, 1.4), "RightHand": (0, -0.7, 1.4)}
    segments = {}
    for name, place in places.items():
        position = change.apply(np.array([3.0, 2.0, 0.0]) + turn.apply(place))
        segments[name] = Segment(position, (change * turn * change.inv()).as_quat())
    return segments


def skeleton(name: str) -> SkeletonMap:
    return config.load(SkeletonMap, STREAMS / f"{name}.yaml")


@pytest.mark.parametrize(("name", "up"), [("mvn", "z"), ("motive", "y")])
@pytest.mark.parametrize("facing", [0.0, 110.0, -170.0])
def test_the_person_stands_in_the_tracking_frame(name: str, up: str, facing: float) -> None:
    segments = standing(facing, up)
    if name == "motive":
        bones = {"Pelvis": "Hip", "Head": "Head", "LeftHand": "LHand", "RightHand": "RHand"}
        segments = {bones[key]: segment for key, segment in segments.items()}
    person = LivePerson(skeleton(name), name)
    got = person.frame(Sample(0.0, 0, segments), stamp=1, engaged=True)
    assert got is not None
    assert got.position("head") == pytest.approx([0, 0, 1.6], abs=1e-9)
    assert got.position("left_wrist") == pytest.approx([0, 0.7, 1.4], abs=1e-9)
    assert rotations.matrix(got.rotation("pelvis")) == pytest.approx(np.eye(3), abs=1e-9)
    for side, fingers in (("left", [0, 1, 0]), ("right", [0, -1, 0])):
        hand = rotations.matrix(got.rotation(f"{side}_wrist"))
        assert hand[:, 0] == pytest.approx(fingers, abs=1e-9)
        assert hand[:, 2] == pytest.approx([0, 0, 1], abs=1e-9)
    assert got.left.engaged
    assert not got.has("left_knee")


def test_nothing_before_the_person_is_seen_and_lost_parts_are_lost() -> None:
    person, segments = LivePerson(skeleton("mvn"), "mvn"), standing(0.0, "z")
    hidden = {**segments, "Pelvis": Segment(np.full(3, np.nan), np.array(IDENTITY))}
    assert person.frame(Sample(0.0, 0, hidden), 1, False) is None
    assert person.frame(Sample(0.0, 0, segments), 2, False) is not None
    lost = Segment(segments["LeftHand"].position, segments["LeftHand"].rotation, tracked=False)
    got = person.frame(Sample(0.0, 0, {**segments, "LeftHand": lost}), 3, False)
    assert got is not None
    assert not got.has("left_wrist")
    assert got.has("right_wrist")


# --- over sockets ---


@pytest.fixture
def receive() -> Iterator[Callable[..., tuple[Receiver, queue.Queue]]]:
    running: list[Receiver] = []

    def start(**arguments) -> tuple[Receiver, queue.Queue]:
        taken: queue.Queue = queue.Queue()
        receiver = Receiver(Source(address="127.0.0.1", **arguments), lambda *what: taken.put(what))
        running.append(receiver)
        return receiver, taken

    yield start
    for receiver in running:
        receiver.stop()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_mvn_over_udp_counts_what_is_lost_and_refused(receive) -> None:
    receiver, taken = receive(protocol="mvn", port=free_port())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as suit:
        suit.connect(("127.0.0.1", receiver.port))
        suit.send(b"garbage")
        for counter in (1, 2, 5, 4):  # 3 lost, 4 overtaken
            for data in datagrams(counter, T_POSE):
                suit.send(data)
        for data in datagrams(6, T_POSE):
            suit.send(data)
        got = [taken.get(timeout=20) for _ in range(4)]
    assert [sample.counter for sample, _, _ in got] == [1, 2, 5, 6]
    assert not any(known for _, _, known in got)
    assert receiver.lost == 2
    assert sum(receiver.refused.values()) == 1


def test_a_natnet_server_is_asked_for_names_and_time(receive) -> None:
    """A server whose clock is 1000 s ahead: stamps come out in the host's time."""
    import time

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as motive:
        motive.bind(("127.0.0.1", 0))
        motive.settimeout(20)
        receiver, taken = receive(
            protocol="natnet", port=free_port(), server="127.0.0.1", server_port=motive.getsockname()[1]
        )
        asked: set[int] = set()
        while not {natnet.CONNECT, natnet.REQUEST_NAMES, natnet.ECHO} <= asked or receiver.clock.estimate is None:
            data, address = motive.recvfrom(2000)
            kind = struct.unpack_from("<H", data)[0]
            asked.add(kind)
            if kind == natnet.CONNECT:
                motive.sendto(server((3, 1)), address)
            elif kind == natnet.REQUEST_NAMES:
                motive.sendto(names((3, 1)), address)
            elif kind == natnet.ECHO:
                ticks = time.time_ns() // 1000 + 1_000_000_000
                motive.sendto(packet(natnet.ECHO_ANSWER, data[4:12] + struct.pack("<Q", ticks)), address)
        exposed = time.time_ns() // 1000
        motive.sendto(frame((3, 1), 1, [body(4)], [], exposed + 1_000_000_000), ("127.0.0.1", receiver.port))
        sample, measured, known = taken.get(timeout=20)
    assert known
    assert "wand" in sample.segments
    estimate = receiver.clock.estimate
    assert estimate is not None
    assert abs(measured - exposed * 1000) <= estimate.uncertainty + 2_000_000


def test_an_address_of_somebody_else_is_named() -> None:
    with pytest.raises(ReceiverError, match=r"203\.0\.113\.1"):
        Receiver(Source("mvn", address="203.0.113.1"), lambda *_: None)


# --- a real stream ---


def test_a_recorded_motive_session(shared_data: Path) -> None:
    reader, samples = NatNetReader(), []
    for port, data in udp_packets(shared_data / "mocap_stream/natnet3_motive.pcapng"):
        if port in (natnet.COMMAND_PORT, natnet.DATA_PORT) and (sample := reader.read(data)):
            samples.append(sample)
    assert reader.version == (3, 0)
    assert reader.names == ["RaceQuad"]
    assert len(samples) == 518
    assert np.all(np.diff([sample.counter for sample in samples]) == 1)
    assert np.diff([sample.time for sample in samples][1:]) == pytest.approx(1 / 120, abs=2e-3)
    last = samples[-1].segments["RaceQuad"]
    assert last.tracked
    assert np.linalg.norm(last.rotation) == pytest.approx(1.0, abs=1e-5)


def udp_packets(path: Path) -> Iterator[tuple[int, bytes]]:
    """Source port and content of each UDP packet over IPv4 and Ethernet in a pcapng file (draft-ietf-opsawg-pcapng)."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        kind, length = struct.unpack_from("<II", content, at)
        if kind == 6:  # enhanced packet block
            ethernet = content[at + 28 : at + 28 + struct.unpack_from("<I", content, at + 20)[0]]
            if ethernet[12:14] == b"\x08\x00" and ethernet[23] == 17:
                udp = 14 + 4 * (ethernet[14] & 15)
                yield struct.unpack_from(">H", ethernet, udp)[0], ethernet[udp + 8 :]
        at += length


# --- BVH lines ---

STICK = """HIERARCHY
ROOT hips
{
    OFFSET 0 0 0
    CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
    JOINT head
    {
        OFFSET 0 60 0
        CHANNELS 3 Yrotation Xrotation Zrotation
        End Site
        {
            OFFSET 0 20 0
        }
    }
}
MOTION
Frames: 1
Frame Time: 0.01
0 100 0 0 0 0 0 0 0
"""


def test_lines_of_bvh_over_udp_move_the_skeleton(receive, tmp_path: Path) -> None:
    (tmp_path / "stick.bvh").write_text(STICK)
    receiver, taken = receive(protocol="bvh", port=free_port(), hierarchy=str(tmp_path / "stick.bvh"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as suit:
        suit.connect(("127.0.0.1", receiver.port))
        for line in ("1 2 3", "word 100 0 0 0 0 0 0 0 0", "0 nan 0 0 0 0 0 0 0", "10 100 0 90 0 0 0 0 0"):
            suit.send(line.encode())
        suit.send(b"0 person 10 100 0 0 0 90 0 0 0 ||")
        (plain, _, known), (named, _, _) = (taken.get(timeout=20) for _ in range(2))
    assert not known
    assert sum(receiver.refused.values()) == 3
    assert set(plain.segments) == {"hips", "head"}
    np.testing.assert_allclose(plain.segments["head"].position, [10, 160, 0], atol=1e-9)
    np.testing.assert_allclose(plain.segments["hips"].rotation, [0, np.sqrt(0.5), 0, np.sqrt(0.5)], atol=1e-9)
    np.testing.assert_allclose(named.segments["head"].position, [-50, 100, 0], atol=1e-9)  # leant to the left
    assert named.counter == plain.counter + 1
