# SPDX-License-Identifier: Apache-2.0
"""Events of lifecycle nodes."""

from typing import ClassVar

from launch.event import Event
from lifecycle_msgs.msg import State, Transition

from .matchers import matches_node_name as matches_node_name


def _constants(message, prefix: str) -> dict[int, str]:
    """Names of a message's constants by their values."""
    names = [name for name in dir(message) if name.startswith(prefix)]
    return {getattr(message, name): name for name in names}


class ChangeState(Event):
    """Lifecycle nodes are to make a transition, which is a constant of `lifecycle_msgs.msg.Transition`."""

    name = "launch_ros.events.lifecycle.ChangeState"

    valid_transitions: ClassVar = {
        number: name
        for number, name in _constants(Transition, "TRANSITION_").items()
        if not name.startswith(("TRANSITION_ON_", "TRANSITION_CALLBACK_"))
    }
    valid_states: ClassVar = {**_constants(State, "PRIMARY_STATE_"), **_constants(State, "TRANSITION_STATE_")}

    def __init__(self, *, lifecycle_node_matcher, transition_id: int):
        if transition_id not in self.valid_transitions:
            expected = ", ".join(f"{name}: {number}" for number, name in self.valid_transitions.items())
            raise ValueError(f"given transition_id of '{transition_id}', expected one of {{{expected}}}")
        self.lifecycle_node_matcher = lifecycle_node_matcher
        self.transition_id = transition_id


class StateTransition(Event):
    """A lifecycle node has made a transition; states and transition by their labels, such as inactive."""

    name = "launch_ros.events.lifecycle.StateTransition"

    def __init__(self, *, action, msg):
        self.action = action
        self.msg = msg
        self.timestamp = msg.timestamp
        self.transition = msg.transition.label
        self.start_state = msg.start_state.label
        self.goal_state = msg.goal_state.label
