# SPDX-License-Identifier: Apache-2.0
"""From sockets and captures to sweeps: what a device does to its driver."""

from __future__ import annotations

import socket
import struct
import threading
import time

import lidar_packets
import numpy as np
import pytest

from humanoid_sensors import pcap
from humanoid_sensors.device import Runner
from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.health import Health
from humanoid_sensors.lidar import livox_control
from humanoid_sensors.lidar.cloud import Sweep
from humanoid_sensors.lidar.device import LidarDevice
from humanoid_sensors.lidar.livox import ImuSample, Mid360
from humanoid_sensors.lidar.livox_control import LivoxControl
from humanoid_sensors.network import CaptureSource, UdpSource
from humanoid_sensors.timing import HostTime

START = 1_700_000_000 * 10**9


def udp_frame(payload: bytes, port: int, identity: int = 0, part: tuple[int, bool] = (0, False)) -> bytes:
    """Ethernet frame with one IPv4 packet, or with one fragment of it: its offset and whether more follow."""
    flags = part[0] // 8 | (0x2000 if part[1] else 0)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identity, flags, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2"
    )
    return bytes(12) + b"\x08\x00" + head + payload


def capture(path, datagrams: list[tuple[int, int, bytes]], cut: int = 0) -> None:
    """A pcap of (time [ns], port, payload), large ones in two fragments; `cut` bytes are missing at its end."""
    data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    for number, (stamp, port, payload) in enumerate(datagrams):
        packet = struct.pack(">HHHH", 5000, port, 8 + len(payload), 0) + payload
        parts = [(packet[:1480], 0, True), (packet[1480:], 1480, False)] if len(packet) > 1480 else [(packet, 0, False)]
        for piece, offset, more in parts:
            frame = udp_frame(piece, port, number, (offset, more))
            data += struct.pack("<IIII", *divmod(stamp, 10**9), len(frame), len(frame)) + frame
    path.write_bytes(data[: len(data) - cut])


def points(count: int) -> list[tuple[int, int, bytes]]:
    return [
        (START + i * 480_000, 56301, lidar_packets.mid360(np.ones((96, 3)), START + i * 480_000, i))
        for i in range(count)
    ]


def drained(device: LidarDevice) -> list[Sweep | ImuSample]:
    device.open()
    read: list[Sweep | ImuSample] = []
    try:
        while True:
            read += device.read()
    except EOFError:
        return read
    finally:
        device.close()


def test_a_capture_becomes_sweeps_and_imu_samples(tmp_path):
    file = tmp_path / "mid360.pcap"
    imu = (START + 1, 56401, lidar_packets.mid360_imu((0, 0, 0), (0, 0, 1), START))
    capture(file, [imu, *points(300), (START, 9, b"another program")])
    source = CaptureSource(file, (56301, 56401), paced=False)
    read = drained(LidarDevice("chest", source, Mid360("chest"), 56401))
    assert [type(item) for item in read] == [ImuSample, Sweep, Sweep]
    assert [item.datagrams for item in read[1:]] == [209, 91]


def test_fragments_are_put_together_and_a_cut_off_end_is_left_out(tmp_path):
    file = tmp_path / "large.pcap"
    payloads = [bytes([i]) * (1400 + 300 * i) for i in range(3)]
    capture(file, [(START + i, 7502, payload) for i, payload in enumerate(payloads)])
    assert [one.payload for one in pcap.read(file)] == payloads
    capture(file, [(START + i, 7502, payload) for i, payload in enumerate(payloads)], cut=10)
    assert [one.payload for one in pcap.read(file)] == payloads[:2]


def test_what_is_no_capture_is_named(tmp_path):
    file = tmp_path / "notes.pcap"
    with pytest.raises(DeviceError, match=r"notes\.pcap"):
        list(pcap.read(file))
    file.write_text("dear diary, today I recorded a LiDAR")
    with pytest.raises(DeviceError, match=r"notes.pcap.*6465"):
        list(pcap.read(file))


def test_one_bad_datagram_costs_only_itself(tmp_path):
    file = tmp_path / "mid360.pcap"
    good = points(20)
    capture(file, [*good[:10], (START, 56301, b"garbage"), *good[10:]])
    health, sweeps, said = Health("chest"), [], []
    runner = Runner(
        LidarDevice("chest", CaptureSource(file, paced=False), Mid360("chest")), sweeps.append, health, said.append
    )
    runner.start()
    while runner.alive:
        time.sleep(0.005)
    runner.stop()
    assert [(sweep.datagrams, sweep.lost) for sweep in sweeps] == [(20, 0)]
    assert health.report().message.startswith("chest: found 7 bytes")
    assert [line for line in said if "garbage" in line or "7 bytes" in line]


