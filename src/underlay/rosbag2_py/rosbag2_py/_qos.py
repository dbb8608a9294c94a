# SPDX-License-Identifier: Apache-2.0
"""Quality of service in bags: the object, its YAML form, and what a recorder or player makes of it."""

import copy
from typing import Any, cast

import yaml
from rclpy.duration import Duration as RclpyDuration
from rclpy.logging import get_logger
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

# What middlewares of Foxy wrote for "infinite".
_FOXY_INFINITE = ((0x7FFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFFF))
_INFINITE = RclpyDuration(nanoseconds=2**63 - 1)
_POLICIES = {
    "history": HistoryPolicy,
    "reliability": ReliabilityPolicy,
    "durability": DurabilityPolicy,
    "liveliness": LivelinessPolicy,
}
_DURATIONS = ("deadline", "lifespan", "liveliness_lease_duration")
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


class Duration(RclpyDuration):
    """A duration as `QoS` takes it."""

    def __init__(self, seconds: int, nanoseconds: int) -> None:
        super().__init__(seconds=seconds, nanoseconds=nanoseconds)


class QoS:
    """A mutable profile whose setters can be chained, as rclcpp::QoS."""

    def __init__(self, history_depth: int) -> None:
        self.profile = QoSProfile(depth=history_depth)

    @classmethod
    def of(cls, profile: QoSProfile) -> "QoS":
        """Wrap a copy of a profile of rclpy."""
        qos = cls(_DEFAULT_DEPTH)
        qos.profile = copy.copy(profile)
        return qos

    def _set(self, name: str, value: Any) -> "QoS":
        setattr(self.profile, name, value)
        return self

    def keep_last(self, depth: int) -> "QoS":
        """Keep the last samples."""
        return self._set("history", HistoryPolicy.KEEP_LAST)._set("depth", depth)

    def keep_all(self) -> "QoS":
        """Keep all samples."""
        return self._set("history", HistoryPolicy.KEEP_ALL)._set("depth", 0)

    def reliable(self) -> "QoS":
        """Resend what was lost."""
        return self._set("reliability", ReliabilityPolicy.RELIABLE)

    def best_effort(self) -> "QoS":
        """Send once."""
        return self._set("reliability", ReliabilityPolicy.BEST_EFFORT)

    def durability_volatile(self) -> "QoS":
        """Nothing for late subscribers."""
        return self._set("durability", DurabilityPolicy.VOLATILE)

    def transient_local(self) -> "QoS":
        """Late subscribers get the kept samples."""
        return self._set("durability", DurabilityPolicy.TRANSIENT_LOCAL)

    def __getattr__(self, name: str) -> Any:
        """The remaining setters: `history(policy)`, `deadline(duration)` and so on."""
        if name in _FIELDS and name != "depth":
            return lambda value: self._set(name, value)
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QoS) and self.profile == other.profile


def encode(qos: QoS) -> dict[str, Any]:
    """The mapping that a bag holds for a profile (metadata version 9)."""
    node: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(qos.profile, name)
        if name in _POLICIES:
            node[name] = value.name.lower()
        elif name in _DURATIONS:
            node[name] = dict(zip(("sec", "nsec"), divmod(value.nanoseconds, 1_000_000_000)))
        else:
            node[name] = value
    return node


def _duration(node: dict[str, int]) -> RclpyDuration:
    if (node["sec"], node["nsec"]) in _FOXY_INFINITE:
        return _INFINITE
    return RclpyDuration(nanoseconds=min(node["sec"] * 1_000_000_000 + node["nsec"], 2**63 - 1))


def decode(node: dict[str, Any]) -> QoS:
    """The profile of a mapping with policies as words (version 9) or numbers (before)."""
    qos = QoS(_DEFAULT_DEPTH)
    for name, policy in _POLICIES.items():
        value = node[name]
        qos._set(name, policy(value) if isinstance(value, int) else policy[value.upper()])
    if qos.profile.history == HistoryPolicy.KEEP_LAST:
        qos._set("depth", node["depth"])
    for name in _DURATIONS:
        qos._set(name, _duration(node[name]))
    return qos._set("avoid_ros_namespace_conventions", node["avoid_ros_namespace_conventions"])


def to_rclcpp_qos_vector(serialized: str, version: int) -> list[QoS]:
    """Profiles of a YAML list. The version is of no consequence: words and numbers tell themselves apart."""
    return [decode(node) for node in yaml.safe_load(serialized) or []]


def convert_rclcpp_qos_to_rclpy_qos(qos_input: QoS) -> QoSProfile:
    """The profile as rclpy wants it."""
    return cast(QoSProfile, copy.copy(qos_input.profile))


def request_for(topic: str, offers: list[QoSProfile]) -> QoSProfile:
    """A subscription's profile that matches all publishers: as strict as the least strict of them."""
    request = QoSProfile(depth=_RECORDER_DEPTH)
    for name, strict, lax in (
        ("reliability", ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
        ("durability", DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE),
    ):
        count = sum(getattr(offer, name) == strict for offer in offers)
        if offers:
            setattr(request, name, strict if count == len(offers) else lax)
        if 0 < count < len(offers):
            get_logger("rosbag2_storage").warning(
                f'Some, but not all, publishers on topic "{topic}" offer {strict.name}. Falling back to {lax.name}, '
                "which connects to all of them; messages may be missed."
            )
    return request


def offer_for(topic: str, recorded: list[QoS]) -> QoSProfile:
    """A player's profile: the recorded one if all publishers agreed, the default otherwise."""
    if not recorded:
        return QoSProfile(depth=_DEFAULT_DEPTH)
    profiles = [QoS.of(qos.profile).keep_last(_DEFAULT_DEPTH)._set("lifespan", RclpyDuration()) for qos in recorded]
    if any(profile != profiles[0] for profile in profiles):
        get_logger("rosbag2_storage").warning(
            f"Not all original publishers on topic {topic} offered the same QoS profiles. Falling back to the default."
        )
        return QoSProfile(depth=_DEFAULT_DEPTH)
    return QoS.of(recorded[0].profile).keep_last(_DEFAULT_DEPTH).profile
