# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_dataset propose_labels <folder>...` proposes sub-task labels and, with `--write`, keeps them.

Exit code: 0 done; 2 an episode could not be read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from humanoid_core.errors import HumanoidError
from humanoid_dataset.check import table
from humanoid_dataset.entries import folders
from humanoid_dataset.episode import Episode
from humanoid_dataset.hands import proposals_of
from humanoid_dataset.proposals import write_proposals


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="propose_labels", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER", help="episode folders, or folders above them")
    parser.add_argument(
        "--write", action="store_true", help="put them into episode.yaml, in place of earlier proposals"
    )
    options = parser.parse_args(arguments)
    try:
        for folder in [folder for path in options.paths for folder in folders(path)]:
            found = proposals_of(Episode.open(folder))
            rows = [[f"{one.start:.2f}", f"{one.end:.2f}", one.label] for one in found]
            print(f"{folder.name}\n{table([['from s', 'to s', 'label'], *rows], right={0, 1})}\n")
            if options.write:
                write_proposals(folder, found)
    except HumanoidError as reason:
        print(f"propose_labels: {reason}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
