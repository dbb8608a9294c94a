# SPDX-License-Identifier: Apache-2.0
"""Millions of hostile control steps over all robots and rates: `make soak-safety`.

`python -m bench.safety_soak [steps]`: a table on screen and in build/bench/safety_soak.txt, JSON beside it. Both are
written anew after each round, so that a soak that is stopped early has told what it saw.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from bench.report import machine
from bench.rig import REPOSITORY
from bench.safety_adversaries import RATES, Case, Tally, ours, requests_of, robot_files

STEPS = 10_000_000
ROUND = 10_000  # steps of one robot at one rate in one round: each starts at home, at rest
OUT = REPOSITORY / "build/bench"


def soak(steps: int) -> bool:
    """Run; whether no limit was broken."""
    cases = [Case.of(path, rate) for path in robot_files() for rate in RATES]
    tallies = [Tally() for _ in cases]
    begin, number = time.monotonic(), 0
    while sum(tally.steps for tally in tallies) < steps:
        for case, tally in zip(cases, tallies):
            number += 1
            start = time.process_time()
            commands = ours(case, requests_of(case, ROUND, number), np.random.default_rng(number))
            tally.add(case, commands, time.process_time() - start)
        report(cases, tallies, time.monotonic() - begin)
    return not any(tally.violations for tally in tallies)


def report(cases: list[Case], tallies: list[Tally], seconds: float) -> None:
    """Table and JSON of what was seen so far."""
    rows: list[dict[str, Any]] = []
    for case, tally in zip(cases, tallies):
        rows.append({"robot": case.robot.config.name, "rate": case.rate, **_row(tally)})
    total = tallies[0]
    for tally in tallies[1:]:
        total = total.merged(tally)
    rows.append({"robot": "all", "rate": None, **_row(total)})
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), "wall_seconds": round(seconds), "rows": rows}, indent=1)
    (OUT / "safety_soak.json").write_text(text, encoding="utf-8")
    (OUT / "safety_soak.txt").write_text(table(rows), encoding="utf-8")
    print(f"{total.steps / 1e6:.2f} million steps, {total.violations} violations, {seconds:.0f} s", flush=True)


def _row(tally: Tally) -> dict[str, Any]:
    return {
        "steps": tally.steps,
        "violations": tally.violations,
        "broken": {name: count for name, count in tally.broken.items() if count},
        "worst_share": tally.shares,
        "nearest": tally.nearest,
        "nearest_pair": tally.pair,
        "fastest_hand_or_elbow_share": tally.fastest,
        "cpu_us_per_step": 1e6 * tally.seconds / max(tally.steps, 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """For people."""
    lines = [
        f"{'robot':18}{'Hz':>6}{'steps':>11}{'violations':>12}{'velocity':>13}{'acceleration':>14}{'jerk':>13}"
        f"{'hand speed':>12}{'nearest mm':>12}{'us/step':>9}"
    ]
    for row in rows:
        share = row["worst_share"]
        lines.append(
            f"{row['robot']:18}{row['rate'] or '':>6}{row['steps']:>11}{row['violations']:>12}"
            f"{share.get('velocity', 0):>13.9f}{share.get('acceleration', 0):>14.9f}{share.get('jerk', 0):>13.9f}"
            f"{row['fastest_hand_or_elbow_share']:>12.6f}{1e3 * row['nearest']:>12.4f}{row['cpu_us_per_step']:>9.0f}"
        )
    return "\n".join([*lines, "velocity, acceleration, jerk, hand speed: largest share of the limit", ""])


if __name__ == "__main__":
    clean = soak(int(float(sys.argv[1])) if len(sys.argv) > 1 else STEPS)
    print((OUT / "safety_soak.txt").read_text(encoding="utf-8"))
    sys.exit(0 if clean else 1)
