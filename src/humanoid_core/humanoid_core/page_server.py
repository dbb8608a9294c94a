# SPDX-License-Identifier: Apache-2.0
"""A page's HTTPS and WebSocket server, in a thread of its own: what all our pages have in common. No ROS in here.

The page's files are there for everybody. Whatever else there is goes through the WebSocket, whose first message is the
token that pairing gave; without one the connection is closed and nothing was said.

Page to server, text (JSON): `{"type": "shown", "picture"}` and what a subclass takes.
Server to page, text: `{"type": "status", ...}`; binary: byte 0 the picture's number, then a JPEG. A picture is sent
when the page has shown the one before: a slow link drops pictures, never lags behind.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import segno
from aiohttp import WSMsgType, web

from humanoid_core.certificate import own_addresses, server_context
from humanoid_core.errors import HumanoidError
from humanoid_core.pairing import Pairing, PairingError

UNPAIRED = 4001  # WebSocket close codes
BROKEN = 4002
PICTURES = 4  # pictures a page may show at once
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ServerError(HumanoidError):
    """The server cannot listen."""


@dataclass(eq=False)
class Client:
    """A paired browser.

    Attributes:
        socket: Its connection.
        ready: Numbers of the pictures it has shown and wants the next of.
    """

    socket: web.WebSocketResponse
    ready: set[int] = field(default_factory=lambda: set(range(PICTURES)))


def invite(port: int, code: str) -> str:
    """Print a page's address with a code as a picture to scan (QR); gives the address without the code."""
    address = f"https://{own_addresses()[0]}:{port}/"
    segno.make(f"{address}#{code}").terminal(compact=True)
    return address


class PageServer:
    """Serves a page to paired browsers.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        folder: Of the certificate.
        page: Folder of the page's files.
        pairing: Who may come in.
        largest: Longest message that a browser may send [bytes].

    Raises:
        ServerError: the port cannot be had.
        CertificateError: the certificate cannot be used.
    """

    def __init__(self, host: str, port: int, folder: Path, page: Path, pairing: Pairing, largest: int) -> None:
        self._page, self._pairing, self._largest = page, pairing, largest
        self._clients: set[Client] = set()
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

    def set_picture(self, number: int, jpeg: bytes) -> None:
        """Show a picture on every page that is ready for one."""
        self._loop.call_soon_threadsafe(self._take_picture, number, jpeg)

    @property
    def clients(self) -> int:
        """Browsers connected."""
        return len(self._clients)

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10.0)

    # --- for subclasses, in the server's thread ---

    def _make_client(self, socket: web.WebSocketResponse) -> Client:
        return Client(socket)

    async def _greet(self, client: Client) -> None:
        """A browser came."""

    async def _take_text(self, client: Client, message: dict[str, Any], arrival: int) -> None:
        """A browser says something; ValueError, KeyError, TypeError and our own errors end its connection."""

    async def _take_bytes(self, client: Client, data: bytes, arrival: int) -> None:
        """A browser sends bytes, arrived at [ns]."""

    async def _bid_farewell(self, client: Client) -> None:
        """A browser is gone."""

    async def _alongside(self) -> None:
        """What is done all the time."""

    async def _send(self, client: Client, message: dict[str, Any]) -> None:
        with suppress(ConnectionError):  # it is gone: its own coroutine notices
            await client.socket.send_str(json.dumps(message, ensure_ascii=False))

    async def _send_bytes(self, client: Client, data: bytes) -> None:
        with suppress(ConnectionError):
            await client.socket.send_bytes(data)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._tasks.discard)

    # --- HTTP ---

    async def _start(self, host: str, port: int, context: Any) -> int:
        application = web.Application(client_max_size=4096)
        application.router.add_post("/pair", self._on_pair)
        application.router.add_get("/ws", self._on_socket)
        application.router.add_get("/", self._on_index)
        application.router.add_static("/", self._page)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=context)
        await site.start()
        self._background = asyncio.ensure_future(self._alongside())
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        self._background.cancel()
        for client in list(self._clients):
            await client.socket.close(message=b"the station stops")
        await self._runner.cleanup()

    async def _on_index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(self._page / "index.html", headers=_HEADERS)

    async def _on_pair(self, request: web.Request) -> web.Response:
        try:
            code = json.loads(await request.text())["code"]
            return web.json_response({"token": self._pairing.pair(str(code))})
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "no code"}, status=400)
        except PairingError as error:
            return web.json_response({"error": str(error)}, status=403)

    # --- WebSocket ---

    async def _on_socket(self, request: web.Request) -> web.WebSocketResponse:
        # A browser lets any page open a socket here: only ours has the token, sent as the first message.
        socket = web.WebSocketResponse(heartbeat=5.0, max_msg_size=self._largest)
        await socket.prepare(request)
        try:
            token = await socket.receive_str(timeout=5.0)
        except (TypeError, asyncio.TimeoutError):
            token = ""
        if not self._pairing.knows(token):
            await socket.close(code=UNPAIRED, message=b"pair first")
            return socket
        client = self._make_client(socket)
        self._clients.add(client)
        try:
            await self._greet(client)
            await self._send(client, {"type": "status", **self._status})
            for number, picture in self._pictures.items():
                self._show(client, number, picture)
            await self._receive(client)
        finally:
            self._clients.discard(client)
            await self._bid_farewell(client)
        return socket

    async def _receive(self, client: Client) -> None:
        async for message in client.socket:
            arrival = time.time_ns()
            try:
                if message.type == WSMsgType.BINARY:
                    await self._take_bytes(client, message.data, arrival)
                elif message.type == WSMsgType.TEXT:
                    content = json.loads(message.data)
                    if content["type"] == "shown":
                        client.ready.add(int(content["picture"]))
                    else:
                        await self._take_text(client, content, arrival)
            except (HumanoidError, ValueError, KeyError, TypeError, AttributeError) as error:
                await client.socket.close(code=BROKEN, message=str(error).encode()[:120])
                return

    # --- what every page shows ---

    def _take_status(self, values: dict[str, Any]) -> None:
        self._status |= values
        for client in self._clients:
            self._later(self._send(client, {"type": "status", **values}))

    def _take_picture(self, number: int, jpeg: bytes) -> None:
        self._pictures[number] = jpeg
        for client in self._clients:
            if number in client.ready:
                self._show(client, number, jpeg)

    def _show(self, client: Client, number: int, jpeg: bytes) -> None:
        client.ready.discard(number)
        self._later(self._send_bytes(client, bytes([number]) + jpeg))
