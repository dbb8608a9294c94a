# SPDX-License-Identifier: Apache-2.0
"""A WebSocket server for the Foxglove app that offers topics and tells which of them somebody is looking at.

It speaks the protocol as foxglove_bridge does: CDR messages with "ros2msg" schemas. No ROS in here: topics come in as
names, types and definitions, messages as bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import foxglove
from foxglove import websocket

from humanoid_core.errors import HumanoidError


class ServerError(HumanoidError):
    """The server cannot listen.

    Args:
        host: Address asked for.
        port: Port asked for.
        reason: Why not.
    """

    def __init__(self, host: str, port: int, reason: object) -> None:
        super().__init__(f"{host}:{port}: found {reason}, expected an address and a free port to listen on")


@dataclass(frozen=True)
class Offer:
    """A topic on offer.

    Attributes:
        topic: Name as clients see it.
        type: "package/msg/Name".
        definition: Its "ros2msg" text with everything it needs.
        latched: Its publishers keep what late clients need.
    """

    topic: str
    type: str
    definition: str
    latched: bool = False


@dataclass
class _Channel:
    offer: Offer
    channel: foxglove.Channel
    clients: set[int] = field(default_factory=set)


class ViewServer:
    """Offers topics to Foxglove clients.

    Args:
        name: Shown to clients.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        backlog: Messages kept for a slow client before the oldest are dropped.
        changed: Called, from a thread of the server, whenever the set of watched topics may have changed.
        with_time: Tell clients the time (simulated time).

    Raises:
        ServerError: the address or port cannot be had.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        backlog: int,
        changed: Callable[[], None],
        with_time: bool = False,
    ) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._by_topic: dict[str, _Channel] = {}
        self._by_id: dict[int, _Channel] = {}
        self._late: set[str] = set()
        self._context = foxglove.Context()
        capabilities = [websocket.Capability.Time] if with_time else []
        try:
            self._server = foxglove.start_server(
                name=name,
                host=host,
                port=port,
                capabilities=capabilities,
                server_listener=_Listener(self),
                supported_encodings=["cdr"],
                context=self._context,
                message_backlog_size=backlog,
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise ServerError(host, port, error) from error

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.port)

    @property
    def topics(self) -> set[str]:
        """Names of the topics on offer."""
        with self._lock:
            return set(self._by_topic)

    @property
    def watched(self) -> set[str]:
        """Names of the topics that a client is looking at."""
        with self._lock:
            return {topic for topic, entry in self._by_topic.items() if entry.clients}

    @property
    def clients(self) -> int:
        """Clients that look at something."""
        with self._lock:
            return len({client for entry in self._by_topic.values() for client in entry.clients})

    def offer(self, offer: Offer) -> None:
        """Offer a topic; one that was on offer with another type is withdrawn first."""
        with self._lock:
            known = self._by_topic.get(offer.topic)
        if known is not None:
            if known.offer == offer:
                return
            self.withdraw(offer.topic)
        schema = foxglove.Schema(name=offer.type, encoding="ros2msg", data=offer.definition.encode())
        channel = foxglove.Channel(offer.topic, schema=schema, message_encoding="cdr", context=self._context)
        with self._lock:
            self._by_topic[offer.topic] = self._by_id[channel.id()] = _Channel(offer, channel)

    def withdraw(self, topic: str) -> None:
        """Take a topic off the offer; nothing happens where it is not on it."""
        with self._lock:
            entry = self._by_topic.pop(topic, None)
            if entry is None:
                return
            del self._by_id[entry.channel.id()]
        entry.channel.close()

    def send(self, topic: str, message: bytes, stamp_ns: int) -> None:
        """Send a message to those who look at its topic.

        Args:
            topic: A topic on offer; messages of others are let fall, as they may be late ones of a withdrawn topic.
            message: CDR bytes.
            stamp_ns: When it arrived [ns].
        """
        with self._lock:
            entry = self._by_topic.get(topic)
        if entry is not None:
            entry.channel.log(message, log_time=stamp_ns)

    def take_late(self) -> set[str]:
        """Latched topics that a further client came to since the last call: what their publishers keep is due again."""
        with self._lock:
            late, self._late = self._late, set()
        return late

    def tell_time(self, stamp_ns: int) -> None:
        """Tell clients the simulated time [ns]."""
        self._server.broadcast_time(stamp_ns)

    def stop(self) -> None:
        """Close all connections."""
        self._server.stop()

    # --- from the listener, in threads of the server ---

    def _subscribed(self, client: int, channel: int) -> None:
        with self._lock:
            entry = self._by_id.get(channel)
            if entry is None:
                return
            if entry.clients and entry.offer.latched:
                self._late.add(entry.offer.topic)
            entry.clients.add(client)
        self._changed()

    def _unsubscribed(self, client: int, channel: int) -> None:
        with self._lock:
            entry = self._by_id.get(channel)
            if entry is not None:
                entry.clients.discard(client)
        self._changed()


class _Listener(websocket.ServerListener):
    """What the server calls; apart from ViewServer, so that its methods are not part of ours."""

    def __init__(self, server: ViewServer) -> None:
        self._server = server

    def on_subscribe(self, client: websocket.Client, channel: websocket.ChannelView) -> None:
        self._server._subscribed(client.id, channel.id)

    def on_unsubscribe(self, client: websocket.Client, channel: websocket.ChannelView) -> None:
        self._server._unsubscribed(client.id, channel.id)
