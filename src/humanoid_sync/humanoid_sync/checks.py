# SPDX-License-Identifier: Apache-2.0
"""Whether a plan can be carried out: types, values, clocks, order of stamps."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import numpy as np

from humanoid_core.errors import HumanoidError
from humanoid_sync.host_clock import verdict
from humanoid_sync.readers import LAYOUTS
from humanoid_sync.recording import Samples
from humanoid_sync.streams import Plan

_MOST_BACKWARD = 0.1  # share of stamps out of order that can be put right


class PlanError(HumanoidError):
    """A stream of the plan cannot be aligned."""


def check_types(plan: Plan) -> None:
    """Look at each stream's message type.

    Raises:
        PlanError: there is no such type, it does not begin with its stamp, or its values cannot be read.
    """
    check_values(plan)
    for stream in plan.streams:
        try:
            package, kind, word = stream.type.split("/")
            found = getattr(importlib.import_module(f"{package}.{kind}"), word)
        except (ValueError, ImportError, AttributeError) as error:
            raise PlanError(
                f"{stream.topic}: found type {stream.type!r}, expected an installed package/msg/Name"
            ) from error
        first = next(iter(found.get_fields_and_field_types().items()), ("", ""))
        wanted = "std_msgs/Header" if stream.stamp == "header" else "uint64"
        if first[1] != wanted:
            raise PlanError(f"{stream.topic}: {stream.type} begins with {first[0]} ({first[1]}), expected {wanted}")


def check_values(plan: Plan) -> None:
    """Whether values can be read where they are wanted.

    Raises:
        PlanError: a type of which we read no values.
    """
    for stream in plan.streams:
        if stream.values and stream.type not in LAYOUTS:
            known = ", ".join(sorted(LAYOUTS))
            raise PlanError(f"{stream.topic}: found values of {stream.type}, expected those of {known}")


def check_recording(plan: Plan, samples: Mapping[str, Samples]) -> None:
    """Whether stamps and clocks of a recording make sense.

    Raises:
        PlanError: stamps that the plan takes for host time are not, or stamps do not increase.
    """
    early, late = -round(plan.host_tolerance * 1e9), round(plan.host_latency * 1e9)
    for stream in plan.streams:
        found = samples[stream.name]
        if not len(found.stamps):
            continue
        if not stream.clock:
            ages = found.arrivals - found.sources
            wrong = verdict([int(np.percentile(ages, 5))], early, late)
            if wrong:
                raise PlanError(f"{stream.topic}: {wrong}")
        steps = np.diff(found.sources)
        back = float((steps < 0).mean()) if len(steps) else 0.0
        if back > _MOST_BACKWARD:
            raise PlanError(
                f"{stream.topic}: {100 * back:.0f} % of its stamps are before the one that arrived earlier, "
                f"expected at most {100 * _MOST_BACKWARD:.0f} %"
            )
