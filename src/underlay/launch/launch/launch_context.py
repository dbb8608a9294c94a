# SPDX-License-Identifier: Apache-2.0
"""State of one launch: configurations, environment, handlers and the queue of events."""

import asyncio
import collections
import os
from types import SimpleNamespace
from typing import Any

from . import logging


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
        self._scopes: list = []
        self._logger = logging.get_logger(__name__)

    def add_completion_future(self, completion_future):
        """Have the launch service wait for this future before it counts as idle."""
        self._completion_futures.append(completion_future)

    def _push_locals(self):
        self._locals_stack.append(dict(self._locals))

    def _pop_locals(self):
        self._locals = self._locals_stack.pop()

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
        return SimpleNamespace(**self.get_locals_as_dict())

    @property
    def environment(self):
        """The environment variables that processes get: those of this process."""
        return os.environ

    def push_scope(self):
        """Remember configurations and environment; upstream has an action for either."""
        self._scopes.append((self.launch_configurations.copy(), os.environ.copy()))

    def pop_scope(self):
        """Go back to what was remembered last."""
        self.launch_configurations, environment = self._scopes.pop()
        os.environ.clear()
        os.environ.update(environment)

    def register_event_handler(self, event_handler):
        """Add a handler, before all others."""
        self._event_handlers.appendleft(event_handler)

    def emit_event_sync(self, event):
        """Queue an event."""
        self._logger.debug(f"emitting event synchronously: '{event.name}'")
        self._event_queue.put_nowait(event)

    def perform_substitution(self, substitution) -> str:
        return substitution.perform(self)
