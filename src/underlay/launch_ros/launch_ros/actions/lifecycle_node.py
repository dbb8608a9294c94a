# SPDX-License-Identifier: Apache-2.0
"""Processes that are lifecycle nodes."""

from __future__ import annotations

import threading
from typing import Any

from launch import logging
from launch.actions import OpaqueFunction
from launch.event_handler import EventHandler
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.some_substitutions_type import SomeSubstitutionsType
from lifecycle_msgs.msg import TransitionEvent
from lifecycle_msgs.srv import ChangeState as ChangeStateService

from ..events.lifecycle import ChangeState, StateTransition
from ..ros_adapters import get_ros_node
from .node import Node


class LifecycleNode(Node):
    """Run a lifecycle node: ChangeState events become calls of its service, its transitions StateTransition events."""

    def __init__(self, *, name: SomeSubstitutionsType, namespace: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(name=name, namespace=namespace, **kwargs)
        self.__lifecycle_logger = logging.get_logger(__name__)
        self.__client: Any = None
        self.__subscription: Any = None

    def __on_transition_event(self, context: LaunchContext, msg: TransitionEvent) -> None:
        event = StateTransition(action=self, msg=msg)
        loop = context.asyncio_loop
        if loop is not None:  # the launch is not over yet
            loop.call_soon_threadsafe(context.emit_event_sync, event)

    def __call_change_state(self, transition_id: int, context: LaunchContext) -> None:
        name = self.__client.srv_name
        while not self.__client.wait_for_service(timeout_sec=1.0):
            if context.is_shutdown:
                self.__lifecycle_logger.warning(f"Abandoning wait for the '{name}' service, due to shutdown.")
                return
        request = ChangeStateService.Request()
        request.transition.id = transition_id
        answered = threading.Event()
        future = self.__client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        while not answered.wait(1.0):
            if context.is_shutdown:
                self.__lifecycle_logger.warning(f"Abandoning wait for the '{name}' service response, due to shutdown.")
                future.cancel()
                return
        if not future.result().success:
            transition = ChangeState.valid_transitions[transition_id]
            self.__lifecycle_logger.error(
                f"Failed to make transition '{transition}' for LifecycleNode '{self.node_name}'"
            )

    def __on_change_state_event(self, context: LaunchContext) -> None:
        event = context.locals.event
        if event.lifecycle_node_matcher(self):
            context.add_completion_future(
                context.asyncio_loop.run_in_executor(None, self.__call_change_state, event.transition_id, context)
            )

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        self._perform_substitutions(context)
        if self.UNSPECIFIED_NODE_NAME in self.node_name:
            raise RuntimeError("node_name unexpectedly incomplete for lifecycle node")
        node = get_ros_node(context)
        self.__subscription = node.create_subscription(
            TransitionEvent,
            f"{self.node_name}/transition_event",
            lambda msg: self.__on_transition_event(context, msg),
            10,
        )
        self.__client = node.create_client(ChangeStateService, f"{self.node_name}/change_state")
        context.register_event_handler(
            EventHandler(
                matcher=lambda event: isinstance(event, ChangeState),
                entities=[OpaqueFunction(function=self.__on_change_state_event)],
            )
        )
        return super().execute(context)
