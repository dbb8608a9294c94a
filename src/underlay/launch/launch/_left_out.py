# SPDX-License-Identifier: Apache-2.0
"""How a stand-in says that it lacks something."""

from collections.abc import Callable
from typing import Any


def left_out(module: str, *names: str) -> Callable[[str], Any]:
    """Make a module's `__getattr__` that refuses upstream's `names`, which this stand-in leaves out.

    Raises:
        NotImplementedError: (from the function returned) one of `names` was asked for.
    """

    def getter(name: str) -> Any:
        if name in names:
            raise NotImplementedError(f"{module}.{name} exists in ROS 2 but is left out of this stand-in")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getter
