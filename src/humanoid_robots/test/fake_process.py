# SPDX-License-Identifier: Apache-2.0
"""A fake robot as a process that a test talks to: orders as JSON lines in, what it has seen as JSON lines out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# This machine only, as the tests' ROS side: both look for each other at 127.0.0.1.
_CYCLONE = """<CycloneDDS><Domain>
  <General><AllowMulticast>false</AllowMulticast>
    <Interfaces><NetworkInterface name="lo" multicast="false"/></Interfaces></General>
  <Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>60</MaxAutoParticipantIndex>
    <Peers><Peer address="127.0.0.1"/></Peers></Discovery>
</Domain></CycloneDDS>"""


def patient_driver(place: Path, name: str) -> Path:
    """One of our driver files with longer timeouts: a busy machine keeps fake robot and tests waiting now and then."""
    text = (Path(__file__).parents[3] / "config" / "drivers" / f"{name}.yaml").read_text(encoding="utf-8")
    patient = text.replace("state_timeout: 0.1", "state_timeout: 2.0")
    patient = patient.replace("command_timeout: 0.1", "command_timeout: 0.6")
    assert "state_timeout: 2.0" in patient
    assert "command_timeout: 0.6" in patient
    file = place / f"{name}.yaml"
    file.write_text(patient, encoding="utf-8")
    return file


class FakeRobot:
    """Starts a fake robot, a script beside this file; `ask` gives it orders and returns what it has seen."""

    def __init__(self, script: str, domain: int, rate: float = 100.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(script)), str(domain), str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CYCLONEDDS_URI": _CYCLONE},
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def ask(self, **orders: Any) -> dict[str, Any]:
        """Change its settings; what it has seen since the last `clear=True`."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10.0)
