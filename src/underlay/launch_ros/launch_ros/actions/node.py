# SPDX-License-Identifier: Apache-2.0
"""Processes that are ROS nodes."""

import threading
from collections.abc import Mapping
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from launch import logging
from launch.actions import ExecuteProcess, OpaqueFunction
from launch.event_handler import EventHandler
from launch.substitutions import LocalSubstitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from lifecycle_msgs.msg import TransitionEvent
from lifecycle_msgs.srv import ChangeState as ChangeStateService
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name

from ..events.lifecycle import ChangeState, StateTransition
from ..ros_adapters import get_ros_node
from ..substitutions import ExecutableInPackage
from ..utilities import (
    evaluate_parameters,
    make_namespace_absolute,
    normalize_parameters,
    normalize_remap_rules,
    prefix_namespace,
)


class Node(ExecuteProcess):
    """Run a node: the executable of that name in the package, or the executable itself where no package is given."""

    UNSPECIFIED_NODE_NAME = "<node_name_unspecified>"
    UNSPECIFIED_NODE_NAMESPACE = "<node_namespace_unspecified>"

    def __init__(
        self,
        *,
        executable,
        package=None,
        name=None,
        namespace=None,
        exec_name=None,
        parameters=None,
        remappings=None,
        ros_arguments=None,
        arguments=None,
        **kwargs,
    ):
        cmd = [executable if package is None else ExecutableInPackage(executable, package), *(arguments or [])]
        cmd += [] if ros_arguments is None else ["--ros-args", *ros_arguments]
        cmd += ["--ros-args"]
        if name is not None:
            cmd += ["-r", LocalSubstitution("ros_specific_arguments['name']", description="node name")]
        super().__init__(cmd=cmd, **{**kwargs, "name": exec_name})
        self.__name = name
        self.__namespace = namespace
        self.__parameters = normalize_parameters([] if parameters is None else parameters)
        self.__remappings = list(normalize_remap_rules(remappings or []))
        self.expanded_remapping_rules: list[tuple[str, ...]] | None = None
        self.__final_node_name = None
        self.__expanded_name = self.UNSPECIFIED_NODE_NAME
        self.expanded_node_namespace = self.UNSPECIFIED_NODE_NAMESPACE

    @property
    def node_name(self) -> str:
        """Full name of the node; known when the action is executed."""
        if self.__final_node_name is None:
            raise RuntimeError("cannot access 'node_name' before executing action")
        return self.__final_node_name

    def is_node_name_fully_specified(self) -> bool:
        unknown = (self.UNSPECIFIED_NODE_NAME, self.UNSPECIFIED_NODE_NAMESPACE)
        return not any(word in self.node_name for word in unknown)

    def __extend_command(self, *parts):
        self.cmd.extend(normalize_to_list_of_substitutions(part) for part in parts)

    def __expand_names(self, context):
        if self.__name is not None:
            self.__expanded_name = perform_substitutions(context, normalize_to_list_of_substitutions(self.__name))
            validate_node_name(self.__expanded_name)
        namespace = None
        if self.__namespace is not None:
            namespace = perform_substitutions(context, normalize_to_list_of_substitutions(self.__namespace))
        base = context.launch_configurations.get("ros_namespace", None)
        namespace = make_namespace_absolute(prefix_namespace(base, namespace))
        if namespace is not None:
            self.expanded_node_namespace = namespace
            self.__extend_command("-r", LocalSubstitution("ros_specific_arguments['ns']"))
            validate_namespace(namespace)

    def __write_parameters(self, parameters) -> str:
        """Path of a file with the parameters; it stays there after the launch."""
        key = self.node_name if self.is_node_name_fully_specified() else "/**"
        with NamedTemporaryFile(mode="w", prefix="launch_params_", delete=False) as file:
            # As upstream: keys are sorted, and lists carry YAML's Python tag for tuples, which rcl accepts and
            # yaml.safe_load refuses.
            yaml.dump({key: {"ros__parameters": parameters}}, file, default_flow_style=False)
        return file.name

    def __add_parameters(self, context):
        for name, value in context.launch_configurations.get("global_params", None) or []:
            self.__extend_command("-p", f"{name}:={value}")
        for item in evaluate_parameters(context, self.__parameters):
            if isinstance(item, Mapping):
                self.__extend_command("--params-file", self.__write_parameters(item))
            elif item.is_file():
                self.__extend_command("--params-file", str(item))
            else:
                logging.get_logger(__name__).warning(f"Parameter file path is not a file: {item}")

    def __add_remappings(self, context):
        rules = list(context.launch_configurations.get("ros_remaps", None) or [])
        rules += [tuple(perform_substitutions(context, name) for name in rule) for rule in self.__remappings]
        self.expanded_remapping_rules = rules or None
        for source, target in rules:
            self.__extend_command("-r", f"{source}:={target}")

    def _perform_substitutions(self, context):
        """Work out names, parameters and remappings, once."""
        if self.__final_node_name is not None:
            return
        self.__expand_names(context)
        self.__final_node_name = prefix_namespace(self.expanded_node_namespace, self.__expanded_name)
        self.__add_parameters(context)
        self.__add_remappings(context)

    def execute(self, context):
        self._perform_substitutions(context)
        arguments = {"name": f"__node:={self.__expanded_name}", "ns": f"__ns:={self.expanded_node_namespace}"}
        context.extend_locals({"ros_specific_arguments": arguments})
        return super().execute(context)


