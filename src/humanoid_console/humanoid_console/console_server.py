# SPDX-License-Identifier: Apache-2.0
"""The console page's server: questions and answers. No ROS in here.

Page to server, text (JSON): `{"type": "ask", "id", "name", "arguments"}`.
Server to page, text: `{"type": "answer", "id", "success", "message", "value"}`; binary: byte 0 is 255, then the id of
the question (4 bytes, little endian), then a picture. The rest: `humanoid_core.page_server`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from humanoid_core.page_server import Client, PageServer
from humanoid_core.pairing import Pairing

PAGE = Path(__file__).parent / "page"
LARGEST_MESSAGE = 262_144  # [bytes]: the labels of a long episode
_PICTURE = 255
Answer = Callable[[bool, str, Any], None]


class Desk(Protocol):
    """Who answers."""

    def ask(self, name: str, arguments: dict[str, Any], answer: Answer) -> None:
        """A question of a paired browser; called in the server's thread, `answer` may be called from any."""


class ConsoleServer(PageServer):
    """Serves the console page; for arguments and errors see `PageServer`.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        folder: Of the certificate.
        pairing: Who may come in.
        desk: Answers questions.
    """

    def __init__(self, host: str, port: int, folder: Path, pairing: Pairing, desk: Desk) -> None:
        self._desk = desk
        super().__init__(host, port, folder, PAGE, pairing, LARGEST_MESSAGE)

    async def _take_text(self, client: Client, message: dict[str, Any], arrival: int) -> None:
        number, name, arguments = int(message["id"]), str(message["name"]), message.get("arguments", {})
        if message["type"] != "ask" or not isinstance(arguments, dict) or not 0 <= number < 2**32:
            raise ValueError("found no question")

        def send(success: bool, text: str, value: Any) -> None:
            if isinstance(value, bytes):
                self._later(self._send_bytes(client, struct.pack("<BI", _PICTURE, number) + value))
            else:
                reply = {"type": "answer", "id": number, "success": success, "message": text, "value": value}
                self._later(self._send(client, reply))

        def answer(success: bool, text: str, value: Any = None) -> None:
            self._loop.call_soon_threadsafe(send, success, text, value)

        self._desk.ask(name, arguments, answer)
