# SPDX-License-Identifier: Apache-2.0
"""ATI Net F/T and Ethernet Axia (also sold by Schunk as FTN): six axes over UDP, Raw Data Transfer.

Source: ATI, Manual F/T Sensor, Ethernet Axia, 9610-05-Ethernet Axia-09, section 12 (commands, records), and the Net
F/T's web page netftapi2.xml. A request is uint16 0x1234, uint16 command, uint32 count, in network byte order, to UDP
49152; command 2 starts a stream of single records, 0 stops it, 0x42 sets the software's bias. A record is uint32
rdt_sequence, uint32 ft_sequence, uint32 status and int32 Fx, Fy, Fz, Tx, Ty, Tz in counts; ft_sequence counts the
sensor's own samples and is its clock. netftapi2.xml has counts per force and torque (cfgcpf, cfgcpt), their units
(scfgfu, scfgtu), the firmware (setfwver) and the rate of samples (runrate).
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.wrench.reading import Wrench

PORT = 49152
STOP, START, BIAS = 0x0000, 0x0002, 0x0042
_REQUEST, _RECORD = struct.Struct(">HHI"), struct.Struct(">III6i")
_MAGIC = 0x1234
_PATIENCE = 0.1  # [s]
_SILENCE = 1.0  # [s] without a record: the sensor was switched off, or has forgotten the request
_HTTP = 2.0  # [s]
_UNITS = {"N": 1.0, "kN": 1e3, "Nm": 1.0, "N-m": 1.0, "Nmm": 1e-3, "N-mm": 1e-3, "kNm": 1e3, "kN-m": 1e3}


@dataclass(frozen=True)
class Scale:
    """Counts per newton and per newton metre, and the sensor's samples per second [Hz]."""

    force: float
    torque: float
    rate: float

    def __post_init__(self) -> None:
        for name in ("force", "torque", "rate"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} {getattr(self, name)}: must be above 0")


def asked_scale(device: str, address: str, firmware: str = "", http_port: int = 80) -> Scale:
    """The scale that the sensor's own page tells.

    Args:
        device: Name, for errors.
        address: Of the sensor.
        firmware: Lowest that will do, such as "2.0.14"; "": any.
        http_port: Of its page.

    Raises:
        DeviceLost: no answer.
        DeviceError: the page lacks something, has units that are not newtons, or the firmware is too old.
    """
    try:
        with urllib.request.urlopen(f"http://{address}:{http_port}/netftapi2.xml", timeout=_HTTP) as answer:
            page = ElementTree.fromstring(answer.read(100_000))
    except OSError as error:
        raise DeviceLost(device, error, f"its page at {address}") from error
    except ElementTree.ParseError as error:
        raise DeviceError(device, f"a page that is no XML ({error})", "netftapi2.xml") from error
    found = {element.tag: (element.text or "").strip() for element in page.iter()}
    version = found.get("setfwver", "")
    if firmware and _version(version) < _version(firmware):
        raise DeviceError(device, f"firmware {version or 'unknown'}", f"{firmware} or newer")
    try:
        force, torque = _UNITS[found["scfgfu"]], _UNITS[found["scfgtu"]]
        counts = float(found["cfgcpf"]), float(found["cfgcpt"])
        return Scale(counts[0] / force, counts[1] / torque, float(found["runrate"]))
    except (KeyError, ValueError) as error:
        raise DeviceError(device, f"a page without a usable {error}", "units of newtons, and counts") from error


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


class NetFt:
    """Readings of one sensor.

    Args:
        name: For people.
        address: Of the sensor.
        scale: Of its counts; None: it is asked when it is opened.
        port: Of its RDT.
        firmware: Lowest that will do; only where it is asked.
        bias: Whether it is told to call the present load zero when it is opened.
        http_port: Of its page.
    """

    def __init__(
        self,
        name: str,
        address: str,
        scale: Scale | None = None,
        port: int = PORT,
        firmware: str = "",
        bias: bool = False,
        http_port: int = 80,
    ) -> None:
        self.name = name
        self._address, self._port, self._http_port = address, port, http_port
        self._given, self._firmware, self._bias = scale, firmware, bias
        self._scale = scale
        self._socket: socket.socket | None = None
        self._sequence: int | None = None
        self._last, self._last_ft, self._turns = 0.0, 0, 0

    def open(self) -> None:
        self._scale = self._given or asked_scale(self.name, self._address, self._firmware, self._http_port)
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
            self._socket.connect((self._address, self._port))
            self._socket.setblocking(False)
            if self._bias:
                self._socket.send(_REQUEST.pack(_MAGIC, BIAS, 0))
            self._socket.send(_REQUEST.pack(_MAGIC, START, 0))
        except OSError as error:
            raise DeviceLost(self.name, error, f"a sensor at {self._address}, UDP {self._port}") from error
        self._sequence, self._turns, self._last_ft, self._last = None, 0, 0, time.monotonic()

    def read(self) -> Iterable[Wrench]:
        assert self._socket is not None
        ready, _, _ = select.select([self._socket], [], [], _PATIENCE)
        if not ready and time.monotonic() - self._last > _SILENCE:
            raise DeviceLost(self.name, f"silence for {_SILENCE:g} s", "records")
        while True:
            try:
                data = self._socket.recv(2048)
            except BlockingIOError:
                return
            except OSError as error:  # nobody listens there any more
                raise DeviceLost(self.name, error, f"records from {self._address}") from error
            yield self._decode(data, time.time_ns())

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is gone already
                self._socket.send(_REQUEST.pack(_MAGIC, STOP, 0))
            self._socket.close()
        self._socket = None

    def _decode(self, data: bytes, arrival: int) -> Wrench:
        assert self._scale is not None
        if len(data) != _RECORD.size:
            raise DeviceError(self.name, f"a datagram of {len(data)} bytes", f"a record of {_RECORD.size}")
        self._last = time.monotonic()
        sequence, ft_sequence, status, *counts = _RECORD.unpack(data)
        lost = 0 if self._sequence is None else (sequence - self._sequence - 1) % 2**32
        self._sequence = sequence
        if lost >= 2**31:
            raise DeviceError(self.name, f"record {sequence} behind a later one", "records in order")
        if status:
            raise DeviceError(self.name, f"status {status:#010x}", "0: sensor sound, not overloaded")
        self._turns += ft_sequence < self._last_ft
        self._last_ft = ft_sequence
        stamp = round((ft_sequence + 2**32 * self._turns) * 1e9 / self._scale.rate)
        values = np.array(counts, float)
        return Wrench(stamp, arrival, values[:3] / self._scale.force, values[3:] / self._scale.torque, lost)
