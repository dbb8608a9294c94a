# SPDX-License-Identifier: Apache-2.0
"""The headset page's server: one browser drives, the others watch. No ROS in here.

Page to server, text (JSON): `{"type": "pong", "asked", "now"}`, `{"type": "drive"}`, `{"type": "release"}`,
`{"type": "command", "name", ...}`; binary: packets (`packet.py`).
Server to page, text: `{"type": "ping", "asked"}`, `{"type": "role", ...}`, `{"type": "answer", "name", "success",
"message"}`. Pictures are 0 (left or only eye) and 1 (right). The rest: `humanoid_core.page_server`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from humanoid_core.page_server import Client, PageServer
from humanoid_core.pairing import Pairing
from humanoid_core.two_way import Estimate, TwoWayClock
from humanoid_teleop.webxr.packet import PACKET

PAGE = Path(__file__).parent / "page"
LARGEST_MESSAGE = max(4096, PACKET.itemsize)
PING_PERIOD = 0.5  # [s]


class Operator(Protocol):
    """What the server tells; called in its thread."""

    def connected(self) -> None:
        """An operator takes the controls."""

    def packet(self, data: bytes, arrival: int, clock: Estimate | None) -> None:
        """A packet of the one who drives, its arrival [ns] and the headset's clock."""

    def disconnected(self, reason: str) -> None:
        """The one who drives is gone."""

    def command(self, name: str, arguments: dict[str, Any], answer: Callable[[bool, str], None]) -> None:
        """A button of the one who drives; `answer` may be called from any thread."""


@dataclass(eq=False)
class _Headset(Client):
    clock: TwoWayClock = field(default_factory=TwoWayClock)


class HeadsetServer(PageServer):
    """Serves the headset page; for arguments and errors see `PageServer`.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        folder: Of the certificate.
        pairing: Who may come in.
        operator: Told what the one who drives does.
    """

    def __init__(self, host: str, port: int, folder: Path, pairing: Pairing, operator: Operator) -> None:
        self._operator = operator
        self._driver: Client | None = None
        super().__init__(host, port, folder, PAGE, pairing, LARGEST_MESSAGE)

    @property
    def clock(self) -> Estimate | None:
        """The clock of the headset that drives."""
        driver = self._driver
        return driver.clock.estimate if isinstance(driver, _Headset) else None

    # --- in the server's thread ---

    def _make_client(self, socket: web.WebSocketResponse) -> Client:
        return _Headset(socket)

    async def _greet(self, client: Client) -> None:
        await self._tell_roles()

    async def _bid_farewell(self, client: Client) -> None:
        if self._driver is client:
            self._driver = None
            self._operator.disconnected("the connection is closed")
        await self._tell_roles()

    async def _take_bytes(self, client: Client, data: bytes, arrival: int) -> None:
        if client is self._driver:
            self._operator.packet(data, arrival, self.clock)

    async def _take_text(self, client: Client, message: dict[str, Any], arrival: int) -> None:
        kind = message["type"]
        if kind == "pong" and isinstance(client, _Headset):
            client.clock.add(int(message["asked"]), round(float(message["now"]) * 1e6), arrival)
        elif kind == "drive":
            if self._driver is None:
                self._driver = client
                self._operator.connected()
                await self._ask(client)
            await self._tell_roles()
        elif kind == "release" and client is self._driver:
            self._driver = None
            self._operator.disconnected("the operator let go")
            await self._tell_roles()
        elif kind == "command" and client is self._driver:
            name = str(message["name"])

            def answer(success: bool, text: str) -> None:
                reply = {"type": "answer", "name": name, "success": success, "message": text}
                self._loop.call_soon_threadsafe(lambda: self._later(self._send(client, reply)))

            self._operator.command(name, message, answer)

    async def _tell_roles(self) -> None:
        for client in list(self._clients):
            role = "drives" if client is self._driver else "watches"
            message = {"type": "role", "role": role, "free": self._driver is None, "clients": len(self._clients)}
            await self._send(client, message)

    async def _alongside(self) -> None:
        while True:
            for client in list(self._clients):
                await self._ask(client)
            await asyncio.sleep(PING_PERIOD)

    async def _ask(self, client: Client) -> None:
        await self._send(client, {"type": "ping", "asked": str(time.time_ns())})
