# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_dataset export <folder>... --output <data set>` turns episodes into a data set to train on.

Exit code: 0 done; 1 some episodes could not be used and were left out; 2 nothing was written.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from humanoid_core.errors import HumanoidError
from humanoid_dataset.contract import Contract, load_contract
from humanoid_dataset.entries import folders, read_entry
from humanoid_dataset.errors import ExportError
from humanoid_dataset.lerobot import DataSet
from humanoid_dataset.pieces import Piece, key_of, make_piece
from humanoid_dataset.progress import Progress

FORMATS = {"lerobot-v3": "v3.0", "lerobot-v2.1": "v2.1", "hdf5": ""}


def export(
    episodes: list[Path], output: Path, contract: Contract, form: str, jobs: int = 1, progress: Progress | None = None
) -> list[str]:
    """Write a data set. Pieces of an export that was cut off lie in `<output>.work` and are taken.

    Args:
        episodes: Folders, in the order that they get.
        output: Where it goes; must not be there.
        contract: What goes into it.
        form: One of FORMATS.
        jobs: Episodes at a time.
        progress: Gets 1 for each episode.

    Returns:
        Why episodes were left out.

    Raises:
        ExportError: nothing can be written, or the result is not whole.
    """
    if output.exists():
        raise ExportError(f"{output}: found something there, expected a new place")
    if not episodes:
        raise ExportError(f"{output}: found no episodes to export, expected some")
    work = output.with_name(output.name + ".work")
    kind = "hdf5" if form == "hdf5" else "video"
    places = {folder: work / key_of(folder, contract, kind) for folder in episodes}
    pieces: dict[Path, Piece] = {}
    faults = []
    for folder, outcome in _made(places, contract, kind, jobs):
        if isinstance(outcome, Piece):
            pieces[folder] = outcome
        else:
            faults.append(outcome)
        if progress:
            progress.add()
    chosen = [pieces[folder] for folder in episodes if folder in pieces]
    if not chosen:
        raise ExportError(f"{output}: found no episode that can be used: {'; '.join(faults[:3])}")
    staged = work / "set.part"
    shutil.rmtree(staged, ignore_errors=True)
    if form == "hdf5":
        staged.mkdir(parents=True)
        for i, piece in enumerate(chosen):
            shutil.copyfile(piece.folder / "episode.hdf5", staged / f"episode_{i}.hdf5")
    else:
        DataSet(staged, chosen, contract).write(FORMATS[form])
    staged.rename(output)
    shutil.rmtree(work)
    return faults


def _made(places: dict[Path, Path], contract: Contract, kind: str, jobs: int) -> Iterator[tuple[Path, Piece | str]]:
    """Pieces as they are finished, or why there is none."""
    if jobs <= 1:
        for folder, place in places.items():
            yield folder, _try(folder, contract, kind, place)
        return
    # Nothing of this process but the job: FFmpeg waits for ever, in a fork, for the threads it had before.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(_try, folder, contract, kind, place): folder for folder, place in places.items()}
        for done in as_completed(running):
            try:
                yield running[done], done.result()
            except BrokenProcessPool as error:
                raise ExportError(
                    "found a worker that died, expected it to live (memory?): run again, finished episodes are kept"
                ) from error


def _try(folder: Path, contract: Contract, kind: str, place: Path) -> Piece | str:
    try:
        return make_piece(folder, contract, kind, place)
    except HumanoidError as reason:
        return str(reason)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="export", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER", help="episode folders, or folders above them")
    parser.add_argument("--output", type=Path, required=True, help="the data set's folder; must not be there")
    parser.add_argument("--format", choices=tuple(FORMATS), default="lerobot-v3", help="of the data set")
    parser.add_argument("--contract", default="", help="what goes into it (default: config/export/default.yaml)")
    parser.add_argument("--jobs", type=int, default=1, help="episodes at a time")
    parser.add_argument("--all", action="store_true", help="take failed and rejected episodes, too")
    options = parser.parse_args(arguments)
    try:
        contract = load_contract(options.contract)
        found = [folder for path in options.paths for folder in folders(path)]
        chosen = found if options.all else [folder for folder in found if read_entry(folder).usable]
        with Progress("export", len(chosen)) as progress:
            faults = export(chosen, options.output, contract, options.format, options.jobs, progress)
    except HumanoidError as reason:
        print(f"export: {reason}", file=sys.stderr)
        return 2
    for fault in faults:
        print(f"export: left out: {fault}", file=sys.stderr)
    left = len(found) - len(chosen)
    print(
        f"{len(chosen) - len(faults)} episodes in {options.output}" + (f", {left} not usable left out" if left else "")
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
