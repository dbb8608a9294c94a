# SPDX-License-Identifier: Apache-2.0
"""Processes: start, output, signals, respawn, end."""

import asyncio
import itertools
import os
import re
import shlex
import signal
import traceback
from typing import Any

from .. import logging
from .._subprocess import PipeProtocol, subprocess_on_terminal
from ..action import Action
from ..event_handlers import OnProcessExit, OnProcessStart, OnShutdown
from ..events.process import ProcessExited, ProcessStarted
from ..substitutions import LaunchConfiguration
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import coerce_to_type, is_substitution

_counter = itertools.count(1)  # of processes, over the whole launch


class ExecuteProcess(Action):
    """Run a command: output to `launch.logging`, events, respawn, escalating signals at the end.

    The timeouts [s] are those from SIGINT to SIGTERM and from SIGTERM to SIGKILL.
    """

    def __init__(
        self,
        *,
        cmd,
        prefix=None,
        name=None,
        cwd=None,
        env=None,
        additional_env=None,
        sigterm_timeout=LaunchConfiguration("sigterm_timeout", default=5),  # noqa: B008
        sigkill_timeout=LaunchConfiguration("sigkill_timeout", default=5),  # noqa: B008
        emulate_tty=False,
        output="log",
        on_exit=None,
        respawn=False,
        respawn_delay=None,
        respawn_max_retries=-1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        normalize = normalize_to_list_of_substitutions
        self.cmd = [normalize(part) for part in cmd]
        self.__prefix = normalize(LaunchConfiguration("launch-prefix", default="") if prefix is None else prefix)
        filtered = LaunchConfiguration("launch-prefix-filter", default="")
        self.__prefix_filter = normalize(filtered if prefix is None else "")  # of executables that get the prefix
        self.name = None if name is None else normalize(name)
        self.cwd = None if cwd is None else normalize(cwd)
        self.__env = None if env is None else [(normalize(key), normalize(value)) for key, value in env.items()]
        self.__additional_env = [(normalize(key), normalize(value)) for key, value in (additional_env or {}).items()]
        self.__emulate_tty = emulate_tty
        self.__timeouts = normalize(sigterm_timeout), normalize(sigkill_timeout)
        self.__output = normalize(output)
        self.__on_exit = on_exit
        self.__respawn = respawn
        self.__respawn_delay = respawn_delay
        self.__respawns_left = respawn_max_retries if respawn_max_retries >= 0 else float("inf")
        self.process_details: Any = None
        self.__transport: Any = None
        self.__protocol: Any = None
        self.__completed: Any = None  # future: the process is not coming back
        self.__stopping: Any = None  # future: the process is told to end
        self.__timers: list[asyncio.TimerHandle] = []

    def get_sub_entities(self) -> list:
        return self.__on_exit if isinstance(self.__on_exit, list) else []

    def prepare(self, context):
        """Work out command, label, directory and environment."""
        cmd = [perform_substitutions(context, part) for part in self.cmd]
        if re.match(perform_substitutions(context, self.__prefix_filter), os.path.basename(cmd[0])):
            cmd = shlex.split(perform_substitutions(context, self.__prefix)) + cmd
        name = os.path.basename(cmd[0]) if self.name is None else perform_substitutions(context, self.name)
        env = dict(context.environment) if self.__env is None else {}
        for key, value in [*(self.__env or []), *self.__additional_env]:
            env[perform_substitutions(context, key)] = perform_substitutions(context, value)
        cwd = None if self.cwd is None else perform_substitutions(context, self.cwd)
        label = f"{name}-{next(_counter)}"
        self.process_details = {"action": self, "name": label, "cmd": cmd, "cwd": cwd, "env": env}
        if is_substitution(self.__respawn):
            text = perform_substitutions(context, normalize_to_list_of_substitutions(self.__respawn))
            self.__respawn = coerce_to_type(text, bool)
        if "emulate_tty" in context.launch_configurations:
            self.__emulate_tty = coerce_to_type(context.launch_configurations["emulate_tty"].lower(), bool)

    def execute(self, context):
        if self.process_details is not None:
            raise RuntimeError(f"ExecuteProcess action '{self.process_details['name']}': executed more than once")
        self.prepare(context)
        if context.is_shutdown:
            return
        name = self.process_details["name"]
        self.__logger = logging.get_logger(name)
        self.__outputs = logging.get_output_loggers(name, perform_substitutions(context, self.__output))
        self.__completed = context.asyncio_loop.create_future()
        self.__stopping = context.asyncio_loop.create_future()

        def on_shutdown(event, context):
            self.__shutdown(context, send_sigint=not event.due_to_sigint or context.noninteractive)

        context.register_event_handler(OnShutdown(on_shutdown=on_shutdown))
        context.register_event_handler(OnProcessExit(target_action=self, on_exit=self.__on_exit))
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
            if self.__transport is not None:
                self.__transport.close()
            self.__completed.set_result(None)

    async def __run_once(self, context) -> bool:
        """Run the process to its end; returns whether it is to be respawned."""
        details = self.process_details

        def started(pid):
            self.__logger.info(f"process started with pid [{pid}]")
            details["pid"] = pid

        protocol = PipeProtocol(context.asyncio_loop, started, self.__log_line)
        run = subprocess_on_terminal if self.__emulate_tty else context.asyncio_loop.subprocess_exec
        try:
            self.__transport, _ = await run(lambda: protocol, *details["cmd"], cwd=details["cwd"], env=details["env"])
        except Exception:
            self.__logger.error(f"exception occurred while executing process:\n{traceback.format_exc()}")
            return False
        self.__protocol = protocol
        context.emit_event_sync(ProcessStarted(**details))
        returncode = await protocol.ended()
        if returncode == 0:
            self.__logger.info(f"process has finished cleanly [pid {details['pid']}]")
        else:
            cmd = " ".join(part for part in details["cmd"] if part.strip())
            self.__logger.error(f"process has died [pid {details['pid']}, exit code {returncode}, cmd '{cmd}'].")
        context.emit_event_sync(ProcessExited(returncode=returncode, **details))
        again = bool(self.__respawn) and self.__respawns_left > 0
        return again and not context.is_shutdown and not self.__stopping.done()

    def __log_line(self, fd, line):
        self.__outputs[fd].info(f"[{self.process_details['name']}] {line}")

    def __shutdown(self, context, *, send_sigint):
        """Begin to end the process: SIGINT now, timers for SIGTERM and SIGKILL."""
        if self.__stopping.done():
            return
        if not self.__completed.done() and self.__protocol is None:  # about to be started: as soon as it is
            stop = lambda event, context: self.__shutdown(context, send_sigint=send_sigint)  # noqa: E731
            context.register_event_handler(OnProcessStart(target_action=self, on_start=stop))
            return
        self.__stopping.set_result(None)
        if self.__completed.done():
            return
        first, second = (perform_substitutions(context, timeout) for timeout in self.__timeouts)
        total = float(first) + float(second)
        self.__timers = [
            context.asyncio_loop.call_later(float(first), self.__escalate, first, "SIGINT", "SIGTERM"),
            context.asyncio_loop.call_later(total, self.__escalate, total, "SIGTERM", "SIGKILL"),
        ]
        if send_sigint:
            self.__send("SIGINT")

    def __escalate(self, period, before, after):
        self.__logger.error(
            f"process[{self.process_details['name']}] failed to terminate '{period}' seconds after receiving "
            f"'{before}', escalating to '{after}'"
        )
        self.__send(after)

    def __send(self, name):
        if self.__protocol.exited.done():
            return
        self.__logger.info(f"sending signal '{name}' to process[{self.process_details['name']}]")
        try:
            self.__transport.send_signal(signal.Signals[name])
        except ProcessLookupError:
            self.__logger.debug(f"signal '{name}' not sent, the process has just ended")
