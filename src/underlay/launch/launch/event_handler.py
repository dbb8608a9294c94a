# SPDX-License-Identifier: Apache-2.0
"""What is done when an event happens."""


class BaseEventHandler:
    """Handles events for which `matcher` returns true, or only the first such event if `handle_once`."""

    def __init__(self, *, matcher, handle_once: bool = False):
        self.__matcher = matcher
        self.handle_once = handle_once

    def matches(self, event) -> bool:
        return self.__matcher(event)

    def describe(self) -> tuple[str, list]:
        """Text for people and the entities that the handler may yield."""
        return f"{type(self).__name__}(handle_once={self.handle_once})", []

    def handle(self, event, context):
        """React to the event and return the entities to be visited next."""
        context.extend_locals({"event": event})
        if self.handle_once:
            context.unregister_event_handler(self)


class EventHandler(BaseEventHandler):
    """Yields fixed entities when a matching event happens."""

    def __init__(self, *, matcher, entities=None, handle_once: bool = False):
        super().__init__(matcher=matcher, handle_once=handle_once)
        self.entities = entities

    def describe(self) -> tuple[str, list]:
        text, _ = super().describe()
        return text, list(self.entities or [])

    def handle(self, event, context):
        super().handle(event, context)
        return self.entities
