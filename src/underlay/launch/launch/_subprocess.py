# SPDX-License-Identifier: Apache-2.0
"""Subprocesses on asyncio, with pipes or pseudo terminals."""

import asyncio
import os
import pty
import termios
from typing import Any

_DRAIN = 0.5  # [s] how long output may still arrive after the end, when something else keeps the pipe open


class PipeProtocol(asyncio.SubprocessProtocol):
    """Reports a process: `started(pid)`, `received(1 or 2, bytes)`, and its end."""

    def __init__(self, loop, started, received):
        self.__loop = loop
        self.__started = started
        self.__received = received
        self.terminals: dict[int, int] = {}  # output (1 or 2) -> end of a pseudo terminal to be read
        self.exited = loop.create_future()
        self.__drained = loop.create_future()
        self.__transport: Any = None

    def connection_made(self, transport):
        self.__transport = transport
        self.__started(transport.get_pid())
        for fd, master in self.terminals.items():
            self.__loop.add_reader(master, self.__read_terminal, fd, master)

    def pipe_data_received(self, fd, data):
        self.__received(fd, data)

    def process_exited(self):
        self.exited.set_result(self.__transport.get_returncode())

    def connection_lost(self, exc):
        if not self.terminals and not self.__drained.done():
            self.__drained.set_result(None)

    def __read_terminal(self, fd, master):
        try:
            data = os.read(master, 65536)
        except OSError:  # the other end is closed
            data = b""
        if data:
            self.__received(fd, data)
            return
        self.__loop.remove_reader(master)
        os.close(master)
        del self.terminals[fd]
        if self.exited.done():
            self.connection_lost(None)

    async def ended(self) -> int:
        """Wait for the end and the last output; returns the return code."""
        returncode = await self.exited
        await asyncio.wait([self.__drained], timeout=_DRAIN)
        return returncode


def _open_terminal():
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.ONLCR  # line ends as the process writes them
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    return master, slave


async def start_process(protocol, *, cmd, shell, cwd, env, emulate_tty):
    """Start a process; returns its transport. OSError if the executable is not there, and the like."""
    loop = asyncio.get_running_loop()
    streams = {"cwd": cwd, "env": env}
    terminals = [_open_terminal(), _open_terminal()] if emulate_tty else []
    if terminals:
        streams.update(stdout=terminals[0][1], stderr=terminals[1][1])
        protocol.terminals = {1: terminals[0][0], 2: terminals[1][0]}
    try:
        if shell:
            transport, _ = await loop.subprocess_shell(lambda: protocol, " ".join(cmd), **streams)
        else:
            transport, _ = await loop.subprocess_exec(lambda: protocol, *cmd, **streams)
    finally:
        for _, slave in terminals:
            os.close(slave)
    return transport
