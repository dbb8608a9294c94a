# SPDX-License-Identifier: Apache-2.0
"""Events of processes, and matchers of processes."""

import signal

from ..event import Event
from ..utilities import ensure_argument_type


def _matches(key, test):
    return lambda action: action.process_details is not None and test(action.process_details[key])


def matches_pid(pid: int):
    return _matches("pid", lambda value: value == pid)


def matches_name(name: str):
    """Matcher of the process with this label, such as talker-1."""
    return _matches("name", lambda value: value == name)


def matches_executable(executable: str):
    """Matcher of processes whose executable ends with this."""
    return _matches("cmd", lambda value: value[0].endswith(executable))


class RunningProcessEvent(Event):
    """Base of what happens to a process."""

    name = "launch.events.process.RunningProcessEvent"

    def __init__(self, *, action, name, cmd, cwd, env, pid):
        self.action = self.execute_process_action = action
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


class ProcessIO(RunningProcessEvent):
    """Bytes went in or came out of a process."""

    name = "launch.events.process.ProcessIO"

    def __init__(self, *, text: bytes, fd: int, **kwargs):
        super().__init__(**kwargs)
        self.text = text
        self.from_stdin, self.from_stdout, self.from_stderr = fd == 0, fd == 1, fd == 2


class ProcessStdin(ProcessIO):
    """Bytes for a process's standard input."""

    name = "launch.events.process.ProcessStdin"

    def __init__(self, **kwargs):
        super().__init__(fd=0, **kwargs)


class ProcessStdout(ProcessIO):
    """Bytes from a process's standard output."""

    name = "launch.events.process.ProcessStdout"

    def __init__(self, **kwargs):
        super().__init__(fd=1, **kwargs)


class ProcessStderr(ProcessIO):
    """Bytes from a process's standard error output."""

    name = "launch.events.process.ProcessStderr"

    def __init__(self, **kwargs):
        super().__init__(fd=2, **kwargs)


class ProcessTargetedEvent(Event):
    """Base of what processes are to do; `process_matcher` says which."""

    name = "launch.events.process.ProcessTargetedEvent"

    def __init__(self, *, process_matcher):
        self.process_matcher = process_matcher


class ShutdownProcess(ProcessTargetedEvent):
    """Processes are to end: SIGINT, then SIGTERM, then SIGKILL."""

    name = "launch.events.process.ShutdownProcess"


class SignalProcess(ProcessTargetedEvent):
    """Processes are to get a signal, given by `signal.Signals` or by its name."""

    name = "launch.events.process.SignalProcess"

    def __init__(self, *, signal_number, process_matcher):
        super().__init__(process_matcher=process_matcher)
        ensure_argument_type(signal_number, (str, signal.Signals), "signal_number", "SignalProcess")
        self.signal = signal_number
        self.signal_name = signal_number if isinstance(signal_number, str) else signal_number.name
