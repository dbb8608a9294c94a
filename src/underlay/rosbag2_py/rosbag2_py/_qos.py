# SPDX-License-Identifier: Apache-2.0
"""Quality of service in bags: the object, its YAML form, and what a recorder or player makes of it."""

import copy
from dataclasses import dataclass
from typing import Any

import yaml
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

POLICIES = {
    "history": HistoryPolicy,
    "reliability": ReliabilityPolicy,
    "durability": DurabilityPolicy,
    "liveliness": LivelinessPolicy,
}
DURATIONS = ("deadline", "lifespan", "liveliness_lease_duration")
# In the order of the file.
_FIELDS = (
    "history",
    "depth",
    "reliability",
    "durability",
    "deadline",
    "lifespan",
    "liveliness",
    "liveliness_lease_duration",
    "avoid_ros_namespace_conventions",
)
_DEFAULT_DEPTH = 10
# Upstream keeps 10 samples; Python stalls longer, and what overflows is lost without a trace.
_RECORDER_DEPTH = 100


@dataclass
class QoS:
    """A profile as rosbag2_py hands it around."""

    profile: QoSProfile


def encode(qos: QoS) -> dict[str, Any]:
    """The mapping that a bag holds for a profile (metadata version 9)."""
    node: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(qos.profile, name)
        if name in POLICIES:
            node[name] = value.name.lower()
        elif name in DURATIONS:
            node[name] = dict(zip(("sec", "nsec"), divmod(value.nanoseconds, 1_000_000_000)))
        else:
            node[name] = value
    return node


def decode(node: dict[str, Any]) -> QoS:
    """The profile of a mapping with policies as words (version 9) or numbers (before)."""
    profile = QoSProfile(depth=_DEFAULT_DEPTH)
    for name, policy in POLICIES.items():
        value = node[name]
        setattr(profile, name, policy(value) if isinstance(value, int) else policy[value.upper()])
    if profile.history == HistoryPolicy.KEEP_LAST:
        profile.depth = node["depth"]
    for name in DURATIONS:
        nanoseconds = node[name]["sec"] * 1_000_000_000 + node[name]["nsec"]
        setattr(profile, name, Duration(nanoseconds=min(nanoseconds, 2**63 - 1)))
    profile.avoid_ros_namespace_conventions = node["avoid_ros_namespace_conventions"]
    return QoS(profile)


def to_rclcpp_qos_vector(serialized: str, version: int) -> list[QoS]:
    """Profiles of a YAML list. The version is of no consequence: words and numbers tell themselves apart."""
    return [decode(node) for node in yaml.safe_load(serialized) or []]


def request_for(topic: str, offers: list[QoSProfile]) -> QoSProfile:
    """A subscription's profile that matches all publishers: as strict as the least strict of them."""
    request = QoSProfile(depth=_RECORDER_DEPTH)
    for name, strict, lax in (
        ("reliability", ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
        ("durability", DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE),
    ):
        count = sum(getattr(offer, name) == strict for offer in offers)
        setattr(request, name, strict if offers and count == len(offers) else lax)
        if 0 < count < len(offers):
            get_logger("rosbag2_storage").warning(
                f'Some, but not all, publishers on topic "{topic}" offer {strict.name}. Falling back to {lax.name}, '
                "which connects to all of them; messages may be missed."
            )
    return request


def offer_for(topic: str, recorded: list[QoS]) -> QoSProfile:
    """A player's profile: the recorded one if all publishers agreed, the default otherwise."""
    profiles = [copy.copy(qos.profile) for qos in recorded] or [QoSProfile(depth=_DEFAULT_DEPTH)]
    for profile in profiles:
        profile.history, profile.depth, profile.lifespan = HistoryPolicy.KEEP_LAST, _DEFAULT_DEPTH, Duration()
    if any(profile != profiles[0] for profile in profiles):
        get_logger("rosbag2_storage").warning(
            f"Not all original publishers on topic {topic} offered the same QoS profiles. Falling back to the default."
        )
        return QoSProfile(depth=_DEFAULT_DEPTH)
    if recorded:
        profiles[0].lifespan = recorded[0].profile.lifespan
    return profiles[0]
