# SPDX-License-Identifier: Apache-2.0
"""Tactile arrays: registers of a Modbus server on this machine to values, layouts, wrong devices, drift and touches."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusTcpServer

from humanoid_core.errors import ConfigError
from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.tactile import layout
from humanoid_sensors.tactile.layout import Check, Layout, Pad
from humanoid_sensors.tactile.modbus import ModbusTactile, client
from humanoid_sensors.tactile.zeroing import Zero

CONFIG = Path(__file__).parents[1] / "config"


class Hand:
    """A Modbus TCP server with registers that count up from -20."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._up.wait(20.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)

        async def serve() -> None:
            values = [(i - 20) & 0xFFFF for i in range(400)]
            block = ModbusSequentialDataBlock(3001, values)  # the device's context adds one to each address
            context = ModbusServerContext(devices=ModbusDeviceContext(hr=block), single=True)
            self._server = ModbusTcpServer(context, address=("127.0.0.1", self.port))
            await self._server.listen()
            self._up.set()

        self._loop.run_until_complete(serve())
        self._loop.run_forever()

    def close(self) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(20.0)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(20.0)


@pytest.fixture
def hand() -> Iterator[Hand]:
    made = Hand()
    yield made
    made.close()


PADS = {
    "tip": Pad("tip_pad", 3000, 2, 3, pitch=(0.004, 0.003), scale=0.5),
    "palm": Pad("palm_pad", 3010, 20, 8, transposed=True),  # more than one question
}


def device(hand: Hand, rate: float = 100.0, **changes) -> ModbusTactile:
    made = Layout(**{"pads": PADS, **changes})
    return ModbusTactile("right hand", client(f"127.0.0.1:{hand.port}", 0), made, rate)


def touches(made: ModbusTactile, count: int) -> list:
    found: list = []
    end = time.monotonic() + 20.0
    while len(found) < count and time.monotonic() < end:
        found += made.read()
    return found


def test_registers_become_values_by_the_layout(hand):
    made = device(hand)
    made.open()
    before = time.time_ns()
    first, second = touches(made, 2)
    np.testing.assert_allclose(first.values["tip"], 0.5 * np.arange(-20, -14))
    counts = np.arange(-10, 150)
    np.testing.assert_allclose(first.values["palm"].reshape(20, 8), counts.reshape(8, 20).T)
    assert before < first.stamp < second.stamp < time.time_ns()
    made.close()
    unsigned = device(hand, signed=False)
    unsigned.open()
    assert touches(unsigned, 1)[0].values["tip"][0] == 0.5 * 65516
    unsigned.close()


def test_readings_that_are_due_and_not_made_are_lost(hand):
    made = device(hand, rate=1000.0)
    made.open()
    touches(made, 1)
    time.sleep(0.05)
    assert touches(made, 1)[0].lost >= 40
    made.close()


def test_wrong_devices_and_registers_are_named(hand):
    with pytest.raises(DeviceError, match=r"right hand: found 65516 in register 3000, expected 7 or 8: another device"):
        device(hand, check=Check(3000, (7, 8))).open()
    made = device(hand, check=Check(3021, (1,)), pads={"tip": Pad("tip_pad", 9000, 2, 3)})
    made.open()
    with pytest.raises(DeviceError, match="6 registers from 9000"):
        touches(made, 1)
    made.close()
    hand.close()
    with pytest.raises(DeviceLost, match="right hand: found no connection"):
        device(hand).open()


def test_a_connection_that_breaks_is_named(hand):
    made = device(hand)
    made.open()
    touches(made, 1)
    hand.close()
    with pytest.raises(DeviceLost, match=r"right hand: .*6 registers from 3000"):
        touches(made, 1)
    made.close()


def test_positions_are_centred_and_row_by_row():
    positions = PADS["tip"].positions
    assert positions.shape == (6, 3)
    np.testing.assert_allclose(positions[0], [-0.002, -0.003, 0.0])
    np.testing.assert_allclose(positions[2], [-0.002, 0.003, 0.0])
    np.testing.assert_allclose(positions.mean(axis=0), 0.0, atol=1e-12)
    assert PADS["palm"].positions.shape == (0, 3)


