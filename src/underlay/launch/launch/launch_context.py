# SPDX-License-Identifier: Apache-2.0
"""State of one launch: configurations, environment, handlers and the queue of events."""

import asyncio
import collections
import os
from typing import Any

from . import logging


class _Locals:
    """Read-only view of the context's locals as attributes."""

    def __init__(self, values):
        self.__dict__["_values"] = values

    def __getattr__(self, key):
        values = self.__dict__["_values"]
        if key not in values:
            known = ", ".join(values)
            raise AttributeError(f"context.locals does not contain attribute '{key}', it contains: [{known}]")
        return values[key]

    def __setattr__(self, key, value):
        raise AttributeError(f"can't set attribute '{key}', locals are read-only")


class LaunchContext:
    """Handed to everything that is performed or executed in a launch."""

    def __init__(self, *, argv=None, noninteractive: bool = False):
        self.argv = argv if argv is not None else []
        self.noninteractive = noninteractive
        self.is_shutdown = False
        self.asyncio_loop: Any = None
        self.launch_configurations: dict = {}
        self._event_queue: asyncio.Queue = asyncio.Queue()
        self._event_handlers: collections.deque = collections.deque()
        self._completion_futures: list = []
        self._globals: dict = {}
        self._locals: dict = {}
        self._locals_stack: list = []
        self._configurations_stack: list = []
        self._environment_stack: list = []
        self._environment_at_start = os.environ.copy()
        self._logger = logging.get_logger(__name__)

    def add_completion_future(self, completion_future):
        """Have the launch service wait for this future before it counts as idle."""
        self._completion_futures.append(completion_future)

    def _push_locals(self):
        self._locals_stack.append(dict(self._locals))

    def _pop_locals(self):
        self._locals = _pop(self._locals_stack, "locals")

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
        return _Locals(self.get_locals_as_dict())

    @property
    def environment(self):
        """The environment variables that processes get: those of this process."""
        return os.environ

    @staticmethod
    def _restore_environment(variables):
        os.environ.clear()
        os.environ.update(variables)

    def _push_environment(self):
        self._environment_stack.append(os.environ.copy())

    def _pop_environment(self):
        self._restore_environment(_pop(self._environment_stack, "environment"))

    def _reset_environment(self):
        self._restore_environment(self._environment_at_start)

    def _push_launch_configurations(self):
        self._configurations_stack.append(self.launch_configurations.copy())

    def _pop_launch_configurations(self):
        self.launch_configurations = _pop(self._configurations_stack, "launch_configurations")

    def would_handle_event(self, event) -> bool:
        return any(handler.matches(event) for handler in self._event_handlers)

    def register_event_handler(self, event_handler, append: bool = False):
        """Add a handler, before all others unless `append`."""
        if append:
            self._event_handlers.append(event_handler)
        else:
            self._event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler):
        self._event_handlers.remove(event_handler)

    def emit_event_sync(self, event):
        """Queue an event."""
        self._logger.debug(f"emitting event synchronously: '{event.name}'")
        self._event_queue.put_nowait(event)

    async def emit_event(self, event):
        """Queue an event."""
        self._logger.debug(f"emitting event: '{event.name}'")
        await self._event_queue.put(event)

    def perform_substitution(self, substitution) -> str:
        return substitution.perform(self)


def _pop(stack, name):
    if not stack:
        raise RuntimeError(f"{name} stack unexpectedly empty")
    return stack.pop()
