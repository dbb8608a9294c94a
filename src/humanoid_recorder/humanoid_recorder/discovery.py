# SPDX-License-Identifier: Apache-2.0
"""Finds the topics to record in the ROS graph, and fits subscriptions to what their publishers offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

from humanoid_core.definitions import full_text, type_hash
from humanoid_core.errors import HumanoidError
from humanoid_recorder.bag_metadata import OfferedQos, qos_text
from humanoid_recorder.selection import Selection, Wanted, depth_of, group_of
from humanoid_recorder.writers import Topic

_LIVELINESS = {LivelinessPolicy.AUTOMATIC: "automatic", LivelinessPolicy.MANUAL_BY_TOPIC: "manual_by_topic"}


@dataclass(frozen=True)
class Found:
    """A topic to listen to, and how."""

    topic: Topic
    wanted: Wanted
    publishers: int
    latched: bool
    qos: QoSProfile


class Discovery:
    """Looks at the graph again and again.

    Args:
        node: Whose view of the graph counts.
        selection: What is wanted.
    """

    def __init__(self, node: Node, selection: Selection) -> None:
        self._node = node
        self._selection = selection
        self.complaints: dict[str, str] = {}  # by topic: why it cannot be recorded

    def look(self, known: Mapping[str, str]) -> list[Found]:
        """Wanted topics that have a publisher and are not known yet.

        Args:
            known: Type of each topic that is listened to, by name.
        """
        found = []
        for name, types in self._node.get_topic_names_and_types():
            if name in known:
                if types != [known[name]] and self._node.get_publishers_info_by_topic(name):
                    self._check_types(name, known[name])
                continue
            wanted = self._selection.find(name, self._node.get_namespace())
            if wanted is None:
                continue
            offers = self._node.get_publishers_info_by_topic(name)
            if not offers:
                continue
            if len(types) > 1:
                self.complaints[name] = f"{name}: found types {', '.join(types)}, expected one"
                continue
            try:
                found.append(self._describe(name, types[0], wanted, offers))
                self.complaints.pop(name, None)
            except HumanoidError as error:
                self.complaints[name] = f"{name}: {error}"
        return found

    def fitting_qos(self, name: str, wanted: Wanted, group: str) -> QoSProfile | None:
        """What a subscription needs to hear all of a topic's present publishers; None where there are none."""
        offers = [info.qos_profile for info in self._node.get_publishers_info_by_topic(name)]
        return _request(offers, depth_of(wanted, group)) if offers else None

    def _check_types(self, name: str, recorded: str) -> None:
        """A topic's type may not change: messages of another one are not heard, and that must not pass unseen."""
        others = {info.topic_type for info in self._node.get_publishers_info_by_topic(name)} - {recorded}
        if others:
            self.complaints[name] = f"{name}: recorded as {recorded}, but published as {', '.join(sorted(others))} too"

    def publishers(self, name: str) -> int:
        """How many publishers a topic has."""
        return self._node.count_publishers(name)

    def publisher_ids(self, name: str) -> list[bytes]:
        """GID of each publisher of a topic."""
        return [bytes(info.endpoint_gid) for info in self._node.get_publishers_info_by_topic(name)]

    def _describe(self, name: str, kind: str, wanted: Wanted, offers: list[TopicEndpointInfo]) -> Found:
        group = group_of(wanted, kind)
        announced = str(offers[0].topic_type_hash)
        topic = Topic(
            name=name,
            type=kind,
            type_hash=announced if announced.startswith("RIHS") else type_hash(kind),
            definition=full_text(kind),
            qos=qos_text(tuple(_offer(info.qos_profile) for info in offers)),
            group=group,
        )
        qos = _request([info.qos_profile for info in offers], depth_of(wanted, group))
        return Found(topic, wanted, len(offers), qos.durability == DurabilityPolicy.TRANSIENT_LOCAL, qos)


def _request(offers: list[QoSProfile], depth: int) -> QoSProfile:
    """The most that every publisher offers."""
    reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
    latched = all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _offer(profile: QoSProfile) -> OfferedQos:
    return OfferedQos(
        reliability="reliable" if profile.reliability == ReliabilityPolicy.RELIABLE else "best_effort",
        durability="transient_local" if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL else "volatile",
        deadline_ns=profile.deadline.nanoseconds,
        lifespan_ns=profile.lifespan.nanoseconds,
        liveliness=_LIVELINESS.get(profile.liveliness, "automatic"),
        lease_ns=profile.liveliness_lease_duration.nanoseconds,
    )
