# SPDX-License-Identifier: Apache-2.0
"""Processes: start, output, signals, respawn, end."""

import asyncio
import io
import os
import signal
import traceback
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
    ProcessStarted,
    ProcessStderr,
    ProcessStdout,
    ShutdownProcess,
    SignalProcess,
)
from ..substitutions import LaunchConfiguration, PythonExpression
from ..utilities import is_a_subclass, normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution
from .flow import EmitEvent, OpaqueFunction, TimerAction


class ExecuteLocal(Action):
    """Run an executable: output to `launch.logging`, events, respawn, escalating signals at the end.

    The timeouts [s] are those from SIGINT to SIGTERM and from SIGTERM to SIGKILL.
    """

    def __init__(
        self,
        *,
        process_description,
        shell=False,
        sigterm_timeout=LaunchConfiguration("sigterm_timeout", default=5),  # noqa: B008
        sigkill_timeout=LaunchConfiguration("sigkill_timeout", default=5),  # noqa: B008
        emulate_tty=False,
        output="log",
        output_format="[{this.process_description.final_name}] {line}",
        cached_output=False,
        log_cmd=False,
        on_exit=None,
        respawn=False,
        respawn_delay=None,
        respawn_max_retries=-1,
        **kwargs,
    ):
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
        self.process_details: Any = None
        self._transport: Any = None
        self.__protocol: Any = None
        self.__completed: Any = None  # future: the process is not coming back
        self.__stopping: Any = None  # future: the process is told to end
        self.__timers: list[TimerAction] = []
        self.__partial_lines = {"stdout": "", "stderr": ""}
        self.__cache = {"stdout": io.StringIO(), "stderr": io.StringIO()}

    def get_sub_entities(self) -> list:
        return self.__on_exit if isinstance(self.__on_exit, list) else []

    def prepare(self, context):
        """Work out command, label and so on."""
        self.process_description.prepare(context, self)
        self.process_details = {"action": self}
        for key in ("name", "cmd", "cwd", "env"):
            self.process_details[key] = getattr(self.process_description, f"final_{key}")
        self.__respawn = perform_typed_substitution(context, self.__respawn, bool)

    def execute(self, context):
        self.prepare(context)
        name = self.process_description.final_name
        if self.__executed:
            raise RuntimeError(f"ExecuteLocal action '{name}': executed more than once: {self.describe()}")
        self.__executed = True
        if context.is_shutdown:
            return
        output = self.output if isinstance(self.output, dict) else perform_substitutions(context, self.output)
        loggers = dict(zip(("stdout", "stderr"), logging.get_output_loggers(name, output)))
        self.__logger = logging.get_logger(name)
        self.__completed = context.asyncio_loop.create_future()
        self.__stopping = context.asyncio_loop.create_future()

        def on(event_class, function):
            opaque = OpaqueFunction(function=function)
            return EventHandler(matcher=lambda event: is_a_subclass(event, event_class), entities=opaque)

        def write(stream):
            return lambda event: self.__on_output(stream, loggers[stream], event.text.decode(errors="replace"))

        def flush(event, context):
            for stream, logger in loggers.items():
                self.__on_output(stream, logger, None)

        def on_shutdown(event, context):
            return self._shutdown_process(context, send_sigint=not event.due_to_sigint or context.noninteractive)

        for handler in (
            on(ShutdownProcess, self.__on_shutdown_process_event),
            on(SignalProcess, self.__on_signal_process_event),
            OnProcessIO(target_action=self, on_stdout=write("stdout"), on_stderr=write("stderr")),
            OnShutdown(on_shutdown=on_shutdown),
            OnProcessExit(target_action=self, on_exit=self.__on_exit),
            OnProcessExit(target_action=self, on_exit=flush),
        ):
            context.register_event_handler(handler)
        context.asyncio_loop.create_task(self.__run(context))

    def get_asyncio_future(self):
        return self.__completed

    async def __run(self, context):
        """Run the process, again and again if it is to be respawned."""
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

    async def __run_once(self, context) -> bool:
        """Run the process to its end; returns whether it is to be respawned."""
        details = self.process_details
        cmd = " ".join(part for part in details["cmd"] if part.strip())
        if self.__log_cmd:
            self.__logger.info(f"process details: cmd='{cmd}', cwd='{details['cwd']}', custom_env?=True")
        emulate_tty = self.emulate_tty
        if "emulate_tty" in context.launch_configurations:
            setting = normalize_to_list_of_substitutions(context.launch_configurations["emulate_tty"])
            emulate_tty = evaluate_condition_expression(context, setting)

        def started(pid):
            self.__logger.info(f"process started with pid [{pid}]")
            details["pid"] = pid

        def received(fd, data):
            context.emit_event_sync((ProcessStdout if fd == 1 else ProcessStderr)(text=data, **details))

        protocol = PipeProtocol(context.asyncio_loop, started, received)
        surroundings = {"cwd": details["cwd"], "env": details["env"], "emulate_tty": emulate_tty}
        try:
            self._transport = await start_process(protocol, cmd=details["cmd"], shell=self.shell, **surroundings)
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

    def __on_output(self, stream, logger, text):
        """Log the lines that are complete; None completes the last one."""
        if text is not None and self.__cached_output:
            self.__cache[stream].write(text)
        *lines, rest = (self.__partial_lines[stream] + (text or "")).split("\n")
        if text is None and rest:
            lines, rest = [*lines, rest], ""
        self.__partial_lines[stream] = rest
        for line in lines:
            logger.info(self.__output_format.format(line=line, this=self))

    def __cached(self, stream) -> str:
        if not self.__cached_output:
            name = self.process_description.name
            raise RuntimeError(f"cached output must be true to be able to get {stream}, proc '{name}'")
        return self.__cache[stream].getvalue()

    def get_stdout(self) -> str:
        """What came out of stdout so far; needs `cached_output`."""
        return self.__cached("stdout")

    def get_stderr(self) -> str:
        """What came out of stderr so far; needs `cached_output`."""
        return self.__cached("stderr")

    @property
    def return_code(self) -> int | None:
        return None if self._transport is None else self._transport.get_returncode()

    def __on_shutdown_process_event(self, context):
        if context.locals.event.process_matcher(self):
            return self._shutdown_process(context, send_sigint=True)

    def __on_signal_process_event(self, context):
        event = context.locals.event
        if not event.process_matcher(self):
            return
        if self.process_details is None:
            raise RuntimeError("Signal event received before execution.")
        if self.__protocol is None:
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

    def _shutdown_process(self, context, *, send_sigint) -> list | None:
        """Begin to end the process: SIGINT now, timers for SIGTERM and SIGKILL."""
        if self.__stopping is None or self.__stopping.done():
            return None
        if not self.__completed.done() and self.__protocol is None:  # about to be started: as soon as it is
            stop = lambda event, context: self._shutdown_process(context, send_sigint=send_sigint)  # noqa: E731
            context.register_event_handler(OnProcessStart(target_action=lambda action: action is self, on_start=stop))
            return None
        self.__stopping.set_result(None)
        if self.__completed.done():
            return None
        total = [PythonExpression(["float(", *self.sigterm_timeout, ") + float(", *self.sigkill_timeout, ")"])]
        self.__timers = [
            self.__escalation(self.sigterm_timeout, "SIGINT", "SIGTERM"),
            self.__escalation(total, "SIGTERM", "SIGKILL"),
        ]
        return [*self.__timers, *([self.__signal("SIGINT")] if send_sigint else [])]

    def __signal(self, name):
        return EmitEvent(event=SignalProcess(signal_number=name, process_matcher=matches_action(self)))

    def __escalation(self, period, before, after):
        def announce(context):
            self.__logger.error(
                f"process[{self.process_description.final_name}] failed to terminate "
                f"'{perform_substitutions(context, period)}' seconds after receiving '{before}', "
                f"escalating to '{after}'"
            )

        actions = [OpaqueFunction(function=announce), self.__signal(after)]
        return TimerAction(period=period, actions=actions, cancel_on_shutdown=False)


class ExecuteProcess(ExecuteLocal):
    """Run a command; see `launch.descriptions.Executable` and `ExecuteLocal` for the arguments."""

    def __init__(self, *, cmd, prefix=None, name=None, cwd=None, env=None, additional_env=None, **kwargs):
        executable = Executable(cmd=cmd, prefix=prefix, name=name, cwd=cwd, env=env, additional_env=additional_env)
        super().__init__(process_description=executable, **kwargs)

    def __getattr__(self, key):
        """`name`, `cmd`, `cwd` and `env` as given, or as they are once the action is executed."""
        if key not in ("name", "cmd", "cwd", "env", "additional_env"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}")
        final = getattr(self.process_description, f"final_{key}", None)
        return getattr(self.process_description, key) if final is None else final
