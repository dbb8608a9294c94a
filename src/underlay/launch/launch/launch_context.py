# SPDX-License-Identifier: Apache-2.0
"""State of one launch: configurations, environment, handlers and the queue of events."""

from __future__ import annotations

import asyncio
import collections
import os
from collections.abc import Iterable, MutableMapping
from typing import Any

from . import logging
from .event import Event
from .event_handler import BaseEventHandler
from .substitution import Substitution


class _Locals:
    """Read-only view of the context's locals as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__["_values"] = values

    def __getattr__(self, key: str) -> Any:
        values = self.__dict__["_values"]
        if key not in values:
            raise AttributeError(
                f"context.locals does not contain attribute '{key}', it contains: [{', '.join(values)}]"
            )
        return values[key]

    def __setattr__(self, key: str, value: Any) -> None:
        raise AttributeError(f"can't set attribute '{key}', locals are read-only")


class LaunchContext:
    """Handed to everything that is performed or executed in a launch."""

    def __init__(self, *, argv: Iterable[str] | None = None, noninteractive: bool = False) -> None:
        self.argv = argv if argv is not None else []
        self.noninteractive = noninteractive
        self.is_shutdown = False
        self.asyncio_loop: Any = None
        self._event_queue: asyncio.Queue[Event] = asyncio.Queue()
        self._event_handlers: collections.deque[BaseEventHandler] = collections.deque()
        self._completion_futures: list[asyncio.Future] = []
        self._globals: dict[str, Any] = {}
        self._locals: dict[str, Any] = {}
        self._locals_stack: list[dict[str, Any]] = []
        self.launch_configurations: dict[str, Any] = {}
        self._configurations_stack: list[dict[str, Any]] = []
        self._environment_stack: list[dict[str, str]] = []
        self._environment_at_start = os.environ.copy()
        self._logger = logging.get_logger(__name__)

    def add_completion_future(self, completion_future: asyncio.Future) -> None:
        """Have the launch service wait for this future before it counts as idle."""
        self._completion_futures.append(completion_future)

    # Locals: what handlers and includes put into scope

    def _push_locals(self) -> None:
        self._locals_stack.append(dict(self._locals))

    def _pop_locals(self) -> None:
        if not self._locals_stack:
            raise RuntimeError("locals stack unexpectedly empty")
        self._locals = self._locals_stack.pop()

    def extend_globals(self, extensions: dict[str, Any]) -> None:
        """Add members to `locals` for good; locals of the same name hide them."""
        self._globals.update(extensions)

    def extend_locals(self, extensions: dict[str, Any]) -> None:
        """Add members to `locals` until the scope is left."""
        self._locals.update(extensions)

    def get_locals_as_dict(self) -> dict[str, Any]:
        """Members of `locals` as a dictionary."""
        return {**self._globals, **self._locals}

    @property
    def locals(self) -> Any:
        """Members in scope, as read-only attributes."""
        return _Locals(self.get_locals_as_dict())

    # Environment and configurations

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment variables that processes get: those of this process."""
        return os.environ

    @staticmethod
    def _restore_environment(variables: dict[str, str]) -> None:
        os.environ.clear()
        os.environ.update(variables)

    def _push_environment(self) -> None:
        self._environment_stack.append(os.environ.copy())

    def _pop_environment(self) -> None:
        if not self._environment_stack:
            raise RuntimeError("environment stack unexpectedly empty")
        self._restore_environment(self._environment_stack.pop())

    def _reset_environment(self) -> None:
        self._restore_environment(self._environment_at_start)

    def _push_launch_configurations(self) -> None:
        self._configurations_stack.append(self.launch_configurations.copy())

    def _pop_launch_configurations(self) -> None:
        if not self._configurations_stack:
            raise RuntimeError("launch_configurations stack unexpectedly empty")
        self.launch_configurations = self._configurations_stack.pop()

    # Events

    def would_handle_event(self, event: Event) -> bool:
        """Whether any handler matches the event."""
        return any(handler.matches(event) for handler in self._event_handlers)

    def register_event_handler(self, event_handler: BaseEventHandler, append: bool = False) -> None:
        """Add a handler, before all others unless `append`."""
        if append:
            self._event_handlers.append(event_handler)
        else:
            self._event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler: BaseEventHandler) -> None:
        """Remove a handler."""
        self._event_handlers.remove(event_handler)

    def emit_event_sync(self, event: Event) -> None:
        """Queue an event."""
        self._logger.debug(f"emitting event synchronously: '{event.name}'")
        self._event_queue.put_nowait(event)

    async def emit_event(self, event: Event) -> None:
        """Queue an event."""
        self._logger.debug(f"emitting event: '{event.name}'")
        await self._event_queue.put(event)

    def perform_substitution(self, substitution: Substitution) -> str:
        """Text of a substitution in this context."""
        return substitution.perform(self)
