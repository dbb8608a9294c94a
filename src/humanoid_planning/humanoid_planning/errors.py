# SPDX-License-Identifier: Apache-2.0
"""Errors of this package."""

from humanoid_core.errors import HumanoidError


class PlanningRefused(HumanoidError):
    """A motion cannot be planned or followed as asked."""
