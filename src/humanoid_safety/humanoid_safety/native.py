# SPDX-License-Identifier: Apache-2.0
"""The compiled step of the limiter (csrc/kernel.c) over NumPy arrays that live here."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np

from humanoid_safety.body_model import SLACK, BodyModel
from humanoid_safety.errors import NotBuilt
from humanoid_safety.limits import JointLimits

_SIZES = ("n", "nodes", "pairs", "points", "columns", "longest", "last", "known_last", "looked", "shift")
_NUMBERS = ("guide", "buffer", "tolerance", "slack", "smoothing", "gravity", "period")
_SHY = 1.0 - 1e-9  # share of a limit that is used: sums of many steps round
_SMOOTHING = 0.012  # [s] time constant of the motion of a request that is not kept up with
_MOST_JOINTS = 256  # room on the kernel's stack


class _Struct(ctypes.Structure):
    """struct Limiter of kernel.c, in its order."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in _SIZES),
        *((name, ctypes.c_double) for name in _NUMBERS),
        *(
            (name, ctypes.c_void_p)
            for name in (
                # joints that may be commanded
                *("fastest", "brake", "jerk", "catch_brake", "catch_jerk", "torque_limit", "lower", "upper"),
                *("position", "moved", "change", "request", "request_moved", "request_change"),
                *("smooth_moved", "smooth_change", "taken", "torque"),
                *("reasons", "caught"),
                # tree of joints
                *("parent", "column", "slides", "still", "node_R", "node_t", "axis", "multiplier", "offset"),
                *("mass", "com", "inertia", "other"),
                # bodies, pairs, points
                *("body_node", "body_kind", "first", "second", "pair_reason", "point_node", "moving", "place", "ends"),
                *("body_half", "body_radius", "body_ball", "body_R", "body_t"),
                *("lever", "lever_of", "least", "allowed", "bound"),
                *("point_at", "point_lever", "point_fastest"),
                # room to work in
                *(
                    "path",
                    "way",
                    "known",
                    "safe",
                    "found",
                    "touch",
                    "total",
                    "poses",
                    "here",
                    "near",
                    "aim",
                    "wanted",
                    "stopped",
                    "trial",
                    "spatial",
                ),
                *("posed", "held", "fresh"),
            )
        ),
    ]


def _library() -> ctypes.CDLL:
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_native{suffix}")
        if path.exists():
            return ctypes.CDLL(str(path))
    raise NotBuilt("humanoid_safety", "no compiled _native", "a built workspace (make build)")


class Native:
    """State and limits of the kernel.

    Displacements are per period: a velocity times dt, an acceleration times dt^2, a jerk times dt^3.

    Args:
        limits: Of the n joints that may be commanded.
        period: Time between two commands [s].
        catch_up: Share of acceleration and jerk limits used to catch up with a request.
        body: The robot's bodies; None: joints only.
    """

    def __init__(self, limits: JointLimits, period: float, catch_up: float, body: BodyModel | None) -> None:
        n = len(limits.names)
        if n > _MOST_JOINTS:
            raise ValueError(f"{n} joints; at most {_MOST_JOINTS}")
        body = BodyModel.none(n) if body is None else body
        slowest = limits.velocity / limits.acceleration + 2.0 * limits.acceleration / limits.jerk
        longest = int(np.ceil(slowest.max() / period)) + 8 if n else 1
        nodes, pairs, columns = len(body.parent), len(body.first), len(body.moving)
        place = np.full(n, -1, dtype=np.int32)  # where a commanded joint stands in `moving`
        place[body.moving] = np.arange(columns)
        self._arrays: dict[str, np.ndarray] = {
            "fastest": _SHY * limits.velocity * period,
            "brake": _SHY * limits.acceleration * period**2,
            "jerk": _SHY * limits.jerk * period**3,
            "catch_brake": catch_up * limits.acceleration * period**2,
            "catch_jerk": catch_up * limits.jerk * period**3,
            "torque_limit": limits.torque,
            "lower": limits.lower.copy(),
            "upper": limits.upper.copy(),
            **{
                name: np.zeros(n)
                for name in (
                    *("position", "moved", "change", "request", "request_moved", "request_change"),
                    *("smooth_moved", "smooth_change", "taken", "torque"),
                    *("aim", "wanted", "stopped", "trial"),
                )
            },
            "reasons": np.zeros(n, dtype=np.uint32),
            "caught": np.zeros(n, dtype=np.uint8),
            "held": np.zeros(n, dtype=np.uint8),
            **body.arrays(period),
            "place": place,
            "lever_of": body.lever.T,
            "allowed": np.zeros(pairs),
            "bound": np.full(pairs, -np.inf),
            "fresh": np.zeros(pairs, dtype=np.uint8),
            # row k of path and way: the command k periods from now, and what each column has travelled by then
            "path": np.zeros((longest, n)),
            "way": np.zeros((longest, columns)),
            # the stop found good last, and distances kept at least along it and along the one looked at now
            "known": np.zeros((longest, columns)),
            "total": np.zeros(columns),
            "ends": np.zeros(columns, dtype=np.int32),
            "safe": np.zeros(pairs),
            "found": np.zeros(pairs),
            "touch": np.zeros((pairs, 9)),  # normal and nearest points where a pair was measured last
            "poses": np.zeros((longest, nodes, 12)),
            "here": np.zeros((nodes, 12)),
            "near": np.zeros((64, columns + 2)),
            "spatial": np.zeros((nodes, 15 + 12)),
            "posed": np.zeros((longest, nodes), dtype=np.uint8),
        }
        self.struct = _Struct(
            n=n,
            nodes=nodes,
            pairs=pairs,
            points=len(body.point_node),
            columns=columns,
            longest=longest,
            guide=body.settings.guide,
            buffer=body.settings.buffer,
            tolerance=body.settings.tolerance,
            slack=SLACK,
            smoothing=np.exp(-period / _SMOOTHING),
            gravity=9.81,
            period=period,
        )
        for name, array in self._arrays.items():
            self._arrays[name] = np.ascontiguousarray(array)
            setattr(self.struct, name, self._arrays[name].ctypes.data)
        library = _library()
        self._me = ctypes.byref(self.struct)
        self._step: Any = library.limiter_step
        self._step.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double]
        self._step.restype = None
        self._look: Any = library.limiter_look
        self._look.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        self._look.restype = None

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def step(self, request: np.ndarray, follows: np.ndarray, cap: float) -> None:
        """One period; `request` (n,) float64 and `follows` (n,) uint8, both contiguous; `cap` [rad]."""
        self._step(self._me, request.ctypes.data, follows.ctypes.data, cap)

    def look(self, anew: bool) -> None:
        """Measure every pair at the present command; anew: as if it had not been watched before."""
        self._look(self._me, 1, anew)
