# SPDX-License-Identifier: Apache-2.0
"""Sockets of the motion-capture protocols, in a thread of their own. No ROS in here."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from humanoid_core.errors import HumanoidError
from humanoid_core.two_way import TwoWayClock
from humanoid_teleop.mocap import bvh_stream, mvn, natnet
from humanoid_teleop.mocap.segments import Sample, StreamError
from humanoid_teleop.recordings.bvh import read_bvh

LARGEST = 65_535  # [bytes] of a UDP datagram
ASK_PERIOD = 0.5  # [s]


class ReceiverError(HumanoidError):
    """The socket cannot be had."""


@dataclass(frozen=True)
class Source:
    """Where a stream comes from.

    Attributes:
        protocol: "natnet", "mvn" or "bvh".
        address: To listen on.
        port: UDP port of the data; 0: the protocol's own.
        multicast: Group to join; empty: none.
        server: Host that is asked for names, version and its time (NatNet); empty: nobody is.
        server_port: Its command port.
        hierarchy: BVH file with the skeleton that a BVH stream moves.
    """

    protocol: Literal["natnet", "mvn", "bvh"]
    address: str = ""
    port: int = 0
    multicast: str = ""
    server: str = ""
    server_port: int = natnet.COMMAND_PORT
    hierarchy: str = ""


class _Reader(Protocol):
    def read(self, data: bytes) -> Sample | None: ...


class Receiver:
    """Receives samples until it is stopped.

    Args:
        source: The stream.
        take: Called, in the receiver's thread, with each sample, the time it was measured or, where the device's
            clock is not known, arrived [ns of the host], and whether the clock is known.

    Raises:
        ReceiverError: the address or port cannot be had.
        BvhError: the hierarchy cannot be read.
    """

    def __init__(self, source: Source, take: Callable[[Sample, int, bool], None]) -> None:
        self._source, self._take = source, take
        self._natnet = natnet.NatNetReader()
        self._reader, own_port = self._protocol(source)
        self.clock = TwoWayClock()
        self.refused: dict[str, int] = {}  # why -> how often
        self.lost = 0
        self._last: int | None = None
        self._stopped = threading.Event()
        self._socket = _listen(source, source.port or own_port)
        self.port = int(self._socket.getsockname()[1])
        self._threads = [threading.Thread(target=self._receive, args=(self._socket,), daemon=True)]
        self._asking: socket.socket | None = None
        if source.server:
            self._asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._asking.settimeout(0.2)
            self._asking.connect((source.server, source.server_port))
            self._threads += [
                threading.Thread(target=self._receive, args=(self._asking,), daemon=True),
                threading.Thread(target=self._ask, args=(self._asking,), daemon=True),
            ]
        for thread in self._threads:
            thread.start()

    def _protocol(self, source: Source) -> tuple[_Reader, int]:
        """Reader and usual port."""
        if source.protocol == "natnet":
            return self._natnet, natnet.DATA_PORT
        if source.protocol == "mvn":
            return mvn.MvnReader(), mvn.PORT
        return bvh_stream.BvhReader(read_bvh(source.hierarchy)), bvh_stream.PORT

    def stop(self) -> None:
        """End the threads and close the sockets."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()
        if self._asking:
            self._asking.close()

    def _receive(self, connection: socket.socket) -> None:
        while not self._stopped.is_set():
            try:
                data = connection.recv(LARGEST)
            except TimeoutError:
                continue
            except ConnectionRefusedError:  # the server is not up yet
                self._stopped.wait(0.2)
                continue
            self._handle(data, time.time_ns())

    def _handle(self, data: bytes, arrival: int) -> None:
        try:
            if answer := self._natnet.echo(data):
                self.clock.add(answer[0], answer[1], arrival)
                return
            sample = self._reader.read(data)
        except StreamError as error:
            self.refused[str(error)] = self.refused.get(str(error), 0) + 1
            return
        if sample is None or (self._last is not None and sample.counter <= self._last < sample.counter + 1000):
            return  # none, or one that was overtaken
        if self._last is not None and sample.counter > self._last:
            self.lost += sample.counter - self._last - 1
        self._last = sample.counter
        clock = self.clock.estimate
        measured = arrival if clock is None else min(arrival, round(sample.time * 1e9) - clock.offset)
        self._take(sample, measured, clock is not None)

    def _ask(self, server: socket.socket) -> None:
        while not self._stopped.is_set():
            wanted = [natnet.request(natnet.ECHO, struct.pack("<Q", time.time_ns()))]
            if not self._natnet.names:
                wanted = [natnet.request(natnet.CONNECT), natnet.request(natnet.REQUEST_NAMES), *wanted]
            for message in wanted:
                try:
                    server.send(message)
                except OSError:  # unreachable for now: asked again
                    break
            self._stopped.wait(ASK_PERIOD)


def _listen(source: Source, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.settimeout(0.2)
        connection.bind((source.address, port))
        if source.multicast:
            interface = socket.inet_aton(source.address or "0.0.0.0")
            group = socket.inet_aton(source.multicast) + interface
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    except OSError as error:
        connection.close()
        raise ReceiverError(
            f"{source.protocol}: {source.address or '*'}:{port} {source.multicast}: found {error.strerror or error}, "
            "expected an address of this computer and a free UDP port"
        ) from error
    return connection
