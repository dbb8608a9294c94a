# SPDX-License-Identifier: Apache-2.0
"""The sliders' page over HTTP: the page itself, the positions, and a picture of the robot in them."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from humanoid_console.joint_sliders import Positions, SliderError
from humanoid_core.errors import ConfigError

MOST_BYTES = 100_000  # of a request: all joints of a robot are a few thousand

# Makes a PNG of the robot: (positions by joint, azimuth, elevation [rad]) -> bytes.
Painter = Callable[[dict[str, float], float, float], bytes]


class SliderServer:
    """Serves the page in threads of its own until stopped.

    Only requests to an address of this server are answered and only JSON is taken: pages of other sites that the
    person's browser has open can neither read nor move anything.

    Args:
        title: Of the robot.
        page: HTML.
        positions: What the page moves.
        warning: A sentence for the person, "" for none; asked for with every answer.
        paint: Makes pictures; None where the robot cannot be drawn.
        host: Address to listen on.
        port: Port to listen on, 0 for a free one.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(
        self,
        title: str,
        page: str,
        positions: Positions,
        warning: Callable[[], str],
        paint: Painter | None,
        host: str,
        port: int,
    ) -> None:
        self.title, self.page, self.positions, self.warning, self.paint = title, page, positions, warning, paint
        self.painting = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise ConfigError("joint_sliders", "host, port", f"{host}:{port} ({error})", "a free address") from error
        self.port = int(self._server.server_address[1])
        self.hosts = {f"{name}:{self.port}" for name in (host, "localhost", "127.0.0.1")}
        self.open_to_all = host in ("0.0.0.0", "::", "")
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def state(self) -> dict[str, Any]:
        """What the page keeps up with."""
        return {"positions": self.positions.now(), "warning": self.warning()}


class _Handler(BaseHTTPRequestHandler):
    owner: SliderServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        url = urlsplit(self.path)
        if url.path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", self.owner.page.encode())
        elif url.path == "/sliders":
            described = {
                "title": self.owner.title,
                "sliders": self.owner.positions.described(),
                "pictures": self.owner.paint is not None,
            }
            self._send_json({**described, **self.owner.state()})
        elif url.path == "/state":
            self._send_json(self.owner.state())
        elif url.path == "/picture.png" and self.owner.paint is not None:
            self._send_picture(self.owner.paint, parse_qs(url.query))
        else:
            self._send_json({"error": f"nothing at {url.path}"}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        if not self._is_ours():
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if self.headers.get_content_type() != "application/json" or not 0 <= length <= MOST_BYTES:
            self.close_connection = True  # what was sent stays unread
            self._send_json({"error": "want application/json with a length"}, HTTPStatus.BAD_REQUEST)
            return
        try:
            wanted = json.loads(self.rfile.read(length))
            if self.path == "/move" and isinstance(wanted, dict):
                self.owner.positions.move(wanted)
            elif self.path == "/home":
                self.owner.positions.home()
            else:
                raise SliderError(f"{self.path} does not take {type(wanted).__name__}")
        except (SliderError, ValueError) as error:
            self._send_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
            return
        self._send_json(self.owner.state())

    def _is_ours(self) -> bool:
        """Whether the request was meant for us: a foreign name that resolves to us is a foreign page's trick."""
        if self.owner.open_to_all or self.headers.get("Host", "") in self.owner.hosts:
            return True
        self._send_json({"error": "not the name of this server"}, HTTPStatus.FORBIDDEN)
        return False

    def _send_picture(self, paint: Painter, query: dict[str, list[str]]) -> None:
        try:
            azimuth, elevation = (float(query[name][0]) for name in ("azimuth", "elevation"))
        except (KeyError, ValueError):
            self._send_json({"error": "want azimuth and elevation, in rad"}, HTTPStatus.BAD_REQUEST)
            return
        with self.owner.painting:
            picture = paint(self.owner.positions.now(), azimuth, elevation)
        self._send(HTTPStatus.OK, "image/png", picture)

    def _send_json(self, content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the terminal belongs to the node."""


def png(image: Any) -> bytes:
    """A Pillow image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
