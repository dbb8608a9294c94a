# SPDX-License-Identifier: Apache-2.0
"""What RViz and Foxglove show: the closest bodies, the support polygon, the centre of mass."""

from __future__ import annotations

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from visualization_msgs.msg import Marker, MarkerArray

from humanoid_safety.balance import Balance
from humanoid_safety.self_distance import Near

_GREEN, _AMBER, _RED = (0.1, 0.7, 0.2), (0.95, 0.65, 0.05), (0.85, 0.1, 0.1)
_NEAR, _CLOSE = 0.02, 0.05  # [m] where colours change


def safety_markers(stamp: Time, frame: str, near: Near, balance: Balance) -> MarkerArray:
    """Markers in the base frame."""
    markers = []
    if near.on_a is not None and near.on_b is not None:
        line = _marker(stamp, frame, "closest", Marker.LINE_LIST, _colour(near.distance))
        line.points = [_point(near.on_a), _point(near.on_b)]
        line.scale.x = 0.006
        markers.append(line)
    if len(balance.polygon):
        polygon = _marker(stamp, frame, "support", Marker.LINE_STRIP, _colour(balance.margin))
        polygon.points = [_point(point) for point in (*balance.polygon, balance.polygon[0])]
        polygon.scale.x = 0.006
        ball = _marker(stamp, frame, "centre_of_mass", Marker.SPHERE, _colour(balance.margin))
        ball.pose.position = _point(balance.centre)
        ball.scale.x = ball.scale.y = ball.scale.z = 0.04
        shadow = _marker(stamp, frame, "centre_of_mass_on_floor", Marker.SPHERE, _colour(balance.margin))
        shadow.pose.position = _point((*balance.centre[:2], balance.polygon[0, 2]))
        shadow.scale.x = shadow.scale.y = shadow.scale.z = 0.02
        markers += [polygon, ball, shadow]
    return MarkerArray(markers=markers)


def _marker(stamp: Time, frame: str, name: str, kind: int, colour: tuple[float, float, float]) -> Marker:
    marker = Marker(ns=name, type=kind, action=Marker.ADD)
    marker.header.stamp, marker.header.frame_id = stamp, frame
    marker.pose.orientation.w = 1.0
    marker.color.r, marker.color.g, marker.color.b = colour
    marker.color.a = 1.0
    return marker


def _colour(metres: float) -> tuple[float, float, float]:
    return _RED if not metres > _NEAR else _AMBER if metres < _CLOSE else _GREEN


def _point(at) -> Point:
    x, y, z = (float(value) for value in at)
    return Point(x=x, y=y, z=z)
