# SPDX-License-Identifier: Apache-2.0
"""Who gets what from the page's server. Real sockets on this computer."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from humanoid_console.console_server import LARGEST_MESSAGE, PAGE, ConsoleServer
from humanoid_core.page_server import BROKEN, UNPAIRED
from humanoid_core.pairing import Pairing

TLS = ssl._create_unverified_context()
# The client reads in a thread of its own. With TLS 1.3 that first finds the session's tickets, and OpenSSL hangs where
# another thread writes meanwhile.
TLS.maximum_version = ssl.TLSVersion.TLSv1_2
TOO_BIG = 1009  # RFC 6455


class EchoDesk:
    """Answers with what it was asked, from another thread."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, name: str, arguments: dict[str, Any], answer: Any) -> None:
        self.asked.append(name)
        value = b"jpeg" if name == "picture" else arguments
        threading.Thread(target=answer, args=(name != "wrong", "so it is", value)).start()


class Station:
    def __init__(self, folder: Path) -> None:
        self.desk = EchoDesk()
        self.pairing = Pairing(None, lambda _: None)
        self.server = ConsoleServer("127.0.0.1", 0, folder, self.pairing, self.desk)
        self.sockets: list[ClientConnection] = []

    def get(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, context=TLS, timeout=20)
        connection.request("GET", path)
        response = connection.getresponse()
        found = response.status, response.read(), dict(response.getheaders())
        connection.close()
        return found

    def browser(self, token: str | None = None) -> ClientConnection:
        socket = connect(f"wss://127.0.0.1:{self.server.port}/ws", ssl=TLS)
        socket.send(self.pairing.pair(self.pairing.code) if token is None else token)
        self.sockets.append(socket)
        return socket


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    yield station
    station.server.stop()
    for socket in station.sockets:
        socket.close()


def answer(socket: ClientConnection) -> dict[str, Any] | bytes:
    while True:
        data = socket.recv(timeout=20)
        if isinstance(data, bytes):
            return data
        message = json.loads(data)
        if message["type"] == "answer":
            return dict(message)


def ask(socket: ClientConnection, name: str, number: int = 7, **arguments: Any) -> dict[str, Any] | bytes:
    socket.send(json.dumps({"type": "ask", "id": number, "name": name, "arguments": arguments}))
    return answer(socket)


def test_a_question_is_answered(station: Station) -> None:
    browser = station.browser()
    expected = {"type": "answer", "id": 7, "success": True, "message": "so it is", "value": {"limit": 3}}
    assert ask(browser, "episodes", limit=3) == expected
    found = ask(browser, "wrong")
    assert isinstance(found, dict)
    assert found["success"] is False


def test_a_picture_comes_as_bytes_with_the_questions_number(station: Station) -> None:
    assert ask(station.browser(), "picture", number=0x01020304) == b"\xff\x04\x03\x02\x01jpeg"


@pytest.mark.parametrize("token", ["", "no token", '{"type": "ask", "id": 1, "name": "episodes"}'])
def test_an_unpaired_browser_gets_nothing(station: Station, token: str) -> None:
    station.server.set_status(operator="Ann")
    station.server.set_picture(0, b"jpeg")
    browser = station.browser(token)
    with pytest.raises(ConnectionClosed):
        browser.recv(timeout=20)
    assert browser.close_code == UNPAIRED
    assert station.desk.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/../errors.py",
        "/%2e%2e/errors.py",
        "/..%2ferrors.py",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/page/../../setup.py",
    ],
)
def test_only_the_pages_own_files_are_served(station: Station, path: str) -> None:
    status, body, _ = station.get(path)
    assert status in (400, 403, 404)
    assert b"SPDX" not in body
    assert b"root:" not in body


def test_every_file_of_the_page_is_served_and_the_page_may_load_nothing_else(station: Station) -> None:
    for file in PAGE.iterdir():
        assert station.get(f"/{file.name}")[0] == 200
    _, _, headers = station.get("/")
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")
    page = (PAGE / "page.js").read_text(encoding="utf-8") + (PAGE / "index.html").read_text(encoding="utf-8")
    assert "cdn" not in page.lower()


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[]", "{}", '{"type": "ask"}', '{"type": "ask", "id": -1, "name": "x"}',
     '{"type": "ask", "id": 1, "name": "x", "arguments": []}', '{"type": "other", "id": 1, "name": "x"}'],
)  # fmt: skip
def test_nonsense_ends_the_connection_and_nothing_else(station: Station, text: str) -> None:
    browser, other = station.browser(), station.browser()
    browser.send(text)
    with suppress(ConnectionClosed):
        while True:
            browser.recv(timeout=20)
    assert browser.close_code == BROKEN
    assert ask(other, "people") is not None
    assert station.desk.asked == ["people"]


def test_a_message_that_is_too_long_ends_the_connection(station: Station) -> None:
    browser = station.browser()
    browser.send(json.dumps({"type": "ask", "id": 1, "name": "save", "arguments": {"x": "y" * LARGEST_MESSAGE}}))
    with suppress(ConnectionClosed):
        while True:
            browser.recv(timeout=20)
    assert browser.close_code == TOO_BIG
