# SPDX-License-Identifier: Apache-2.0
"""Base of all events."""


class Event:
    """Something that event handlers react to."""

    name = "launch.Event"
