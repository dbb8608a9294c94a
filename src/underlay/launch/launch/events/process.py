# SPDX-License-Identifier: Apache-2.0
"""Events of processes, and matchers of processes."""

from __future__ import annotations

import signal as signal_module
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..event import Event
from ..utilities import ensure_argument_type

if TYPE_CHECKING:
    from ..actions import ExecuteLocal

ProcessMatcher = Callable[["ExecuteLocal"], bool]


def _matches(key: str, test: Callable[[Any], bool]) -> ProcessMatcher:
    return lambda action: action.process_details is not None and test(action.process_details[key])


def matches_pid(pid: int) -> ProcessMatcher:
    """Matcher of the process with this id."""
    return _matches("pid", lambda value: value == pid)


def matches_name(name: str) -> ProcessMatcher:
    """Matcher of the process with this label, such as talker-1."""
    return _matches("name", lambda value: value == name)


def matches_executable(executable: str) -> ProcessMatcher:
    """Matcher of processes whose executable ends with this."""
    return _matches("cmd", lambda value: value[0].endswith(executable))


class RunningProcessEvent(Event):
    """Base of what happens to a process."""

    name = "launch.events.process.RunningProcessEvent"

    def __init__(
        self,
        *,
        action: ExecuteLocal,
        name: str,
        cmd: list[str],
        cwd: str | None,
        env: dict[str, str] | None,
        pid: int,
    ) -> None:
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.cwd = cwd
        self.env = env
        self.pid = pid

    @property
    def execute_process_action(self) -> ExecuteLocal:
        """The action; an older name for it."""
        return self.action


class ProcessStarted(RunningProcessEvent):
    """A process has started."""

    name = "launch.events.process.ProcessStarted"


class ProcessExited(RunningProcessEvent):
    """A process has ended; a return code below zero is the signal that ended it."""

    name = "launch.events.process.ProcessExited"

    def __init__(self, *, returncode: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.returncode = returncode


class ProcessIO(RunningProcessEvent):
    """Bytes went in or came out of a process."""

    name = "launch.events.process.ProcessIO"

    def __init__(self, *, text: bytes, fd: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text
        self.from_stdin = fd == 0
        self.from_stdout = fd == 1
        self.from_stderr = fd == 2


class ProcessStdin(ProcessIO):
    """Bytes for a process's standard input."""

    name = "launch.events.process.ProcessStdin"

    def __init__(self, *, text: bytes, **kwargs: Any) -> None:
        super().__init__(text=text, fd=0, **kwargs)


class ProcessStdout(ProcessIO):
    """Bytes from a process's standard output."""

    name = "launch.events.process.ProcessStdout"

    def __init__(self, *, text: bytes, **kwargs: Any) -> None:
        super().__init__(text=text, fd=1, **kwargs)


class ProcessStderr(ProcessIO):
    """Bytes from a process's standard error output."""

    name = "launch.events.process.ProcessStderr"

    def __init__(self, *, text: bytes, **kwargs: Any) -> None:
        super().__init__(text=text, fd=2, **kwargs)


class ProcessTargetedEvent(Event):
    """Base of what processes are to do; `process_matcher` says which."""

    name = "launch.events.process.ProcessTargetedEvent"

    def __init__(self, *, process_matcher: ProcessMatcher) -> None:
        self.process_matcher = process_matcher


class ShutdownProcess(ProcessTargetedEvent):
    """Processes are to end: SIGINT, then SIGTERM, then SIGKILL."""

    name = "launch.events.process.ShutdownProcess"


class SignalProcess(ProcessTargetedEvent):
    """Processes are to get a signal."""

    name = "launch.events.process.SignalProcess"

    def __init__(self, *, signal_number: str | signal_module.Signals, process_matcher: ProcessMatcher) -> None:
        super().__init__(process_matcher=process_matcher)
        ensure_argument_type(signal_number, (str, signal_module.Signals), "signal_number", "SignalProcess")
        self.signal = signal_number

    @property
    def signal_name(self) -> str:
        """Name of the signal, such as SIGINT."""
        return self.signal if isinstance(self.signal, str) else self.signal.name
