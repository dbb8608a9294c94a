# SPDX-License-Identifier: Apache-2.0
"""What event handlers react to."""


class Event:
    """Base of all events; `name` says which in log messages."""

    name = "launch.Event"
