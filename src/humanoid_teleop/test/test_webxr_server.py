# SPDX-License-Identifier: Apache-2.0
"""The page's server: who gets in, who drives, and what reaches whom. Real sockets on this computer."""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from humanoid_core.page_server import BROKEN, UNPAIRED, ServerError
from humanoid_core.pairing import Pairing
from humanoid_teleop.webxr import packet
from humanoid_teleop.webxr.server import LARGEST_MESSAGE, HeadsetServer

TLS = ssl._create_unverified_context()
# The client reads in a thread of its own. With TLS 1.3 that first finds the session's tickets, and OpenSSL hangs where
# another thread writes meanwhile.
TLS.maximum_version = ssl.TLSVersion.TLSv1_2
TOO_BIG = 1009  # RFC 6455


class Listener:
    """Notes what the server tells."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple[Any, ...]] = queue.Queue()

    def connected(self) -> None:
        self.heard.put(("connected",))

    def packet(self, data: bytes, arrival: int, clock: object) -> None:
        self.heard.put(("packet", data, clock))

    def disconnected(self, reason: str) -> None:
        self.heard.put(("disconnected", reason))

    def command(self, name: str, arguments: dict[str, Any], answer: Any) -> None:
        self.heard.put(("command", name, arguments))
        threading.Thread(target=answer, args=(True, f"did {name}")).start()

    def next(self) -> tuple[Any, ...]:
        return self.heard.get(timeout=20)


class Station:
    """A server with its listener, and browsers."""

    def __init__(self, folder: Path) -> None:
        self.listener = Listener()
        self.pairing = Pairing(None, lambda _: None)
        self.server = HeadsetServer("127.0.0.1", 0, folder, self.pairing, self.listener)
        self.url = f"https://127.0.0.1:{self.server.port}"
        self.browsers: list[ClientConnection] = []

    def post(self, content: bytes) -> dict[str, str]:
        request = urllib.request.Request(f"{self.url}/pair", content, method="POST")
        return dict(json.load(urllib.request.urlopen(request, context=TLS, timeout=20)))

    def browser(self, token: str | None = None) -> ClientConnection:
        if token is None:
            token = self.post(json.dumps({"code": self.pairing.code}).encode())["token"]
        browser = connect(self.url.replace("https", "wss") + "/ws", ssl=TLS, open_timeout=60)
        browser.send(token)
        self.browsers.append(browser)
        return browser

    def driver(self) -> ClientConnection:
        browser = self.browser()
        browser.send('{"type": "drive"}')
        assert self.listener.next() == ("connected",)
        return browser


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    yield station
    station.server.stop()
    for browser in station.browsers:
        browser.close()


def heard(browser: ClientConnection, kind: str, **values: Any) -> dict[str, Any]:
    """The next message of a kind with these values."""
    while True:
        data = browser.recv(timeout=20)
        if isinstance(data, str):
            message = json.loads(data)
            if message["type"] == kind and values.items() <= message.items():
                return dict(message)


def closing(browser: ClientConnection) -> int | None:
    """The code that a connection is closed with."""
    with suppress(ConnectionClosed):
        while True:
            browser.recv(timeout=20)
    return browser.close_code


def a_packet() -> bytes:
    record = np.zeros(1, packet.PACKET)[0]
    record["version"] = packet.VERSION
    return record.tobytes()


def test_the_page_is_there(station: Station) -> None:
    page = urllib.request.urlopen(station.url, context=TLS, timeout=20).read().decode()
    assert "page.js" in page
    assert urllib.request.urlopen(f"{station.url}/page.js", context=TLS, timeout=20).status == 200


@pytest.mark.parametrize("token", ["", "no token", "x" * 2000])
def test_an_unpaired_browser_gets_nothing(station: Station, token: str) -> None:
    station.server.set_status(safety="active")
    station.server.set_picture(0, b"jpeg")
    browser = station.browser(token)
    with pytest.raises(ConnectionClosed):
        browser.recv(timeout=20)
    assert browser.close_code == UNPAIRED
    assert station.server.clients == 0


@pytest.mark.parametrize(
    ("content", "status"), [(b'{"code": "wrong!"}', 403), (b"nonsense", 400), (b"[1]", 400), (b"x" * 10_000, 413)]
)
def test_a_wrong_code_gets_no_token(station: Station, content: bytes, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        station.post(content)
    assert refused.value.code == status


def test_one_drives_and_the_others_watch(station: Station) -> None:
    first, second = station.driver(), station.browser()
    assert heard(first, "role", clients=2)["role"] == "drives"
    second.send('{"type": "drive"}')
    assert heard(second, "role", clients=2, free=False)["role"] == "watches"
    second.send(a_packet())
    second.send('{"type": "command", "name": "stop"}')
    first.send(a_packet())
    assert station.listener.next()[0] == "packet"
    first.send('{"type": "command", "name": "record"}')
    assert station.listener.next()[:2] == ("command", "record")  # and nothing of the second's
    assert heard(first, "answer")["message"] == "did record"
    first.close()
    assert station.listener.next()[0] == "disconnected"
    assert heard(second, "role", free=True)["role"] == "watches"
    second.send('{"type": "drive"}')
    assert heard(second, "role")["role"] == "drives"


def test_letting_go_frees_the_controls(station: Station) -> None:
    browser = station.driver()
    browser.send('{"type": "release"}')
    assert station.listener.next()[0] == "disconnected"
    assert heard(browser, "role", free=True)["role"] == "watches"


def test_the_headsets_clock_is_asked_for(station: Station) -> None:
    browser = station.driver()
    question = heard(browser, "ping")
    browser.send(json.dumps({"type": "pong", "asked": question["asked"], "now": int(question["asked"]) * 1e-6 + 5000}))
    browser.send(a_packet())
    clock = station.listener.next()[2]
    assert abs(clock.offset - 5_000_000_000) <= clock.uncertainty + 1000


def test_a_picture_waits_until_the_one_before_was_shown(station: Station) -> None:
    browser = station.browser()
    heard(browser, "status")
    for number in (1, 2, 3):
        station.server.set_picture(0, bytes([number]))
    station.server.set_status(mark="after the pictures")
    messages: list[str | bytes] = []
    while not messages or b"after the pictures" not in str(messages[-1]).encode():
        messages.append(browser.recv(timeout=20))
    assert [message for message in messages if isinstance(message, bytes)] == [b"\x00\x01"]
    browser.send('{"type": "shown", "picture": 0}')
    browser.send('{"type": "drive"}')
    heard(browser, "role", role="drives")  # the server took both in
    station.server.set_picture(0, b"\x04")
    while not isinstance(message := browser.recv(timeout=20), bytes):
        pass
    assert message == b"\x00\x04"


def test_a_late_browser_sees_what_is_known(station: Station) -> None:
    station.server.set_status(safety="hold")
    station.server.set_picture(1, b"right")
    browser = station.browser()
    assert heard(browser, "status")["safety"] == "hold"
    while not isinstance(message := browser.recv(timeout=20), bytes):
        pass
    assert message == b"\x01right"


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}", '{"type": "pong"}', '{"type": "shown", "picture": "x"}'])
def test_nonsense_ends_the_connection_and_nothing_else(station: Station, text: str) -> None:
    browser, other = station.driver(), station.browser()
    browser.send(text)
    assert closing(browser) == BROKEN
    assert station.listener.next()[0] == "disconnected"
    heard(other, "role", free=True)


def test_an_endless_message_ends_the_connection(station: Station) -> None:
    browser = station.driver()
    browser.send(bytes(LARGEST_MESSAGE + 1))
    assert closing(browser) == TOO_BIG
    assert station.listener.next()[0] == "disconnected"


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=str(port)):
            HeadsetServer("127.0.0.1", port, tmp_path, Pairing(None, lambda _: None), Listener())
