# SPDX-License-Identifier: Apache-2.0
"""Why the robot does not follow, in words: for the operator, in the headset and in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from humanoid_teleop.retargeting import WristError

TOLD = 0.02  # [m] of a wrist, from which on it is said why
JOINED = 0.95  # of the way to the person


def reasons(
    wrists: Mapping[str, WristError],
    at_limit: Sequence[str],
    fast: Sequence[str],
    nearest: tuple[float, str, str],
    guarded: bool,
    arm_joints: Mapping[str, Sequence[str]],
) -> str:
    """What keeps wrists away from the person's; empty: nothing does.

    Args:
        wrists: By side.
        at_limit: Joints at an end of their range.
        fast: Joints that move as fast as they may.
        nearest: Distance of the nearest links watched [m], and their names; NaN: none is near.
        guarded: Whether a step was cut back to keep links apart, since this was asked last.
        arm_joints: Of each arm and what it stands on, by side.
    """
    said = []
    for side, wrist in wrists.items():
        if not wrist.position > TOLD:
            continue
        why = []
        if wrist.joined < JOINED:
            why.append(f"joining, {wrist.joined:.0%}")
        if wrist.beyond > 0.0:
            why.append(f"{1e3 * wrist.beyond:.0f} mm beyond reach")
        ends = [joint for joint in at_limit if joint in arm_joints[side]]
        if ends:
            why.append(f"{', '.join(ends)} at the end")
        if guarded and math.isfinite(nearest[0]):
            why.append(f"{nearest[1]} and {nearest[2]} {1e3 * nearest[0]:.0f} mm apart")
        quick = [joint for joint in fast if joint in arm_joints[side]]
        if quick:
            why.append(f"{', '.join(quick)} at full speed")
        said.append(f"{side} wrist {1e3 * wrist.position:.0f} mm off" + (f": {'; '.join(why)}" if why else ""))
    return ". ".join(said)
