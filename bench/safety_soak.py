# SPDX-License-Identifier: Apache-2.0
"""Millions of hostile control steps over all robots and rates: `make soak-safety`.

`python -m bench.safety_soak [steps] [seconds]`: a table on screen and in build/bench/safety_soak.txt, JSON beside it.
Both are written anew after each round. A soak that was stopped early, or after so many seconds, goes on where it was as
long as limiter, adversaries and referees are the same to the byte; otherwise it begins anew.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bench.report import machine
from bench.rig import REPOSITORY
from bench.safety_adversaries import RATES, Case, Tally, ours, requests_of, robot_files

STEPS = 10_000_000
ROUND = 10_000  # steps of one robot at one rate in one round: each starts at home, at rest
JSON = REPOSITORY / "build/bench/safety_soak.json"
_PACKAGE = REPOSITORY / "src/humanoid_safety/humanoid_safety"
_JUDGED = ("_native*.so", "limiter.py", "native.py", "body_model.py", "surroundings.py", "*referee.py")


def soak(steps: int, seconds: float) -> bool:
    """Run; whether no limit was broken."""
    cases = [Case.of(path, rate) for path in robot_files() for rate in RATES]
    digest = _digest()  # once: files may change while this runs
    rounds, wall, tallies = _before(digest, len(cases))
    begin = time.monotonic()
    while sum(tally.steps for tally in tallies) < steps and time.monotonic() - begin < seconds:
        for number, (case, tally) in enumerate(zip(cases, tallies), rounds * len(cases) + 1):
            start = time.process_time()
            commands = ours(case, requests_of(case, ROUND, number), np.random.default_rng(number))
            tally.add(case, commands, time.process_time() - start)
        rounds += 1
        _keep(digest, cases, tallies, rounds, wall + time.monotonic() - begin)
    return not any(tally.violations for tally in tallies)


def _digest() -> str:
    """Of what is judged and what judges."""
    files = [Path(__file__).with_name("safety_adversaries.py")]
    files += [path for pattern in _JUDGED for path in sorted(_PACKAGE.glob(pattern))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _before(digest: str, cases: int) -> tuple[int, float, list[Tally]]:
    """Rounds, seconds and tallies of the soak so far."""
    said = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {}
    if said.get("digest") != digest:
        return 0, 0.0, [Tally() for _ in range(cases)]
    rows = [{name: row[name] for name in Tally.__dataclass_fields__} for row in said["rows"][:-1]]
    tallies = [Tally(**{**row, "broken": Counter(row["broken"]), "pair": tuple(row["pair"])}) for row in rows]
    return said["rounds"], said["wall_seconds"], tallies


def _keep(digest: str, cases: list[Case], tallies: list[Tally], rounds: int, seconds: float) -> None:
    """Table and JSON of what was seen so far."""
    total = tallies[0]
    for tally in tallies[1:]:
        total = total.merged(tally)
    rows: list[dict[str, Any]] = [
        {"robot": case.robot.config.name, "rate": case.rate, **vars(tally)} for case, tally in zip(cases, tallies)
    ]
    rows.append({"robot": "all", "rate": None, **vars(total)})
    said = {"machine": machine(), "digest": digest, "rounds": rounds, "wall_seconds": seconds, "rows": rows}
    JSON.parent.mkdir(parents=True, exist_ok=True)
    JSON.write_text(json.dumps(said, indent=1), encoding="utf-8")
    JSON.with_suffix(".txt").write_text(table(rows), encoding="utf-8")
    print(f"{total.steps / 1e6:.2f} million steps, {total.violations} violations, {seconds:.0f} s", flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """For people."""
    lines = [
        f"{'robot':18}{'Hz':>6}{'steps':>10}{'violations':>11}{'velocity':>13}{'acceleration':>13}{'jerk':>13}"
        f"{'hand speed':>11}{'nearest mm':>11}{'us/step':>8}"
    ]
    for row in rows:
        share, violations = row["shares"], sum(row["broken"].values())
        lines.append(
            f"{row['robot']:18}{row['rate'] or '':>6}{row['steps']:>10}{violations:>11}"
            f"{share.get('velocity', 0):>13.9f}{share.get('acceleration', 0):>13.9f}{share.get('jerk', 0):>13.9f}"
            f"{row['fastest']:>11.6f}{1e3 * row['nearest']:>11.4f}{1e6 * row['seconds'] / max(row['steps'], 1):>8.0f}"
        )
    return "\n".join([*lines, "velocity, acceleration, jerk, hand speed: largest share of the limit", ""])


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    clean = soak(int(given[0]) if given else STEPS, given[1] if len(given) > 1 else float("inf"))
    print(JSON.with_suffix(".txt").read_text(encoding="utf-8"))
    sys.exit(0 if clean else 1)
