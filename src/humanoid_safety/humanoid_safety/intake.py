# SPDX-License-Identifier: Apache-2.0
"""What comes to the limiter: targets, operator frames and joint states, taken when a command is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rclpy.node import Node

from humanoid_core import endpoints
from humanoid_core.errors import HumanoidError
from humanoid_core.taps import Inbox
from humanoid_safety.dead_man import engaged
from humanoid_safety.gate import SafetyGate
from humanoid_safety.joint_state_reader import Joints, JointStateReader

_LOOK = 0.008  # [s] joint states are looked at about 100 times a second: watchdogs and take-overs need no more


class Intake:
    """Hands messages to the gate. Nothing that anybody sends ends the node.

    Args:
        node: The safety node.
        gate: Its core.
        sources: Of targets.
        traces: Whether to note when targets come.

    Attributes:
        seen: Joint states looked at last.
        received: While tracing, when a target came [ns], system clock, by its stamp [ns].
    """

    def __init__(self, node: Node, gate: SafetyGate, sources: Sequence[str], traces: bool) -> None:
        self.seen = Joints(0, [], np.zeros(0))
        self.received: dict[int, int] = {}
        self._node, self._gate, self._inbox = node, gate, Inbox(node)
        self._targets = {source: self._inbox.add(endpoints.JOINT_TARGETS.at(source=source)) for source in sources}
        # Acknowledging costs more than reading, and the next frame says what a lost one said.
        self._frames = self._inbox.add(endpoints.OPERATOR_FRAME, reliable=False)
        self._joint_states = self._inbox.add(endpoints.JOINT_STATES, depth=1, reliable=False)
        self._read_targets = {source: JointStateReader(f"joint_targets/{source}") for source in sources}
        self._read_joint_states = JointStateReader("joint_states")
        self._traces = traces
        self._looked = self._complained = 0.0  # steady

    def take(self, due: bool, now_ns: int, steady: float) -> None:
        """Take what has come since the last time.

        Asking costs: without a command due, and for sources that do not command, that is done 100 times a second.
        Targets that come before a simulated clock are let go: nobody knows yet what their stamps mean.

        Args:
            due: Whether a command is due.
            now_ns: ROS time; 0 before a simulated clock has come.
            steady: Steady time [s].
        """
        look = steady - self._looked > _LOOK
        if not (due or look):
            return
        for frame in self._frames():
            self._try(self._on_operator, frame, steady)
        for source, take in self._targets.items():
            if look or source == self._gate.arbiter.active:
                came = take()
                for targets in came if now_ns else ():
                    self._try(self._on_targets, source, targets, now_ns, steady)
        if look:
            self._looked = steady
            for joint_states in self._joint_states():
                self._try(self._on_joint_states, joint_states, steady)

    def forget(self, stamp_ns: int) -> None:
        """Of targets up to a stamp nobody asks any more when they came."""
        self.received = {stamp: came for stamp, came in self.received.items() if stamp > stamp_ns}

    def close(self) -> None:
        """Listen no more."""
        self._inbox.close()

    def _try(self, take: Callable[..., None], *arguments: Any) -> None:
        try:
            take(*arguments)
        except HumanoidError as reason:
            self._complain(f"refused: {reason}", time.monotonic())

    def _complain(self, text: str, steady: float) -> None:
        if steady - self._complained > 1.0:  # the logger's own throttle costs 0.2 ms a call
            self._complained = steady
            self._node.get_logger().warning(text)

    def _on_operator(self, frame: bytes, steady: float) -> None:
        self._gate.operator(engaged(frame), steady)

    def _on_targets(self, source: str, message: bytes, now_ns: int, steady: float) -> None:
        stamp, names, position = self._read_targets[source].read(message)
        refusal = self._gate.targets(source, names, position, stamp, now_ns, steady)
        if refusal:
            self._complain(f"{source}: {refusal}", steady)
        elif self._traces:
            self.received[stamp] = time.time_ns()

    def _on_joint_states(self, message: bytes, steady: float) -> None:
        self.seen = self._read_joint_states.read(message)
        self._gate.joint_state(self.seen.names, self.seen.position, steady)
