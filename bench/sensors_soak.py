# SPDX-License-Identifier: Apache-2.0
"""All sensors on for a long time, and whether any message was lost: `python -m bench.sensors_soak` (30 minutes)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from bench import report
from bench.sensors_all import AllSensors, run
from humanoid_core.errors import HumanoidError


def main() -> int:
    """Run, print a line a minute, write the sums as JSON; 1 where a message was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--out", type=Path, default=Path("build/bench/sensors_soak.json"))
    options = parser.parse_args()

    def tell(sensors: AllSensors, passed: float) -> None:
        taken = sum(one.taken for one in sensors.streams.values())
        print(
            f"{passed / 60:5.1f} of {options.minutes:g} min: {taken} messages, {sensors.lost} lost, "
            f"machine's load {os.getloadavg()[0]:.1f}",
            flush=True,
        )

    try:
        sensors = run(60.0 * options.minutes, tell)
    except HumanoidError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    streams = {
        name: {"taken": one.taken, "lost": one.lost, "hz": one.taken / (60.0 * options.minutes)}
        for name, one in sensors.streams.items()
    }
    for name, one in streams.items():
        print(f"{name:36} {one['taken']:9.0f} taken {one['lost']:5.0f} lost {one['hz']:7.1f} Hz")
    cpu = ", ".join(f"{name} {100 * share:.0f} %" for name, share in sensors.cpu.items())
    print(f"share of a core: {cpu}; lost inside drivers: {sum(sensors.lost_inside.values())}")
    whole = {"minutes": options.minutes, "streams": streams, "cpu": sensors.cpu, "inside": sensors.lost_inside}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": report.machine(), **whole}, indent=2) + "\n", encoding="utf-8")
    return 1 if sensors.lost else 0


if __name__ == "__main__":
    sys.exit(main())
