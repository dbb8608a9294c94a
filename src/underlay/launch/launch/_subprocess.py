# SPDX-License-Identifier: Apache-2.0
"""Subprocesses on asyncio."""

import asyncio
from typing import Any

_DRAIN = 0.5  # [s] how long output may still arrive after the end, when something else keeps the pipe open


class PipeProtocol(asyncio.SubprocessProtocol):
    """Reports a process: `started(pid)`, `on_line(1 or 2, text)` for each line of output, and its end."""

    def __init__(self, loop, started, on_line):
        self.__started = started
        self.__on_line = on_line
        self.__incomplete = {1: b"", 2: b""}
        self.exited = loop.create_future()
        self.__drained = loop.create_future()
        self.__transport: Any = None

    def connection_made(self, transport):
        self.__transport = transport
        self.__started(transport.get_pid())

    def pipe_data_received(self, fd, data):
        *lines, self.__incomplete[fd] = (self.__incomplete[fd] + data).split(b"\n")
        for line in lines:
            self.__on_line(fd, line.decode(errors="replace"))

    def process_exited(self):
        self.exited.set_result(self.__transport.get_returncode())

    def connection_lost(self, exc):
        self.__drained.set_result(None)

    async def ended(self) -> int:
        """Wait for the end and the last output; returns the return code."""
        returncode = await self.exited
        await asyncio.wait([self.__drained], timeout=_DRAIN)
        for fd, rest in self.__incomplete.items():
            if rest:
                self.__on_line(fd, rest.decode(errors="replace"))
        return returncode
