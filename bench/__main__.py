# SPDX-License-Identifier: Apache-2.0
"""Run benchmarks: print a table, write <out>/<area>.json. An area with PARTS can be run in pieces, as `recorder.crash`;
the file then keeps the rows of the others."""

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
    parser.add_argument("areas", nargs="*", metavar="area[.part]", help=f"{', '.join(targets)}; default: all")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of what is measured over time [s]")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of the JSON files")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    unknown = [asked for asked in options.areas if asked.partition(".")[0] not in targets]
    if unknown:
        parser.error(f"no area {', '.join(unknown)}; there are {', '.join(targets)}")
    missed = False
    for asked in options.areas or targets:
        area, _, part = asked.partition(".")
        module = importlib.import_module(f"bench.{area}")
        parts = getattr(module, "PARTS", {})
        if part and part not in parts:
            parser.error(f"no part {part} of {area}; there are {', '.join(parts) or 'none'}")
        try:
            figures = (parts[part] if part else module.measure)(options.seconds)
            rows = report.rows(targets[area], figures, area, whole=not part)
        except HumanoidError as error:
            print(f"{asked}: {error}", file=sys.stderr)
            return 1
        print(report.table(asked, rows))
        report.write(options.out / f"{area}.json", rows, keep=list(targets[area]) if part else [])
        missed |= any(row["met"] is False for row in rows)
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
