# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the console."""

from humanoid_core.errors import HumanoidError


class ConsoleError(HumanoidError):
    """A page asks for what cannot be done."""
