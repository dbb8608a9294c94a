# SPDX-License-Identifier: Apache-2.0
"""Errors of this package."""

from humanoid_core.errors import HumanoidError


class ModelError(HumanoidError):
    """The simulated model cannot be built from the robot's description and the scene."""


class RenderingUnavailable(HumanoidError):
    """No off-screen OpenGL works on this machine."""