class LifecycleNode(Node):
    """Run a lifecycle node: ChangeState events become calls of its service, its transitions StateTransition events."""

    def __init__(self, *, name, namespace, **kwargs):
        super().__init__(name=name, namespace=namespace, **kwargs)
        self.__client: Any = None
        self.__subscription: Any = None

    def __on_transition_event(self, context, msg):
        event = StateTransition(action=self, msg=msg)
        loop = context.asyncio_loop
        if loop is not None:  # the launch is not over yet
            loop.call_soon_threadsafe(context.emit_event_sync, event)

    def __call_change_state(self, transition_id, context):
        logger, name = logging.get_logger("launch_ros.actions.lifecycle_node"), self.__client.srv_name
        while not self.__client.wait_for_service(timeout_sec=1.0):
            if context.is_shutdown:
                logger.warning(f"Abandoning wait for the '{name}' service, due to shutdown.")
                return
        request = ChangeStateService.Request()
        request.transition.id = transition_id
        answered = threading.Event()
        future = self.__client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        while not answered.wait(1.0):
            if context.is_shutdown:
                logger.warning(f"Abandoning wait for the '{name}' service response, due to shutdown.")
                future.cancel()
                return
        if not future.result().success:
            transition = ChangeState.valid_transitions[transition_id]
            logger.error(f"Failed to make transition '{transition}' for LifecycleNode '{self.node_name}'")

    def __on_change_state_event(self, context):
        event = context.locals.event
        if event.lifecycle_node_matcher(self):
            call = self.__call_change_state, event.transition_id, context
            context.add_completion_future(context.asyncio_loop.run_in_executor(None, *call))

    def execute(self, context):
        self._perform_substitutions(context)
        if self.UNSPECIFIED_NODE_NAME in self.node_name:
            raise RuntimeError("node_name unexpectedly incomplete for lifecycle node")
        node = get_ros_node(context)
        topic, service = f"{self.node_name}/transition_event", f"{self.node_name}/change_state"
        receive = lambda msg: self.__on_transition_event(context, msg)  # noqa: E731
        self.__subscription = node.create_subscription(TransitionEvent, topic, receive, 10)
        self.__client = node.create_client(ChangeStateService, service)
        on_event = OpaqueFunction(function=self.__on_change_state_event)
        handler = EventHandler(matcher=lambda event: isinstance(event, ChangeState), entities=[on_event])
        context.register_event_handler(handler)
        return super().execute(context)
