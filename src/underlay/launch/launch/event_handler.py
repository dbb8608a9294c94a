# SPDX-License-Identifier: Apache-2.0
"""What is done when an event happens."""


class EventHandler:
    """Yields entities when an event happens for which `matcher` returns true, at most once if `handle_once`."""

    def __init__(self, *, matcher, entities=None, handle_once: bool = False):
        self.__matcher = matcher
        self.entities = entities
        self.handle_once = handle_once

    def matches(self, event) -> bool:
        return self.__matcher(event)

    def describe(self) -> tuple[str, list]:
        """Text for people and the entities that the handler may yield."""
        return repr(self), list(self.entities or [])

    def handle(self, event, context):
        """React to the event and return the entities to be visited next."""
        context.extend_locals({"event": event})
        if self.handle_once:
            context.unregister_event_handler(self)
        return self.entities
