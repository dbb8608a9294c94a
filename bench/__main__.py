# SPDX-License-Identifier: Apache-2.0
"""Run benchmarks: print a table, write <out>/<area>.json."""

import argparse
import importlib
import sys
from pathlib import Path

from bench import report
from humanoid_core.errors import HumanoidError


def main() -> int:
    """Run the areas asked for; 0 unless one could not be measured (or, with --strict, missed a target)."""
    targets = report.read_targets(Path(__file__).with_name("targets.yaml"))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="area", help=f"{', '.join(targets)}; default: all")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of what is measured over time [s]")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of the JSON files")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    unknown = [area for area in options.areas if area not in targets]
    if unknown:
        parser.error(f"no area {', '.join(unknown)}; there are {', '.join(targets)}")
    missed = False
    for area in options.areas or targets:
        try:
            figures = importlib.import_module(f"bench.{area}").measure(options.seconds)
            rows = report.rows(targets[area], figures, area)
        except HumanoidError as error:
            print(f"{area}: {error}", file=sys.stderr)
            return 1
        print(report.table(area, rows))
        report.write(options.out / f"{area}.json", rows)
        missed |= any(row["met"] is False for row in rows)
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
