# SPDX-License-Identifier: Apache-2.0
"""A small client of the Foxglove WebSocket protocol, written from the protocol's description for the tests."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol


class FoxgloveClient:
    """Connects, keeps the topics on offer, subscribes, and keeps the messages that come."""

    def __init__(self, port: int) -> None:
        self._socket = connect(f"ws://127.0.0.1:{port}", subprotocols=[Subprotocol("foxglove.sdk.v1")], max_size=None)
        self.channels: dict[str, dict] = {}
        self.messages: list[tuple[str, int, bytes]] = []
        self.times: list[int] = []
        self.info: dict = {}
        self._topics: dict[int, str] = {}

    def read_until(self, done: Callable[[], bool], timeout: float = 10.0) -> None:
        """Read until something is so; TimeoutError where it does not become so."""
        while not done():
            self._take(self._socket.recv(timeout=timeout))

    def subscribe(self, topic: str) -> None:
        channel = self.channels[topic]["id"]
        self._topics[channel] = topic
        self._send(op="subscribe", subscriptions=[{"id": channel, "channelId": channel}])

    def unsubscribe(self, topic: str) -> None:
        self._send(op="unsubscribe", subscriptionIds=[self.channels[topic]["id"]])

    def of(self, topic: str) -> list[bytes]:
        return [data for name, _, data in self.messages if name == topic]

    def close(self) -> None:
        self._socket.close()

    def vanish(self) -> None:
        """Drop the connection without saying goodbye."""
        self._socket.socket.close()

    def _send(self, **message: object) -> None:
        self._socket.send(json.dumps(message))

    def _take(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            if frame[0] == 1:
                subscription, stamp = struct.unpack_from("<IQ", frame, 1)
                self.messages.append((self._topics[subscription], stamp, frame[13:]))
            elif frame[0] == 2:
                self.times.append(struct.unpack_from("<Q", frame, 1)[0])
            return
        message = json.loads(frame)
        if message["op"] == "serverInfo":
            self.info = message
        elif message["op"] == "advertise":
            self.channels.update({channel["topic"]: channel for channel in message["channels"]})
        elif message["op"] == "unadvertise":
            gone = set(message["channelIds"])
            self.channels = {topic: channel for topic, channel in self.channels.items() if channel["id"] not in gone}


@pytest.fixture
def connect_to():
    """Makes clients of a port, closed at the end."""
    clients: list[FoxgloveClient] = []

    def make(port: int) -> FoxgloveClient:
        clients.append(FoxgloveClient(port))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
