# SPDX-License-Identifier: Apache-2.0
"""Pictures beside the figures of time synchronisation."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from bench.sync_referee import Verdict

mpl.use("Agg")
from matplotlib import pyplot as plt

_NAMES = {"arrival": "arrival stamps", "mean": "mean offset", "least": "least offset", "ours": "ours"}


def clock(out: Path, name: str, times: np.ndarray, errors: dict[str, np.ndarray], stated: np.ndarray) -> None:
    """Error of converted stamps over time, one run; ours with its stated uncertainty below."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, constrained_layout=True)
    for who, error in errors.items():
        top.plot(times, 1e3 * np.maximum(np.abs(error), 1e-8), lw=0.8, label=_NAMES[who])
    top.set_yscale("log")
    top.set_ylabel("|error| [ms]")
    top.legend(loc="upper right", ncols=4, fontsize=8)
    top.set_title(f"Device clock to host: {name}")
    bottom.fill_between(times, -1e6 * stated, 1e6 * stated, alpha=0.3, lw=0, label="stated uncertainty")
    bottom.plot(times, 1e6 * errors["ours"], lw=0.8, label="error")
    bottom.set_ylabel("ours [us]")
    bottom.set_xlabel("time since the first pair [s]")
    bottom.legend(loc="upper right", fontsize=8)
    _save(figure, out, f"sync_clock_{'_'.join(name.replace(',', '').replace('%', '').replace('.', '').split())}.png")


def skew(out: Path, ours: Verdict, peers: dict[str, list[float]]) -> None:
    """How the true skew of sets of images is distributed, and that of interpolated values."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), constrained_layout=True)
    for label, values in {
        **peers,
        "ours": ours.spread,
        "phase floor": ours.floor,
        "best choice there was": ours.best,
    }.items():
        if len(values):
            ordered = np.sort(values) * 1e3
            left.plot(
                ordered,
                np.linspace(0.0, 100.0, len(ordered)),
                label=label,
                ls="-" if label in peers or label == "ours" else ":",
            )
    left.set_xlabel("true skew of three free-running cameras in one set [ms]")
    left.set_ylabel("share of sets [%]")
    left.legend(fontsize=7)
    right.hist(np.array(ours.numeric) * 1e6, bins=80)
    right.set_yscale("log")
    right.set_xlabel("interpolated value against its instant, ours [us]")
    right.set_ylabel("values")
    _save(figure, out, "sync_skew.png")


def _save(figure: plt.Figure, out: Path, name: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / name, dpi=110)
    plt.close(figure)
