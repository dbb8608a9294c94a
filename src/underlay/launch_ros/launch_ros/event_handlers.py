# SPDX-License-Identifier: Apache-2.0
"""Handlers of nodes' events."""

from launch.event_handler import EventHandler

from .actions import LifecycleNode
from .events.lifecycle import StateTransition


class OnStateTransition(EventHandler):
    """When a lifecycle node has made a transition; what is None matches any."""

    def __init__(
        self,
        *,
        entities,
        target_lifecycle_node=None,
        transition=None,
        start_state=None,
        goal_state=None,
        **kwargs,
    ):
        if not isinstance(target_lifecycle_node, (LifecycleNode, type(None))):
            raise RuntimeError("OnStateTransition requires a 'LifecycleNode' action as the target")
        wanted = {"action": target_lifecycle_node, "transition": transition}
        wanted |= {"start_state": start_state, "goal_state": goal_state}

        def matches(event) -> bool:
            return isinstance(event, StateTransition) and all(
                value is None or getattr(event, key) == value for key, value in wanted.items()
            )

        super().__init__(matcher=matches, entities=entities, **kwargs)
