# SPDX-License-Identifier: Apache-2.0
"""Operator device: tracked handheld devices, PoseStamped and Joy for each hand: operator/frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_srvs.srv import Trigger

from humanoid_core import convert, endpoints, ros
from humanoid_description.sources import share_folders
from humanoid_teleop import operator_messages
from humanoid_teleop.devices.handheld import HandheldPerson, load_map
from humanoid_teleop.operator import SIDES


class HandheldNode(Node):
    """Turns poses and buttons of handheld devices into operator frames, one for each pose of either hand."""

    def __init__(self) -> None:
        super().__init__("handheld")
        # Parameters
        device = ros.required(self, "device", "Make: a name in config/devices, or a file", kind=str)
        stale = ros.required(self, "stale", "A device silent for longer is lost [s]", 0.01, 10.0, kind=float)
        # State
        self._person = HandheldPerson(load_map(_mapping(device)), stale)
        self._stamps = ros.Forward(self)
        # Outputs before inputs
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self._diagnostics = ros.Diagnostics(self)
        ros.service(self, endpoints.OPERATOR_START, self._on_recentre)
        for name in ("head", *SIDES):
            ros.subscribe(self, endpoints.HANDHELD_POSE.at(part=name), self._pose_taker(name))
        for side in SIDES:
            ros.subscribe(self, endpoints.HANDHELD_JOY.at(part=side), self._joy_taker(side))

    def _pose_taker(self, name: str) -> Callable[[PoseStamped], None]:
        def take(message: PoseStamped) -> None:
            stamp = convert.stamp_ns(message.header.stamp)
            position, rotation = convert.pose_arrays(message.pose)
            self._person.pose(name, np.array(position), np.array(rotation), stamp)
            if name != "head" and self._stamps.passes(stamp):
                self._publish(stamp)

        return take

    def _joy_taker(self, side: str) -> Callable[[Joy], None]:
        return lambda message: self._person.joy(side, list(message.axes), list(message.buttons))

    def _publish(self, stamp: int) -> None:
        frame = self._person.frame(stamp)
        if frame is None:
            self._diagnostics.update(ros.Diagnostics.WARN, "waits for both hands, apart from each other")
            return
        self._frames.publish(operator_messages.to_message(frame))
        held = [side for side in SIDES if frame.hand(side).engaged]
        self._diagnostics.update(ros.Diagnostics.OK, f"engaged: {', '.join(held) or 'none'}")

    def _on_recentre(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._person.recentre()
        response.success = True
        return response


def _mapping(name: str) -> Path:
    """File of a device by name or path."""
    folders = [folder / "config" / "devices" for folder in share_folders("humanoid_bringup")]
    return next((found for found in (folder / f"{name}.yaml" for folder in folders) if found.exists()), Path(name))


def main() -> None:
    """Run the node."""
    ros.run(HandheldNode)
