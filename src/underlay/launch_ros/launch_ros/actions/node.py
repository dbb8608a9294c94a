# SPDX-License-Identifier: Apache-2.0
"""Processes that are ROS nodes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from launch import logging
from launch.actions import ExecuteProcess
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitutions import LocalSubstitution
from launch.utilities import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name

from ..parameter_descriptions import Parameter
from ..substitutions import ExecutableInPackage
from ..utilities import (
    add_node_name,
    evaluate_parameters,
    get_node_name_count,
    make_namespace_absolute,
    normalize_parameters,
    normalize_remap_rules,
    prefix_namespace,
)


class Node(ExecuteProcess):
    """Run a node.

    Args:
        executable: Name of the executable in the package, or the executable itself where no package is given.
        package: The package.
        name: Name for the node.
        namespace: Namespace for the node, below the one pushed unless it is absolute.
        exec_name: Label of the process.
        parameters: Files, dictionaries and `Parameter` objects; later ones win.
        remappings: Pairs of names.
        ros_arguments: Arguments for ROS.
        arguments: Arguments for the node.
    """

    UNSPECIFIED_NODE_NAME = "<node_name_unspecified>"
    UNSPECIFIED_NODE_NAMESPACE = "<node_namespace_unspecified>"

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: list[Any] | None = None,
        remappings: Iterable[Any] | None = None,
        ros_arguments: Iterable[SomeSubstitutionsType] | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        cmd: list[Any] = [executable if package is None else ExecutableInPackage(executable, package)]
        cmd += arguments or []
        cmd += [] if ros_arguments is None else ["--ros-args", *ros_arguments]
        cmd += ["--ros-args"]
        if name is not None:
            cmd += ["-r", LocalSubstitution("ros_specific_arguments['name']", description="node name")]
        if parameters is not None:
            ensure_argument_type(parameters, list, "parameters", "Node")
        super().__init__(cmd=cmd, **{**kwargs, "name": exec_name})
        self.node_package = package
        self.node_executable = executable
        self.__name = name
        self.__namespace = namespace
        self.__parameters = normalize_parameters(parameters or [])
        self.__remappings = list(normalize_remap_rules(remappings or []))
        self.__final_node_name: str | None = None
        self.__expanded_name = self.UNSPECIFIED_NODE_NAME
        self.expanded_node_namespace = self.UNSPECIFIED_NODE_NAMESPACE
        self.expanded_remapping_rules: list[tuple[str, str]] | None = None

    @property
    def node_name(self) -> str:
        """Full name of the node; known when the action is executed."""
        if self.__final_node_name is None:
            raise RuntimeError("cannot access 'node_name' before executing action")
        return self.__final_node_name

    def is_node_name_fully_specified(self) -> bool:
        """Whether both name and namespace are given."""
        unknown = (self.UNSPECIFIED_NODE_NAME, self.UNSPECIFIED_NODE_NAMESPACE)
        return not any(word in self.node_name for word in unknown)

    def __extend_command(self, *parts: Any) -> None:
        self.cmd.extend(normalize_to_list_of_substitutions(part) for part in parts)

    def __expand_names(self, context: LaunchContext) -> None:
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

    def __write_parameters(self, parameters: dict[str, Any]) -> str:
        """Path of a file with the parameters; it stays there after the launch."""
        key = self.node_name if self.is_node_name_fully_specified() else "/**"
        with NamedTemporaryFile(mode="w", prefix="launch_params_", delete=False) as file:
            # As upstream: keys are sorted, and lists carry YAML's Python tag for tuples, which rcl accepts and
            # yaml.safe_load refuses.
            yaml.dump({key: {"ros__parameters": parameters}}, file, default_flow_style=False)
        return file.name

    def __add_parameters(self, context: LaunchContext) -> None:
        settings: list[Any] = context.launch_configurations.get("global_params", None) or []
        for item in settings:
            if isinstance(item, tuple):
                self.__extend_command("-p", f"{item[0]}:={item[1]}")
                continue
            path = os.path.abspath(item)
            assert os.path.isfile(path), path
            self.__extend_command("--params-file", path)
        for item in evaluate_parameters(context, self.__parameters):
            if isinstance(item, Parameter):
                name, value = item.evaluate(context)
                self.__extend_command("-p", f"{name}:={yaml.dump(value)}")
            elif isinstance(item, Path) and not item.is_file():
                logging.get_logger(__name__).warning(f"Parameter file path is not a file: {item}")
            else:
                self.__extend_command(
                    "--params-file", str(item) if isinstance(item, Path) else self.__write_parameters(item)
                )

    def __add_remappings(self, context: LaunchContext) -> None:
        rules = list(context.launch_configurations.get("ros_remaps", None) or [])
        rules += [
            (perform_substitutions(context, source), perform_substitutions(context, target))
            for source, target in self.__remappings
        ]
        if rules:
            self.expanded_remapping_rules = rules
        for source, target in rules:
            self.__extend_command("-r", f"{source}:={target}")

    def _perform_substitutions(self, context: LaunchContext) -> None:
        """Work out names, parameters and remappings, once."""
        if self.__final_node_name is not None:
            return
        try:
            self.__expand_names(context)
        except Exception:
            logging.get_logger(__name__).error(
                "Error while expanding or validating node name or namespace for "
                f"'package={self.node_package}, executable={self.node_executable}, name={self.__name}, "
                f"namespace={self.__namespace}':"
            )
            raise
        self.__final_node_name = prefix_namespace(self.expanded_node_namespace, self.__expanded_name)
        self.__add_parameters(context)
        self.__add_remappings(context)

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        self._perform_substitutions(context)
        context.extend_locals(
            {
                "ros_specific_arguments": {
                    "name": f"__node:={self.__expanded_name}",
                    "ns": f"__ns:={self.expanded_node_namespace}",
                }
            }
        )
        entities = super().execute(context)
        if self.is_node_name_fully_specified():
            add_node_name(context, self.node_name)
            count = get_node_name_count(context, self.node_name)
            if count > 1:
                logging.get_logger(self.name).warning(
                    f"there are now at least {count} nodes with the name {self.node_name} "
                    "created within this launch context"
                )
        return entities
