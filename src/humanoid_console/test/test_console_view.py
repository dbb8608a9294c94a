# SPDX-License-Identifier: Apache-2.0
"""The view server without ROS: names, offers, who watches what, latched messages, disconnects."""

import re
import threading

import pytest

from humanoid_console.names import compile_patterns, shown_names
from humanoid_console.view_server import Offer, ServerError, ViewServer
from humanoid_core.errors import ConfigError

EVERYTHING = [re.compile(".*")]


class Watch:
    """Waits for the server's own threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait(self, done) -> None:
        with self._changed:
            assert self._changed.wait_for(done, timeout=10.0)


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def server(watch):
    server = ViewServer("robot", "127.0.0.1", 0, 64, watch)
    yield server
    server.stop()


@pytest.fixture
def connect(server, connect_to):
    return lambda: connect_to(server.port)


def test_topics_lose_the_robots_namespace_unless_the_name_is_taken():
    topics = ["/g1/joint_states", "/g1/clock", "/clock", "/g2/joint_states", "/g1/tf"]
    shown = shown_names(topics, "/g1", EVERYTHING, [])
    assert shown == {
        "/joint_states": "/g1/joint_states",
        "/g1/clock": "/g1/clock",
        "/clock": "/clock",
        "/g2/joint_states": "/g2/joint_states",
        "/tf": "/g1/tf",
    }
    assert shown_names(topics, "/", EVERYTHING, [re.compile("/g2/.*")]).keys() == set(topics) - {"/g2/joint_states"}
    assert shown_names(topics, "/g1", [re.compile("/joint_states")], []) == {"/joint_states": "/g1/joint_states"}


def test_wrong_patterns_are_refused():
    with pytest.raises(ConfigError, match=r"include: found '\['"):
        compile_patterns(["["], "include")


def test_offers_come_with_their_schema_and_go(server, connect):
    client = connect()
    server.offer(Offer("/words", "std_msgs/msg/String", "string data"))
    client.read_until(lambda: "/words" in client.channels)
    channel = client.channels["/words"]
    assert (channel["encoding"], channel["schemaEncoding"]) == ("cdr", "ros2msg")
    assert (channel["schemaName"], channel["schema"]) == ("std_msgs/msg/String", "string data")
    server.offer(Offer("/words", "std_msgs/msg/String", "string data"))
    server.offer(Offer("/words", "std_msgs/msg/Int32", "int32 data"))
    client.read_until(lambda: client.channels.get("/words", {}).get("schemaName") == "std_msgs/msg/Int32")
    server.withdraw("/words")
    server.withdraw("/words")
    client.read_until(lambda: not client.channels)
    server.send("/words", b"late", 1)  # falls away quietly


def test_only_watched_topics_count_and_messages_reach_their_watchers(server, connect, watch):
    for topic in ("/a", "/b"):
        server.offer(Offer(topic, "std_msgs/msg/String", "string data"))
    client = connect()
    client.read_until(lambda: len(client.channels) == 2)
    assert server.watched == set()
    client.subscribe("/a")
    watch.wait(lambda: server.watched == {"/a"})
    assert server.clients == 1
    server.send("/b", b"unseen", 1)
    server.send("/a", b"\x00\x01\x00\x00seen", 1234567890123)
    client.read_until(lambda: bool(client.messages))
    assert client.messages == [("/a", 1234567890123, b"\x00\x01\x00\x00seen")]
    client.unsubscribe("/a")
    watch.wait(lambda: server.watched == set())


def test_late_clients_of_latched_topics_are_told(server, connect, watch):
    server.offer(Offer("/latched", "std_msgs/msg/String", "string data", latched=True))
    server.offer(Offer("/plain", "std_msgs/msg/String", "string data"))
    for number in (1, 2):
        client = connect()
        client.read_until(lambda client=client: len(client.channels) == 2)
        client.subscribe("/latched")
        client.subscribe("/plain")
        watch.wait(lambda number=number: server.watched == {"/latched", "/plain"} and server.clients == number)
        watch.wait(lambda number=number: server.take_late() == ({"/latched"} if number == 2 else set()))
    assert server.take_late() == set()


def test_vanished_clients_are_forgotten(server, connect, watch):
    server.offer(Offer("/a", "std_msgs/msg/String", "string data"))
    stays, goes = connect(), connect()
    for client in (stays, goes):
        client.read_until(lambda client=client: "/a" in client.channels)
        client.subscribe("/a")
    watch.wait(lambda: server.clients == 2)
    goes.vanish()
    watch.wait(lambda: server.clients == 1)
    server.send("/a", b"still here", 5)
    stays.read_until(lambda: bool(stays.messages))
    assert stays.of("/a") == [b"still here"]


def test_taken_port_is_a_clear_error(server):
    with pytest.raises(ServerError, match=f"127.0.0.1:{server.port}: found .*, expected an address and a free port"):
        ViewServer("other", "127.0.0.1", server.port, 64, lambda: None)
