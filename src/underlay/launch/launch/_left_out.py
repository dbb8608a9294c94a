# SPDX-License-Identifier: Apache-2.0
"""How a stand-in says that it lacks something."""


def left_out(module: str):
    """Make a module's `__getattr__`: what looks like a class of upstream's raises NotImplementedError."""

    def getter(name):
        if name[0].isupper():
            raise NotImplementedError(f"{module}.{name} is left out of this stand-in for ROS 2")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getter
