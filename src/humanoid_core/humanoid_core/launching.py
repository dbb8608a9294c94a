# SPDX-License-Identifier: Apache-2.0
"""What launch files of several packages do the same way. Imports launch, so it is for launch files only."""

from __future__ import annotations

from typing import Any

from launch.action import Action
from launch.actions import EmitEvent, RegisterEventHandler
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.some_substitutions_type import SomeSubstitutionsType
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def lifecycle_node(autostart: SomeSubstitutionsType, **arguments: Any) -> list[Action]:
    """A lifecycle node that is configured and activated as soon as it runs, also after a respawn.

    Args:
        autostart: "true" or "false", usually a LaunchConfiguration.
        **arguments: Of launch_ros.actions.LifecycleNode.

    Returns:
        The actions, in the order to add them.
    """
    node = LifecycleNode(**{"namespace": "", "output": "screen", **arguments})

    def change(transition: int) -> EmitEvent:
        return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))

    return [
        RegisterEventHandler(
            OnProcessStart(target_action=node, on_start=[change(Transition.TRANSITION_CONFIGURE)]),
            condition=IfCondition(autostart),
        ),
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node,
                start_state="configuring",
                goal_state="inactive",
                entities=[change(Transition.TRANSITION_ACTIVATE)],
            ),
            condition=IfCondition(autostart),
        ),
        node,
    ]
