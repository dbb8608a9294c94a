# SPDX-License-Identifier: Apache-2.0
"""Many episodes of the stress load one after the other, and whether any message was lost: `python -m
bench.recorder_soak`. Each is deleted when it is counted."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bench import report
from bench.recorder import record_under_load
from bench.rig import REPOSITORY
from humanoid_core.errors import HumanoidError
from humanoid_recorder.sidecar import Episode


def main() -> int:
    """Record, print a line for each episode, write the sums as JSON; 1 where a message was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=45.0, help="length of each [s]")
    parser.add_argument("--load", choices=("stress", "everyday"), default="stress")
    parser.add_argument("--out", type=Path, default=Path("build/bench/recorder_soak.json"))
    options = parser.parse_args()
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(REPOSITORY / "config" / "transport" / "fastdds.xml")

    def tell(number: int, episode: Episode) -> None:
        bag = episode.bag
        size = f"{bag.messages} messages, {bag.bytes / 1e6:.0f} MB" if bag else "no bag"
        load = os.getloadavg()[0]
        print(
            f"{number + 1:4} of {options.episodes}: {size}, {episode.lost} lost, {episode.dropped} dropped, "
            f"{episode.queue_high_water / 1e6:.1f} MB waited at most, machine's load {load:.1f}",
            flush=True,
        )

    try:
        with tempfile.TemporaryDirectory() as place:
            run = record_under_load([options.load], options.episodes, options.seconds, Path(place) / "out", tell)
    except HumanoidError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    sums = {"load": options.load, "episodes": options.episodes, "seconds": options.seconds, **vars(run)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": report.machine(), **sums}, indent=2) + "\n", encoding="utf-8")
    print(
        f"{run.lost} of {run.messages} messages lost in {options.episodes} episodes of {options.seconds:g} s, "
        f"{100 * run.cpu:.1f} % of a core, {run.rate:.1f} MB/s, longest stop {1e3 * run.stop:.0f} ms"
    )
    return 1 if run.lost else 0


if __name__ == "__main__":
    sys.exit(main())
