# SPDX-License-Identifier: Apache-2.0
"""Errors of sensors. Each names the device."""

from __future__ import annotations

from humanoid_core.errors import HumanoidError


class DeviceError(HumanoidError):
    """A device sent something that cannot be used; what it sends next may be good again.

    Args:
        device: Its name and address, for people.
        found: What came.
        expected: What should have come.
    """

    def __init__(self, device: str, found: object, expected: str) -> None:
        self.device = device
        self.found = found
        self.expected = expected
        super().__init__(f"{device}: found {found}, expected {expected}")


class DeviceLost(DeviceError):
    """A device is not there, or not there any more: it has to be opened again."""
