# SPDX-License-Identifier: Apache-2.0
"""Events of processes."""

from .._left_out import left_out
from ..event import Event

__getattr__ = left_out(__name__)


class RunningProcessEvent(Event):
    """Base of what happens to a process."""

    def __init__(self, *, action, name, cmd, cwd, env, pid):
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.cwd = cwd
        self.env = env
        self.pid = pid


class ProcessStarted(RunningProcessEvent):
    """A process has started."""

    name = "launch.events.process.ProcessStarted"


class ProcessExited(RunningProcessEvent):
    """A process has ended; a return code below zero is the signal that ended it."""

    name = "launch.events.process.ProcessExited"

    def __init__(self, *, returncode: int, **kwargs):
        super().__init__(**kwargs)
        self.returncode = returncode
