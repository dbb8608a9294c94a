# SPDX-License-Identifier: Apache-2.0
"""How a stand-in says that it lacks something."""


def left_out(module, *names):
    """Make a module's `__getattr__` that raises NotImplementedError for upstream's `names`."""

    def getter(name):
        if name in names:
            raise NotImplementedError(f"{module}.{name} exists in ROS 2 but is left out of this stand-in")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getter
