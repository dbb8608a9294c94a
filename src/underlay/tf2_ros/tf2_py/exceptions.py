# SPDX-License-Identifier: Apache-2.0
"""Why a transform could not be had."""


class TransformException(Exception):
    """Any failure of a lookup."""


class ConnectivityException(TransformException):
    """The two frames are in separate trees."""


class LookupException(TransformException):
    """A frame is not known."""


class ExtrapolationException(TransformException):
    """The time is outside of what the buffer holds."""


class InvalidArgumentException(TransformException):
    """A frame name is empty or begins with a slash."""


class TimeoutException(TransformException):
    """Kept for its name; a wait that ends raises what the last lookup would have raised."""
