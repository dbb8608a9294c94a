# SPDX-License-Identifier: Apache-2.0
"""What others do with the same requests: pass-through, a clamp, scaling near limits and bodies, Ruckig per joint."""

from __future__ import annotations

import numpy as np
import ruckig

from bench.safety_adversaries import Case
from humanoid_safety.limits import JointLimits
from humanoid_safety.native import Native


def pass_through(case: Case, requests: np.ndarray) -> np.ndarray:
    """Whatever is asked."""
    return np.vstack([case.start, requests])


def clamp(case: Case, requests: np.ndarray) -> np.ndarray:
    """Position and speed of each joint cut off: what most stacks do."""
    limits, q, out = case.limits, case.start, [case.start]
    reach = limits.velocity / case.rate
    for request in requests:
        q = np.clip(np.clip(request, limits.lower, limits.upper), q - reach, q + reach)
        out.append(q)
    return np.array(out)


def servo(case: Case, requests: np.ndarray) -> np.ndarray:
    """A restatement of what MoveIt Servo does.

    The whole step is scaled down to the joints' speed limits and, closer than a proximity threshold, exponentially with
    the distance to what is near; a joint that moves on outside its limit (with a margin) stops all of them.

    Source: moveit_servo's documentation and parameters (thresholds and margin are its defaults).
    """
    limits, dt = case.limits, 1.0 / case.rate
    threshold, margin = 0.02, 0.1
    native = Native(limits, dt, 1.0, case.body)
    q, out = case.start, [case.start]
    for request in requests:
        step = request - q
        share = np.abs(step) / (limits.velocity * dt)
        step = step / max(1.0, float(share.max()))
        native["position"][:] = q
        native.look(anew=True)
        nearest = float((native["bound"] - case.body.least).min())
        if nearest < threshold:
            step = step * (0.0 if nearest <= 0.0 else float(np.exp(-np.log(0.001) / threshold * (nearest - threshold))))
        outside = ((q + step > limits.upper - margin) & (step > 0)) | ((q + step < limits.lower + margin) & (step < 0))
        if outside.any():
            step = np.zeros_like(step)
        q = q + step
        out.append(q)
    return np.array(out)


def ruckig_per_joint(case: Case, requests: np.ndarray) -> np.ndarray:
    """Ruckig (community version) online, each joint on its own, to the request at rest."""
    limits, n = case.limits, len(case.limits.names)
    otg = ruckig.Ruckig(n, 1.0 / case.rate)
    given, taken = ruckig.InputParameter(n), ruckig.OutputParameter(n)
    given.synchronization = ruckig.Synchronization.No
    given.current_position, given.current_velocity, given.current_acceleration = case.start, np.zeros(n), np.zeros(n)
    given.target_velocity, given.target_acceleration = np.zeros(n), np.zeros(n)
    given.max_velocity, given.max_acceleration, given.max_jerk = limits.velocity, limits.acceleration, limits.jerk
    out = [case.start]
    for request in requests:
        given.target_position = np.clip(request, limits.lower, limits.upper)
        otg.update(given, taken)
        out.append(np.array(taken.new_position))
        taken.pass_to_input(given)
    return np.array(out)


def ruckig_halt(
    limits: JointLimits, rate: float, position: np.ndarray, velocity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ruckig asked for speed 0 by its velocity interface: time to stand still (n,) [s] and way (n,) [rad]."""
    n = len(limits.names)
    otg = ruckig.Ruckig(n, 1.0 / rate)
    given, taken = ruckig.InputParameter(n), ruckig.OutputParameter(n)
    given.control_interface = ruckig.ControlInterface.Velocity
    given.synchronization = ruckig.Synchronization.No
    given.current_position, given.current_velocity, given.current_acceleration = position, velocity, np.zeros(n)
    given.target_velocity, given.target_acceleration = np.zeros(n), np.zeros(n)
    given.max_acceleration, given.max_jerk = limits.acceleration, limits.jerk
    steps, state = np.zeros(n), ruckig.Result.Working
    while state == ruckig.Result.Working:
        state = otg.update(given, taken)
        steps += np.abs(taken.new_velocity) > 1e-9
        taken.pass_to_input(given)
    return (steps + 1) / rate, np.array(taken.new_position) - position


LAWS = {
    "pass-through": pass_through,
    "per-joint clamp": clamp,
    "Servo-like scaling (restatement)": servo,
    "Ruckig per joint": ruckig_per_joint,
}
