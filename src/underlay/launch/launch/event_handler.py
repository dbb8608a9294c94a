# SPDX-License-Identifier: Apache-2.0
"""What is done when an event happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .event import Event
from .some_entities_type import SomeEntitiesType

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class BaseEventHandler:
    """Base of all event handlers.

    Args:
        matcher: Says whether an event is for this handler.
        handle_once: Whether the handler goes after its first event.
    """

    def __init__(self, *, matcher: Callable[[Event], bool], handle_once: bool = False) -> None:
        self.__matcher = matcher
        self.handle_once = handle_once

    @property
    def handler_description(self) -> str | None:
        """What is done, for people."""
        return None

    @property
    def matcher_description(self) -> str | None:
        """Which events match, for people."""
        return None

    def matches(self, event: Event) -> bool:
        """Whether the event is for this handler."""
        return self.__matcher(event)

    def describe(self) -> tuple[str, list[Any]]:
        """Text for people and the entities that the handler may yield."""
        return (
            f"{type(self).__name__}(matcher='{self.matcher_description}', handler='{self.handler_description}', "
            f"handle_once={self.handle_once})",
            [],
        )

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        """React to the event and return the entities to be visited next."""
        context.extend_locals({"event": event})
        if self.handle_once:
            context.unregister_event_handler(self)
        return None


class EventHandler(BaseEventHandler):
    """Yields fixed entities when a matching event happens."""

    def __init__(
        self,
        *,
        matcher: Callable[[Event], bool],
        entities: SomeEntitiesType | None = None,
        handle_once: bool = False,
    ) -> None:
        super().__init__(matcher=matcher, handle_once=handle_once)
        self.entities = entities

    def describe(self) -> tuple[str, list[Any]]:
        text, entities = super().describe()
        if self.entities:
            entities.extend(self.entities)  # type: ignore[arg-type]
        return text, entities

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        super().handle(event, context)
        return self.entities
