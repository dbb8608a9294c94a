# SPDX-License-Identifier: Apache-2.0
"""Events of lifecycle nodes."""

from typing import ClassVar

from launch.event import Event
from lifecycle_msgs.msg import Transition


class ChangeState(Event):
    """Lifecycle nodes are to make a transition, which is a constant of `lifecycle_msgs.msg.Transition`."""

    name = "launch_ros.events.lifecycle.ChangeState"

    valid_transitions: ClassVar[dict[int, str]] = {
        getattr(Transition, name): name
        for name in dir(Transition)
        if name.startswith("TRANSITION_") and not name.startswith(("TRANSITION_ON_", "TRANSITION_CALLBACK_"))
    }

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