def test_udp_with_the_kernels_time_and_only_from_the_device():
    source = UdpSource("chest", (0,), sender="127.0.0.1", address="127.0.0.1")
    source.open()
    other = UdpSource("chest", (0,), sender="192.0.2.7", address="127.0.0.1")
    other.open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for port in (*source.ports, *other.ports):
            sender.sendto(b"points", ("127.0.0.1", port))
        assert [(port, payload) for port, payload, _ in source.read()] == [(source.ports[0], b"points")]
        assert list(other.read()) == []

        def read_later() -> int:
            """How long after it was sent a datagram has its time, though it is read 20 ms later [ns]."""
            sender.sendto(b"points", ("127.0.0.1", source.ports[0]))
            sent = time.time_ns()
            time.sleep(0.02)
            ((_, _, arrival),) = source.read()
            return arrival - sent

        # Linux begins to time datagrams some moments after the first socket asks for it; until then, at reading.
        end = time.monotonic() + 30.0
        while read_later() >= 20_000_000:
            assert time.monotonic() < end, "datagrams have the time of their reading, not that of their arrival"
    with pytest.raises(DeviceLost, match=rf"chest.*{source.ports[0]}"):
        UdpSource("chest", source.ports, address="127.0.0.1").open()
    source.close()
    other.close()


class FakeMid360(threading.Thread):
    """The command port of a Mid-360: tells its firmware, takes settings."""

    def __init__(self, firmware: bytes, refuse: int = 0, deaf: int = 0) -> None:
        super().__init__(daemon=True)
        self.line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.line.bind(("127.0.0.1", 0))
        self.line.settimeout(5.0)
        self.port = self.line.getsockname()[1]
        self.firmware, self.refuse, self.deaf = firmware, refuse, deaf
        self.set: dict[int, bytes] = {}

    def run(self) -> None:
        while not self.set:
            try:
                datagram, sender = self.line.recvfrom(2048)
            except OSError:
                return
            if self.deaf:
                self.deaf -= 1
                continue
            sequence, command, _, data = livox_control.unpacked("host", datagram)
            if command == 0x0101:
                answer = struct.pack("<BHHH", 0, 1, 0x8002, 4) + self.firmware
            else:
                at, count = 4, struct.unpack_from("<H", data)[0]
                for _ in range(count):
                    key, length = struct.unpack_from("<HH", data, at)
                    self.set[key] = data[at + 4 : at + 4 + length]
                    at += 4 + length
                answer = struct.pack("<BH", self.refuse, 0x001A if self.refuse else 0)
            self.line.sendto(livox_control.packed(sequence, command, 1, 1, answer), sender)


def control(fake: FakeMid360, **arguments) -> LivoxControl:
    fake.start()
    return LivoxControl(
        "chest", "127.0.0.1", "192.168.1.5", (56301, 56401), timeout=0.3, command_port=fake.port, **arguments
    )


def test_a_mid360_is_told_where_to_send_and_starts_though_a_command_gets_lost():
    fake = FakeMid360(bytes([13, 18, 1, 1]), deaf=1)
    control(fake, firmware="13.18.1.1").set_up()
    assert fake.set[0x0006] == bytes([192, 168, 1, 5]) + struct.pack("<HH", 56301, 56300)
    assert fake.set[0x001A] == b"\x01"


def test_an_old_firmware_is_named():
    fake = FakeMid360(bytes([13, 9, 0, 2]))
    with pytest.raises(DeviceError, match=r"chest: found firmware 13.9.0.2, expected 13.18.1.1 or newer"):
        control(fake, firmware="13.18.1.1").set_up()
    fake.line.close()


def test_a_refusal_is_named():
    with pytest.raises(DeviceError, match=r"chest: found refusal 3 of key 0x001a"):
        control(FakeMid360(bytes([13, 18, 1, 1]), refuse=3)).set_up()


def test_a_mid360_that_is_away_is_lost():
    fake = FakeMid360(b"", deaf=10)
    with pytest.raises(DeviceLost, match="chest: found no answer"):
        control(fake).set_up()
    fake.line.close()


def test_host_time_takes_the_shortest_way_and_follows_drift():
    rng = np.random.default_rng(1)
    time_of = HostTime(window=5.0)
    offset, drift = 7_000_000_123, 50e-6
    errors = []
    for i in range(1000):
        true = i * 10**8
        device = round(true * (1 + drift))
        arrival = true + offset + 200_000 + round(rng.exponential(2e6))
        errors.append(time_of.host(device, arrival) - (true + offset))
    assert min(errors) > 0
    assert max(errors[20:]) < 200_000 + 600_000  # least delay, drift in the window, what chance leaves


def test_health_says_rate_latency_losses_and_faults():
    now = [0.0]
    health = Health("chest", rate=10.0, clock=lambda: now[0])
    for _ in range(10):
        health.reading(0.004, lost=1)
    now[0] = 1.0
    report = health.report()
    assert (report.healthy, report.values["rate_hz"], report.values["lost"]) == (True, "10.0", "10")
    assert report.values["latency_mean_ms"] == "4.00"
    for _ in range(7):
        health.reading(0.004)
    now[0] = 2.0
    assert health.report().message == "chest: 7.0 Hz, 10 wanted"
    now[0] = 3.0
    assert health.report().message == "chest: silent"
    health.fault(DeviceError("chest", "smoke", "none"))
    now[0] = 4.0
    assert health.report().message == "chest: found smoke, expected none"
