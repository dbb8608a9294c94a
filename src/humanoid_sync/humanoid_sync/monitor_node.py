# SPDX-License-Identifier: Apache-2.0
"""Node `sync_monitor`: what `sync/status` says, as a table that follows it."""

from __future__ import annotations

import sys

from rclpy.node import Node

from humanoid_core import endpoints, ros
from humanoid_interfaces.msg import SyncStatus
from humanoid_sync import view

_CLEAR = "\x1b[H\x1b[J"  # a terminal begins at the top again


class SyncMonitorNode(Node):
    """Prints each status; over the one before where the output is a terminal."""

    def __init__(self) -> None:
        super().__init__("sync_monitor")
        self._start = _CLEAR if sys.stdout.isatty() else ""
        ros.subscribe(self, endpoints.SYNC_STATUS, self._on_status)

    def _on_status(self, message: SyncStatus) -> None:
        print(f"{self._start}{view.status(message)}", flush=True)


def main() -> None:
    ros.run(SyncMonitorNode)
