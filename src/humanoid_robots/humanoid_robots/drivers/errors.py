# SPDX-License-Identifier: Apache-2.0
"""Why a robot is not commanded."""

from humanoid_core.errors import HumanoidError


class CommandRefused(HumanoidError):
    """A command was not used; the message says why."""