def test_the_inspire_hands_layout_has_its_1062_taxels():
    read = layout.load(CONFIG / "inspire_rh56dftp.yaml")
    assert sum(pad.count for pad in read.pads.values()) == 1062
    ends = [pad.register + 2 * pad.count for pad in read.pads.values()]
    assert ends[:-1] == [pad.register for pad in list(read.pads.values())[1:]]  # without a gap


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("pads: {}", "no pads"),
        ("pads: {a: {frame: f, register: 0, rows: 2, columns: 2}, b: {frame: f, register: 3, rows: 1, columns: 1}}",
         "pads a and b share registers"),
        ("pads: {a: {frame: f, register: 0, rows: 0, columns: 2}}", "0 x 2 taxels"),
        ("pads: {a: {frame: f, register: 0, rows: 1, columns: 2, quantity: colour}}", "quantity"),
    ],
)  # fmt: skip
def test_wrong_layouts_are_named(tmp_path, words, message):
    file = tmp_path / "pads.yaml"
    file.write_text(words)
    with pytest.raises(ConfigError, match=message):
        layout.load(file)


def drifting(zero: Zero, touch: float, seconds: float = 300.0, drift: float = 0.2) -> np.ndarray:
    """Readings of two taxels that drift by `drift` a second; from 100 s to 200 s the second is touched. (n, 2)."""
    random = np.random.default_rng(0)
    times = np.arange(0.0, seconds, 0.02)
    values = 500.0 + drift * times[:, None] + random.normal(0.0, 1.0, (len(times), 2))
    values[(times >= 100.0) & (times < 200.0), 1] += touch
    return np.array([zero.apply(row, round(1e9 * t)) for t, row in zip(times, values)])


def test_drift_is_taken_off_and_a_touch_is_kept_however_long():
    found = drifting(Zero(2, threshold=20.0, time_constant=10.0), touch=80.0)
    assert np.abs(found[5000:10000, 0]).mean() < 3.0  # 0.2 a second behind 10 s, and noise; without it 60
    held = found[5100:9900, 1]
    assert held.min() > 70.0  # the touch is there from its beginning to its end
    assert held[-1] == pytest.approx(80.0 + 20.0, abs=8.0)  # its zero stood still meanwhile, the drift is on top


def test_without_a_time_constant_the_zero_stays():
    found = drifting(Zero(2, threshold=20.0, time_constant=0.0), touch=0.0)
    assert found[-1, 0] == pytest.approx(60.0, abs=5.0)


def test_nothing_is_felt_before_the_first_zero_and_it_can_be_found_again():
    zero = Zero(1, threshold=5.0, time_constant=0.0, first=3)
    found = [zero.apply(np.array([value]), i * 10**7)[0] for i, value in enumerate((10.0, 11.0, 12.0, 31.0))]
    assert found == [0.0, 0.0, 0.0, 20.0]
    zero.restart()
    assert not zero.ready
    again = [zero.apply(np.array([value]), i * 10**7)[0] for i, value in enumerate((31.0, 31.0, 31.0, 31.0))]
    assert again == [0.0, 0.0, 0.0, 0.0]


def test_a_real_fingertip_that_nothing_touches_reads_nothing(shared_data):
    """BioTac SP: the electrodes of its first finger wander by some counts in 10 s with nothing touched."""
    from rosbags.highlevel import AnyReader

    with AnyReader([shared_data / "tactile" / "biotac_untouched.bag"]) as reader:
        readings = [
            (stamp, np.array(reader.deserialize(raw, connection.msgtype).tactiles[0].electrodes, float))
            for connection, stamp, raw in reader.messages()
        ]
    zero = Zero(len(readings[0][1]), threshold=30.0, time_constant=2.0)
    found = np.array([zero.apply(values, stamp) for stamp, values in readings])
    assert len(found) > 900
    assert np.percentile(np.abs(found), 99.0) < 25.0  # of some 3000 counts; single readings jump by up to 150
    assert np.abs(found[-100:].mean(axis=0)).max() < 5.0
