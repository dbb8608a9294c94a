# SPDX-License-Identifier: Apache-2.0
"""The page's HTTPS and WebSocket server, in a thread of its own. No ROS in here.

Page to server, text (JSON): `{"type": "pong", "asked", "now"}`, `{"type": "drive"}`, `{"type": "shown", "eye"}`,
`{"type": "command", "name", ...}`; binary: packets (`packet.py`).
Server to page, text: `{"type": "ping", "asked"}`, `{"type": "role", ...}`, `{"type": "status", ...}`,
`{"type": "answer", "name", "success", "message"}`; binary: byte 0 the eye (0 left or only, 1 right), then a JPEG.

A picture is sent when the page has shown the one before: a slow link drops pictures, never lags behind.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from humanoid_core.certificate import server_context
from humanoid_core.errors import HumanoidError
from humanoid_core.pairing import Pairing, PairingError
from humanoid_core.two_way import Estimate, TwoWayClock
from humanoid_teleop.webxr.packet import PACKET, PacketError

PAGE = Path(__file__).parent / "page"
LARGEST_MESSAGE = max(4096, PACKET.itemsize)
UNPAIRED = 4001  # WebSocket close codes
BROKEN = 4002
PING_PERIOD = 0.5  # [s]


class ServerError(HumanoidError):
    """The server cannot listen."""


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
class _Client:
    socket: web.WebSocketResponse
    address: str
    clock: TwoWayClock = field(default_factory=TwoWayClock)
    waiting: set[int] = field(default_factory=lambda: {0, 1})  # eyes whose last picture was shown


class PageServer:
    """Serves the page to paired browsers; one drives, the others watch.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        folder: Of the certificate.
        pairing: Who may come in.
        operator: Told what the one who drives does.

    Raises:
        ServerError: the port cannot be had.
        CertificateError: the certificate cannot be used.
    """

    def __init__(self, host: str, port: int, folder: Path, pairing: Pairing, operator: Operator) -> None:
        self._pairing, self._operator = pairing, operator
        self._clients: set[_Client] = set()
        self._driver: _Client | None = None
        self._status: dict[str, Any] = {}
        self._pictures: dict[int, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        context = server_context(folder)
        self._thread = threading.Thread(target=self._loop.run_forever, name="page", daemon=True)
        self._thread.start()
        try:
            self.port = self._call(self._start(host, port, context))
        except OSError as error:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise ServerError(f"{host}:{port}: found {error.strerror}, expected a free port to listen on") from error

    # --- for the node, from any thread ---

    def stop(self) -> None:
        """Close all connections and the port."""
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def set_status(self, **values: Any) -> None:
        """Show values on every page; those not named stay."""
        self._loop.call_soon_threadsafe(self._take_status, values)

    def set_picture(self, eye: int, jpeg: bytes) -> None:
        """Show a picture on every page that is ready for one."""
        self._loop.call_soon_threadsafe(self._take_picture, eye, jpeg)

    @property
    def clients(self) -> int:
        """Browsers connected."""
        return len(self._clients)

    @property
    def clock(self) -> Estimate | None:
        """The clock of the headset that drives."""
        driver = self._driver
        return driver.clock.estimate if driver else None

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10.0)

    # --- in the server's thread ---

    async def _start(self, host: str, port: int, context: Any) -> int:
        application = web.Application(client_max_size=4096)
        application.router.add_post("/pair", self._on_pair)
        application.router.add_get("/ws", self._on_socket)
        application.router.add_get("/", self._on_index)
        application.router.add_static("/", PAGE)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=context)
        await site.start()
        self._pinging = asyncio.ensure_future(self._ping())
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        self._pinging.cancel()
        for client in list(self._clients):
            await client.socket.close(message=b"the station stops")
        await self._runner.cleanup()

    async def _on_index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def _on_pair(self, request: web.Request) -> web.Response:
        try:
            code = json.loads(await request.text())["code"]
            return web.json_response({"token": self._pairing.pair(str(code))})
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "no code"}, status=400)
        except PairingError as error:
            return web.json_response({"error": str(error)}, status=403)

    async def _on_socket(self, request: web.Request) -> web.WebSocketResponse:
        # A browser lets any page open a socket here: only ours has the token, sent as the first message.
        socket = web.WebSocketResponse(heartbeat=5.0, max_msg_size=LARGEST_MESSAGE)
        await socket.prepare(request)
        try:
            token = await socket.receive_str(timeout=5.0)
        except (TypeError, asyncio.TimeoutError):
            token = ""
        if not self._pairing.knows(token):
            await socket.close(code=UNPAIRED, message=b"pair first")
            return socket
        client = _Client(socket, request.remote or "?")
        self._clients.add(client)
        try:
            await self._tell_roles()
            await self._send(client, {"type": "status", **self._status})
            for eye, picture in self._pictures.items():
                self._show(client, eye, picture)
            await self._receive(client)
        finally:
            self._clients.discard(client)
            if self._driver is client:
                self._driver = None
                self._operator.disconnected("the connection is closed")
            await self._tell_roles()
        return socket

    async def _receive(self, client: _Client) -> None:
        async for message in client.socket:
            arrival = time.time_ns()
            try:
                if message.type == WSMsgType.BINARY:
                    if client is self._driver:
                        self._operator.packet(message.data, arrival, client.clock.estimate)
                elif message.type == WSMsgType.TEXT:
                    await self._on_text(client, json.loads(message.data), arrival)
            except (PacketError, ValueError, KeyError, TypeError, AttributeError) as error:
                await client.socket.close(code=BROKEN, message=str(error).encode()[:120])
                return

    async def _on_text(self, client: _Client, message: dict[str, Any], arrival: int) -> None:
        kind = message["type"]
        if kind == "pong":
            client.clock.add(int(message["asked"]), round(float(message["now"]) * 1e6), arrival)
        elif kind == "shown":
            client.waiting.add(int(message["eye"]))
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
                self._loop.call_soon_threadsafe(self._later, self._send(client, reply))

            self._operator.command(name, message, answer)

    async def _tell_roles(self) -> None:
        for client in list(self._clients):
            role = "drives" if client is self._driver else "watches"
            message = {"type": "role", "role": role, "free": self._driver is None, "clients": len(self._clients)}
            await self._send(client, message)

    async def _ping(self) -> None:
        while True:
            for client in list(self._clients):
                await self._ask(client)
            await asyncio.sleep(PING_PERIOD)

    async def _ask(self, client: _Client) -> None:
        await self._send(client, {"type": "ping", "asked": str(time.time_ns())})

    async def _send(self, client: _Client, message: dict[str, Any]) -> None:
        with suppress(ConnectionError):  # it is gone: its own coroutine notices
            await client.socket.send_str(json.dumps(message))

    def _take_status(self, values: dict[str, Any]) -> None:
        self._status |= values
        for client in self._clients:
            self._later(self._send(client, {"type": "status", **values}))

    def _take_picture(self, eye: int, jpeg: bytes) -> None:
        self._pictures[eye] = jpeg
        for client in self._clients:
            if eye in client.waiting:
                self._show(client, eye, jpeg)

    def _show(self, client: _Client, eye: int, jpeg: bytes) -> None:
        async def send() -> None:
            with suppress(ConnectionError):
                await client.socket.send_bytes(bytes([eye]) + jpeg)

        client.waiting.discard(eye)
        self._later(send())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._tasks.discard)
