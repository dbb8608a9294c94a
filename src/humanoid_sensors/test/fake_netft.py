# SPDX-License-Identifier: Apache-2.0
"""A Net F/T on this machine: its page over HTTP, records over UDP to whoever asked for them."""

from __future__ import annotations

import http.server
import socket
import struct
import threading
from typing import Any

PAGE = {
    "prodname": "Ethernet Axia",
    "setfwver": "2.0.14",
    "cfgcpf": "1000000",
    "cfgcpt": "1000",
    "scfgfu": "N",
    "scfgtu": "Nmm",
    "runrate": "7000",
}


class FakeNetFt:
    """Answers like the sensor; `send` sends one record."""

    def __init__(self) -> None:
        self.page = dict(PAGE)
        self.requests: list[tuple[int, int, int]] = []
        self.asked = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._client: Any = None
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = "".join(f"<{key}>{value}</{key}>" for key, value in fake.page.items())
                text = f"<netft>{body}</netft>" if self.path == "/netftapi2.xml" else ""
                self.send_response(200 if text else 404)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.http_port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                data, self._client = self._socket.recvfrom(100)
            except OSError:
                return
            self.requests.append(struct.unpack(">HHI", data))
            if self.requests[-1][1] == 2:
                self.asked.set()

    def send(self, sequence: int, ft_sequence: int, counts: tuple[int, ...] = (0,) * 6, status: int = 0) -> None:
        assert self.asked.wait(10.0)
        self._socket.sendto(struct.pack(">III6i", sequence, ft_sequence, status, *counts), self._client)

    def send_bytes(self, data: bytes) -> None:
        assert self.asked.wait(10.0)
        self._socket.sendto(data, self._client)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._socket.close()
