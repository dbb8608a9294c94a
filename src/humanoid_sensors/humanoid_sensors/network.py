# SPDX-License-Identifier: Apache-2.0
"""Where datagrams come from: the network, or a capture played back."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from humanoid_sensors import pcap
from humanoid_sensors.errors import DeviceLost

_SO_TIMESTAMPNS = 35  # of <asm-generic/socket.h>; Python's socket module does not name it
_BUFFER = 8 * 2**20  # [bytes] of the socket: 80 ms of the fastest LiDAR here
_LARGEST = 65535
_PATIENCE = 0.1  # [s]


class DatagramSource(Protocol):
    """Datagrams of one device."""

    def open(self) -> None:
        """Begin; raises DeviceLost where that cannot be."""

    def read(self) -> Iterable[tuple[int, bytes, int]]:
        """(port, payload, arrival on the host [ns]) of what has come; raises EOFError at the end of a capture."""

    def close(self) -> None:
        """End."""


class UdpSource:
    """UDP ports of this machine; arrivals are the kernel's.

    Args:
        device: Name, for errors.
        ports: Ports to listen on.
        sender: Address that the datagrams come from; others are left out. "": whoever sends.
        address: Address of this machine to listen on.
    """

    def __init__(self, device: str, ports: Iterable[int], sender: str = "", address: str = "") -> None:
        self._device, self._ports, self._sender, self._address = device, tuple(ports), sender, address
        self._sockets: list[socket.socket] = []

    def open(self) -> None:
        try:
            for port in self._ports:
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self._sockets.append(one)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
                one.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                one.bind((self._address, port))
                one.setblocking(False)
        except OSError as error:
            self.close()
            where = f"{self._address or 'any address'}, port {port}"
            raise DeviceLost(self._device, f"{error.strerror} at {where}", "a free UDP port") from error

    @property
    def ports(self) -> tuple[int, ...]:
        """Ports listened on; those asked for as 0 are chosen by the system."""
        return tuple(one.getsockname()[1] for one in self._sockets)

    def read(self) -> Iterable[tuple[int, bytes, int]]:
        ready, _, _ = select.select(self._sockets, [], [], _PATIENCE)
        for one in ready:
            port = one.getsockname()[1]
            while True:
                try:
                    payload, ancillary, _, sender = one.recvmsg(_LARGEST, 64)
                except BlockingIOError:
                    break
                if self._sender in ("", sender[0]):
                    yield port, payload, _kernel_time(ancillary)

    def close(self) -> None:
        for one in self._sockets:
            one.close()
        self._sockets = []


def _kernel_time(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= 16:
            seconds, rest = struct.unpack("qq", data[:16])
            return seconds * 10**9 + rest
    return time.time_ns()


class CaptureSource:
    """A pcap, with the pauses between its datagrams or without.

    Args:
        path: The capture.
        ports: Ports whose datagrams are taken; empty: all.
        paced: Wait as long between datagrams as the capture did; their arrivals are then now, else the capture's.
        repeat: Begin again at the end.
    """

    def __init__(self, path: Path, ports: Iterable[int] = (), paced: bool = True, repeat: bool = False) -> None:
        self._path, self._ports, self._paced, self._repeat = path, set(ports), paced, repeat
        self._rest: Iterator[pcap.Datagram] = iter(())
        self._next: deque[pcap.Datagram] = deque()
        self._shift = 0

    def open(self) -> None:
        self._rest = (one for one in pcap.read(self._path) if not self._ports or one.port in self._ports)
        self._next.clear()
        self._shift = 0

    def read(self) -> Iterable[tuple[int, bytes, int]]:
        if not self._next:
            one = next(self._rest, None)
            if one is None:
                if not self._repeat or not self._shift:
                    raise EOFError
                self.open()
                return
            self._next.append(one)
            self._shift = self._shift or time.time_ns() - one.stamp
        one = self._next[0]
        if self._paced:
            wait = one.stamp + self._shift - time.time_ns()
            if wait > 0:
                time.sleep(min(1e-9 * wait, _PATIENCE))
            if wait > _PATIENCE * 1e9:
                return
        self._next.popleft()
        yield one.port, one.payload, one.stamp + (self._shift if self._paced else 0)

    def close(self) -> None:
        self._rest = iter(())
        self._next.clear()
