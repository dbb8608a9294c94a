# SPDX-License-Identifier: Apache-2.0
"""Subprocesses on asyncio."""

import asyncio
import os
import pty
from typing import Any

_DRAIN = 0.5  # [s] how long output may still arrive after the end, when something else keeps the pipe open


class PipeProtocol(asyncio.SubprocessProtocol):
    """Reports a process: `started(pid)`, `on_line(1 or 2, text)` for each line of output, and its end."""

    def __init__(self, loop, started, on_line):
        self.__started = started
        self.__on_line = on_line
        self.__incomplete = {1: b"", 2: b""}
        self.exited = loop.create_future()
        self.drained = [loop.create_future()]  # of the pipes, and of each terminal
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
        self.drained[0].set_result(None)

    async def ended(self) -> int:
        """Wait for the end and the last output; returns the return code."""
        returncode = await self.exited
        await asyncio.wait(self.drained, timeout=_DRAIN)
        for fd, rest in self.__incomplete.items():
            if rest:
                self.__on_line(fd, rest.decode(errors="replace"))
        return returncode


class _TerminalReader(asyncio.Protocol):
    def __init__(self, protocol: PipeProtocol, fd: int):
        self.__protocol = protocol
        self.__fd = fd
        self.__drained = asyncio.get_running_loop().create_future()
        protocol.drained.append(self.__drained)

    def connection_lost(self, exc):
        self.__drained.set_result(None)

    def data_received(self, data):
        self.__protocol.pipe_data_received(self.__fd, data.replace(b"\r\n", b"\n"))


async def subprocess_on_terminal(make_protocol, *cmd, cwd, env):
    """As `loop.subprocess_exec`; both outputs are pseudo terminals.

    Returns:
        Transport and protocol.
    """
    loop = asyncio.get_running_loop()
    (out, out_end), (err, err_end) = pty.openpty(), pty.openpty()
    try:
        transport, protocol = await loop.subprocess_exec(
            make_protocol, *cmd, cwd=cwd, env=env, stdout=out_end, stderr=err_end
        )
    except BaseException:
        os.close(out)
        os.close(err)
        raise
    finally:
        os.close(out_end)
        os.close(err_end)
    for fd, end in ((1, out), (2, err)):
        await loop.connect_read_pipe(lambda fd=fd: _TerminalReader(protocol, fd), open(end, "rb", 0))  # noqa: SIM115
    return transport, protocol
