# SPDX-License-Identifier: Apache-2.0
"""Draw a hostile run: request against command with the limits, one joint of the G1. `python -m bench.safety_plot`."""

from __future__ import annotations

import matplotlib
import numpy as np

from bench.rig import REPOSITORY, ROBOT_CONFIG
from bench.safety_adversaries import Case, ours, requests_of

matplotlib.use("Agg")
from matplotlib import pyplot

OUT = REPOSITORY / "docs/images/safety.png"
JOINT = "left_shoulder_pitch_joint"
RATE, SECONDS, SEED = 500.0, 6.0, 3


def draw() -> None:
    """Run and draw."""
    case = Case.of(ROBOT_CONFIG, RATE)
    requests = requests_of(case, round(SECONDS * RATE), SEED)
    commands = ours(case, requests)
    nearest = _nearest(case, commands)
    joint = case.limits.names.index(JOINT)
    words = ("lower", "upper", "velocity", "acceleration", "jerk")
    limits = {word: float(getattr(case.limits, word)[joint]) for word in words}
    t = np.arange(1, len(requests) + 1) / RATE
    path = commands[:, joint]
    velocity = np.diff(path, prepend=path[:1]) * RATE
    acceleration = np.diff(velocity, prepend=0.0) * RATE
    jerk = np.diff(acceleration, prepend=0.0) * RATE
    figure, axes = pyplot.subplots(5, 1, figsize=(9, 10), sharex=True, layout="constrained")
    axes[0].plot(t, requests[:, joint], color="tab:red", lw=0.7, label="request")
    axes[0].plot(t, path[1:], color="tab:blue", lw=1.4, label="command")
    axes[0].set(ylabel="position [rad]", ylim=(limits["lower"] - 0.6, limits["upper"] + 0.6))
    axes[0].legend(loc="upper right")
    bounds = [(limits["lower"], limits["upper"])]
    for axis, values, word, unit in (
        (axes[1], velocity, "velocity", "rad/s"),
        (axes[2], acceleration, "acceleration", "rad/s²"),
        (axes[3], jerk, "jerk", "rad/s³"),
    ):
        axis.plot(t, values[1:], color="tab:blue", lw=0.8)
        axis.set(ylabel=f"{word} [{unit}]")
        bounds.append((-limits[word], limits[word]))
    for axis, pair in zip(axes, bounds):
        for bound in pair:
            axis.axhline(bound, color="black", lw=0.8, ls="--")
    axes[4].plot(t, 1e3 * nearest[1:], color="tab:blue", lw=0.9)
    axes[4].axhline(1e3 * case.body.settings.self_distance, color="black", lw=0.8, ls="--")
    axes[4].set(ylabel="closest bodies [mm]", xlabel="time [s]", ylim=(0.0, None))
    axes[0].set_title(f"Hostile requests at {RATE:.0f} Hz, {JOINT} of the G1; dashed: limits")
    figure.savefig(OUT, dpi=80)
    print(f"{OUT}: closest {1e3 * nearest.min():.3f} mm")


def _nearest(case: Case, commands: np.ndarray) -> np.ndarray:
    """Distance of the closest bodies at each command [m], by the referee."""
    pairs = range(0, len(commands))
    return np.array([case.body_referee.judge(commands[k : k + 1], 1.0 / RATE).nearest for k in pairs])


if __name__ == "__main__":
    draw()
