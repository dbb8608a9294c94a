# SPDX-License-Identifier: Apache-2.0
"""Handlers of nodes' events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from launch.event import Event
from launch.event_handler import EventHandler
from launch.some_entities_type import SomeEntitiesType

from .actions import LifecycleNode
from .events.lifecycle import StateTransition


class OnStateTransition(EventHandler):
    """When a lifecycle node has made a transition; what is None matches any."""

    def __init__(
        self,
        *,
        entities: SomeEntitiesType,
        target_lifecycle_node: LifecycleNode | None = None,
        transition: str | None = None,
        start_state: str | None = None,
        goal_state: str | None = None,
        matcher: Callable[[Event], bool] | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(target_lifecycle_node, (LifecycleNode, type(None))):
            raise RuntimeError("OnStateTransition requires a 'LifecycleNode' action as the target")
        wanted = {
            "action": target_lifecycle_node,
            "transition": transition,
            "start_state": start_state,
            "goal_state": goal_state,
        }

        def matches(event: Event) -> bool:
            return isinstance(event, StateTransition) and all(
                value is None or getattr(event, key) == value for key, value in wanted.items()
            )

        super().__init__(matcher=matcher or matches, entities=entities, **kwargs)
        self.__target = target_lifecycle_node

    @property
    def handler_description(self) -> str:
        return "<actions>"

    @property
    def matcher_description(self) -> str:
        if self.__target is None:
            return "event == StateTransition"
        return f"event == StateTransition and event.action == LifecycleNode({hex(id(self.__target))})"
