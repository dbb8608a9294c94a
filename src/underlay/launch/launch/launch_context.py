# SPDX-License-Identifier: Apache-2.0
"""State of one launch: configurations, environment, handlers and the queue of events."""

import asyncio
import collections
import os
from typing import Any

from . import logging


def _last(stack: list, what: str):
    if not stack:
        raise RuntimeError(f"{what} stack unexpectedly empty")
    return stack.pop()


class _Locals:
    def __init__(self, members: dict):
        self.__dict__.update(members)

    def __setattr__(self, name, value):
        raise AttributeError("can't set attribute, locals are read-only")


class LaunchContext:
    """Handed to everything that is performed or executed in a launch."""

    def __init__(self, *, argv=None, noninteractive: bool = False):
        self.argv = argv if argv is not None else []
        self.noninteractive = noninteractive
        self.is_shutdown = False
        self.__asyncio_loop: Any = None
        self.launch_configurations: dict = {}
        self._event_queue: asyncio.Queue = asyncio.Queue()
        self._event_handlers: collections.deque = collections.deque()
        self._completion_futures: list = []
        self._globals: dict = {}
        self._locals: dict = {}
        self._locals_stack: list = []
        self.__configurations_stack: list[dict] = []
        self.__environment_stack: list[dict] = []
        self.__environment_at_start = os.environ.copy()
        self._logger = logging.get_logger(__name__)

    @property
    def asyncio_loop(self):
        return self.__asyncio_loop

    def _set_asyncio_loop(self, loop):
        self.__asyncio_loop = loop

    def add_completion_future(self, completion_future):
        """Have the launch service wait for this future before it counts as idle."""
        self._completion_futures.append(completion_future)

    def _push_locals(self):
        self._locals_stack.append(dict(self._locals))

    def _pop_locals(self):
        self._locals = _last(self._locals_stack, "locals")

    def extend_globals(self, extensions: dict):
        """Add members to `locals` for good; locals of the same name hide them."""
        self._globals.update(extensions)

    def extend_locals(self, extensions: dict):
        """Add members to `locals` until the scope is left."""
        self._locals.update(extensions)

    def get_locals_as_dict(self) -> dict:
        return {**self._globals, **self._locals}

    @property
    def locals(self):
        """Members as attributes, to be read only."""
        return _Locals(self.get_locals_as_dict())

    @property
    def environment(self):
        """The environment variables that processes get: those of this process."""
        return os.environ

    def _push_launch_configurations(self):
        self.__configurations_stack.append(self.launch_configurations.copy())

    def _pop_launch_configurations(self):
        self.launch_configurations = _last(self.__configurations_stack, "launch_configurations")

    def _push_environment(self):
        self.__environment_stack.append(os.environ.copy())

    def _pop_environment(self):
        self.__set_environment(_last(self.__environment_stack, "environment"))

    def _reset_environment(self):
        """Go back to what it was when this context was made."""
        self.__set_environment(self.__environment_at_start)

    def __set_environment(self, variables):
        os.environ.clear()
        os.environ.update(variables)

    def register_event_handler(self, event_handler):
        """Add a handler, before all others."""
        self._event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler):
        """Take a handler away; a ValueError if it is not there."""
        self._event_handlers.remove(event_handler)

    async def emit_event(self, event):
        """Queue an event."""
        self._logger.debug(f"emitting event: '{event.name}'")
        await self._event_queue.put(event)

    def emit_event_sync(self, event):
        """Queue an event."""
        self._logger.debug(f"emitting event synchronously: '{event.name}'")
        self._event_queue.put_nowait(event)

    def perform_substitution(self, substitution) -> str:
        return substitution.perform(self)
