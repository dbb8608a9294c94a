# SPDX-License-Identifier: Apache-2.0
"""Events of lifecycle nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch.event import Event
from lifecycle_msgs.msg import State, Transition

from .matchers import matches_node_name

if TYPE_CHECKING:
    from ..actions import LifecycleNode

__all__ = ["ChangeState", "StateTransition", "matches_node_name"]


def _constants(message: type, *names: str) -> dict[int, str]:
    return {getattr(message, name): name for name in names}


class ChangeState(Event):
    """Lifecycle nodes are to make a transition.

    Args:
        lifecycle_node_matcher: Says which nodes.
        transition_id: A constant of `lifecycle_msgs.msg.Transition`.
    """

    name = "launch_ros.events.lifecycle.ChangeState"

    valid_transitions = _constants(
        Transition,
        "TRANSITION_CREATE",
        "TRANSITION_CONFIGURE",
        "TRANSITION_CLEANUP",
        "TRANSITION_ACTIVATE",
        "TRANSITION_DEACTIVATE",
        "TRANSITION_UNCONFIGURED_SHUTDOWN",
        "TRANSITION_INACTIVE_SHUTDOWN",
        "TRANSITION_ACTIVE_SHUTDOWN",
        "TRANSITION_DESTROY",
    )
    valid_states = _constants(
        State,
        "PRIMARY_STATE_UNKNOWN",
        "PRIMARY_STATE_UNCONFIGURED",
        "PRIMARY_STATE_INACTIVE",
        "PRIMARY_STATE_ACTIVE",
        "PRIMARY_STATE_FINALIZED",
        "TRANSITION_STATE_CONFIGURING",
        "TRANSITION_STATE_CLEANINGUP",
        "TRANSITION_STATE_SHUTTINGDOWN",
        "TRANSITION_STATE_ACTIVATING",
        "TRANSITION_STATE_DEACTIVATING",
        "TRANSITION_STATE_ERRORPROCESSING",
    )

    def __init__(self, *, lifecycle_node_matcher: Callable[[LifecycleNode], bool], transition_id: int) -> None:
        if transition_id not in self.valid_transitions:
            expected = ", ".join(f"{name}: {number}" for number, name in self.valid_transitions.items())
            raise ValueError(f"given transition_id of '{transition_id}', expected one of {{{expected}}}")
        self.lifecycle_node_matcher = lifecycle_node_matcher
        self.transition_id = transition_id


class StateTransition(Event):
    """A lifecycle node has made a transition; states and transition by their labels, such as inactive."""

    name = "launch_ros.events.lifecycle.StateTransition"

    def __init__(self, *, action: LifecycleNode, msg: Any) -> None:
        self.action = action
        self.msg = msg
        self.timestamp = msg.timestamp
        self.transition = msg.transition.label
        self.start_state = msg.start_state.label
        self.goal_state = msg.goal_state.label
