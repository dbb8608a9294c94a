# SPDX-License-Identifier: Apache-2.0
"""Processes: start, output, signals, respawn, end."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

from .. import logging
from .._subprocess import PipeProtocol, start_process
from ..action import Action
from ..conditions import evaluate_condition_expression
from ..descriptions import Executable
from ..event_handler import EventHandler
from ..event_handlers import OnProcessExit, OnProcessIO, OnProcessStart, OnShutdown
from ..events import matches_action
from ..events.process import (
    ProcessExited,
    ProcessIO,
    ProcessStarted,
    ProcessStderr,
    ProcessStdout,
    ShutdownProcess,
    SignalProcess,
)
from ..launch_context import LaunchContext
from ..launch_description_entity import LaunchDescriptionEntity
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitutions import LaunchConfiguration, PythonExpression
from ..utilities import is_a_subclass, normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution
from .flow import EmitEvent, OpaqueFunction
from .timer_action import TimerAction


class ExecuteLocal(Action):
    """Run an executable.

    Args:
        process_description: What to run.
        shell: Whether through a shell.
        sigterm_timeout: How long SIGINT may take before SIGTERM follows [s].
        sigkill_timeout: How long SIGTERM may take before SIGKILL follows [s].
        emulate_tty: Whether the process is to believe that it writes to a terminal; the configuration of the same
            name overrides it.
        output: Where output goes, see `launch.logging.get_output_loggers`; the environment variable
            OVERRIDE_LAUNCH_PROCESS_OUTPUT overrides it.
        output_format: Format of a line of output, from `line` and `this` (the action).
        cached_output: Whether `get_stdout` and `get_stderr` can be asked.
        log_cmd: Whether the final command is logged.
        on_exit: What is done when the process has ended: entities or a function of (event, context).
        respawn: Whether the process is started again when it has ended.
        respawn_delay: How long to wait before that [s].
        respawn_max_retries: How often it is started again at most; below zero without limit.
    """

    def __init__(
        self,
        *,
        process_description: Executable,
        shell: bool = False,
        sigterm_timeout: SomeSubstitutionsType = LaunchConfiguration("sigterm_timeout", default=5),
        sigkill_timeout: SomeSubstitutionsType = LaunchConfiguration("sigkill_timeout", default=5),
        emulate_tty: bool = False,
        output: Any = "log",
        output_format: str = "[{this.process_description.final_name}] {line}",
        cached_output: bool = False,
        log_cmd: bool = False,
        on_exit: Any = None,
        respawn: bool | SomeSubstitutionsType = False,
        respawn_delay: float | None = None,
        respawn_max_retries: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.process_description = process_description
        self.shell = shell
        self.sigterm_timeout = normalize_to_list_of_substitutions(sigterm_timeout)
        self.sigkill_timeout = normalize_to_list_of_substitutions(sigkill_timeout)
        self.emulate_tty = emulate_tty
        output = os.environ.get("OVERRIDE_LAUNCH_PROCESS_OUTPUT", output)
        self.output = output if isinstance(output, dict) else normalize_to_list_of_substitutions(output)
        self.__output_format = output_format
        self.__cached_output = cached_output
        self.__log_cmd = log_cmd
        self.__on_exit = on_exit
        self.__respawn = normalize_typed_substitution(respawn, bool)
        self.__respawn_delay = respawn_delay
        self.__respawns_left = respawn_max_retries if respawn_max_retries >= 0 else float("inf")
        self.__executed = False
        self.process_details: dict[str, Any] | None = None
        self._transport: asyncio.SubprocessTransport | None = None
        self.__protocol: PipeProtocol | None = None
        self.__completed: asyncio.Future | None = None  # done when the process is not coming back
        self.__stopping: asyncio.Future | None = None  # done when the process is told to end
        self.__timers: list[TimerAction] = []
        self.__partial_lines: dict[str, str] = {}
        self.__cache = {"stdout": io.StringIO(), "stderr": io.StringIO()}

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self.__on_exit if isinstance(self.__on_exit, list) else []

    # Start

    def prepare(self, context: LaunchContext) -> None:
        """Work out command, label and so on."""
        description = self.process_description
        description.prepare(context, self)
        self.process_details = {
            "action": self,
            "name": description.final_name,
            "cmd": description.final_cmd,
            "cwd": description.final_cwd,
            "env": description.final_env,
        }
        self.__respawn = perform_typed_substitution(context, self.__respawn, bool)

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        self.prepare(context)
        name = str(self.process_description.final_name)
        if self.__executed:
            raise RuntimeError(f"ExecuteLocal action '{name}': executed more than once: {self.describe()}")
        self.__executed = True
        if context.is_shutdown:
            return None
        output = self.output if isinstance(self.output, dict) else perform_substitutions(context, self.output)
        loggers = dict(zip(("stdout", "stderr"), logging.get_output_loggers(name, output)))
        self.__logger = logging.get_logger(name)
        self.__completed = context.asyncio_loop.create_future()
        self.__stopping = context.asyncio_loop.create_future()

        def write(stream: str) -> Callable[[ProcessIO], None]:
            return lambda event: self.__on_output(stream, loggers[stream], event.text.decode(errors="replace"))

        def flush(event: ProcessExited, context: LaunchContext) -> None:
            for stream, logger in loggers.items():
                self.__on_output(stream, logger, None)

        for handler in (
            EventHandler(
                matcher=lambda event: is_a_subclass(event, ShutdownProcess),
                entities=OpaqueFunction(function=self.__on_shutdown_process_event),
            ),
            EventHandler(
                matcher=lambda event: is_a_subclass(event, SignalProcess),
                entities=OpaqueFunction(function=self.__on_signal_process_event),
            ),
            OnProcessIO(target_action=self, on_stdout=write("stdout"), on_stderr=write("stderr")),
            OnShutdown(
                on_shutdown=lambda event, context: self._shutdown_process(
                    context, send_sigint=not event.due_to_sigint or context.noninteractive
                )
            ),
            OnProcessExit(target_action=self, on_exit=self.__on_exit),
            OnProcessExit(target_action=self, on_exit=flush),
        ):
            context.register_event_handler(handler)
        context.asyncio_loop.create_task(self.__run(context))
        return None

    def get_asyncio_future(self) -> asyncio.Future | None:
        return self.__completed

    async def __run(self, context: LaunchContext) -> None:
        """Run the process, again and again if it is to be respawned."""
        assert self.__completed is not None and self.__stopping is not None
        try:
            while await self.__run_once(context):
                self.__respawns_left -= 1
                await asyncio.wait([self.__stopping], timeout=self.__respawn_delay or 0.0)
                if self.__stopping.done():
                    break
        finally:
            for timer in self.__timers:
                timer.cancel()
            if self._transport is not None:
                self._transport.close()
            self.__completed.set_result(None)

    async def __run_once(self, context: LaunchContext) -> bool:
        """Run the process to its end; returns whether it is to be respawned."""
        details = self.process_details
        assert details is not None and self.__stopping is not None
        cmd = " ".join(part for part in details["cmd"] if part.strip())
        if self.__log_cmd:
            self.__logger.info(f"process details: cmd='{cmd}', cwd='{details['cwd']}', custom_env?=True")
        emulate_tty = self.emulate_tty
        if "emulate_tty" in context.launch_configurations:
            setting = normalize_to_list_of_substitutions(context.launch_configurations["emulate_tty"])
            emulate_tty = evaluate_condition_expression(context, setting)

        def started(pid: int) -> None:
            self.__logger.info(f"process started with pid [{pid}]")
            details["pid"] = pid

        def received(fd: int, data: bytes) -> None:
            context.emit_event_sync((ProcessStdout if fd == 1 else ProcessStderr)(text=data, **details))

        protocol = PipeProtocol(context.asyncio_loop, started, received)
        try:
            self._transport = await start_process(
                protocol,
                cmd=details["cmd"],
                shell=self.shell,
                cwd=details["cwd"],
                env=details["env"],
                emulate_tty=emulate_tty,
            )
        except Exception:
            self.__logger.error(f"exception occurred while executing process:\n{traceback.format_exc()}")
            return False
        self.__protocol = protocol
        await context.emit_event(ProcessStarted(**details))
        returncode = await protocol.ended()
        if returncode == 0:
            self.__logger.info(f"process has finished cleanly [pid {details['pid']}]")
        else:
            self.__logger.error(f"process has died [pid {details['pid']}, exit code {returncode}, cmd '{cmd}'].")
        await context.emit_event(ProcessExited(returncode=returncode, **details))
        again = bool(self.__respawn) and self.__respawns_left > 0
        return again and not context.is_shutdown and not self.__stopping.done()

    # Output

    def __on_output(self, stream: str, logger: Any, text: str | None) -> None:
        """Log the lines that are complete; None completes the last one."""
        if text is not None and self.__cached_output:
            self.__cache[stream].write(text)
        *lines, rest = (self.__partial_lines.get(stream, "") + (text or "")).split("\n")
        if text is None and rest:
            lines.append(rest)
            rest = ""
        self.__partial_lines[stream] = rest
        for line in lines:
            logger.info(self.__output_format.format(line=line, this=self))

    def __cached(self, stream: str) -> str:
        if not self.__cached_output:
            raise RuntimeError(
                f"cached output must be true to be able to get {stream}, proc '{self.process_description.name}'"
            )
        return self.__cache[stream].getvalue()

    def get_stdout(self) -> str:
        """What came out of stdout so far; needs `cached_output`."""
        return self.__cached("stdout")

    def get_stderr(self) -> str:
        """What came out of stderr so far; needs `cached_output`."""
        return self.__cached("stderr")

    @property
    def return_code(self) -> int | None:
        """Return code, None before the end."""
        return None if self._transport is None else self._transport.get_returncode()

    # Signals and end

    def __on_shutdown_process_event(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        if not context.locals.event.process_matcher(self):
            return None
        return self._shutdown_process(context, send_sigint=True)

    def __on_signal_process_event(self, context: LaunchContext) -> None:
        event = context.locals.event
        if not event.process_matcher(self):
            return
        if self.process_details is None:
            raise RuntimeError("Signal event received before execution.")
        if self._transport is None or self.__protocol is None:
            raise RuntimeError("Signal event received before subprocess transport available.")
        name = self.process_details["name"]
        if self.__protocol.exited.done():
            self.__logger.debug(f"signal '{event.signal_name}' not sent to '{name}' because it is already closing")
            return
        self.__logger.info(f"sending signal '{event.signal_name}' to process[{name}]")
        try:
            self._transport.send_signal(signal.Signals[event.signal_name])
        except ProcessLookupError:
            self.__logger.debug(f"signal '{event.signal_name}' not sent to '{name}' because it has closed already")

    def _shutdown_process(self, context: LaunchContext, *, send_sigint: bool) -> list[LaunchDescriptionEntity] | None:
        """Begin to end the process: SIGINT now, timers for SIGTERM and SIGKILL."""
        if self.__stopping is None or self.__stopping.done():
            return None
        assert self.__completed is not None
        if not self.__completed.done() and self.__protocol is None:  # about to be started: as soon as it is
            context.register_event_handler(
                OnProcessStart(
                    target_action=lambda action: action is self,
                    on_start=lambda event, context: self._shutdown_process(context, send_sigint=send_sigint),
                )
            )
            return None
        self.__stopping.set_result(None)
        if self.__completed.done():
            return None
        sigterm, sigkill = self.sigterm_timeout, self.sigkill_timeout
        total = [PythonExpression(["float(", *sigterm, ") + float(", *sigkill, ")"])]
        self.__timers = [
            self.__escalation(sigterm, "SIGINT", "SIGTERM"),
            self.__escalation(total, "SIGTERM", "SIGKILL"),
        ]
        entities: list[LaunchDescriptionEntity] = [*self.__timers]
        if send_sigint:
            entities.append(self.__signal("SIGINT"))
        return entities

    def __signal(self, name: str) -> EmitEvent:
        number: Any = name if name == "SIGKILL" else signal.Signals[name]
        return EmitEvent(event=SignalProcess(signal_number=number, process_matcher=matches_action(self)))

    def __escalation(self, period: Any, before: str, after: str) -> TimerAction:
        def announce(context: LaunchContext) -> None:
            name = self.process_description.final_name
            seconds = perform_substitutions(context, period)
            self.__logger.error(
                f"process[{name}] failed to terminate '{seconds}' seconds after receiving '{before}', "
                f"escalating to '{after}'"
            )

        actions = [OpaqueFunction(function=announce), self.__signal(after)]
        return TimerAction(period=period, actions=actions, cancel_on_shutdown=False)
