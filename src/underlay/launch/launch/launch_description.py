# SPDX-License-Identifier: Apache-2.0
"""A system to be launched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import logging
from .action import Action
from .launch_context import LaunchContext
from .launch_description_entity import LaunchDescriptionEntity

if TYPE_CHECKING:
    from .actions import DeclareLaunchArgument, IncludeLaunchDescription


class LaunchDescription(LaunchDescriptionEntity):
    """A list of entities, visited in order.

    Args:
        initial_entities: The entities to begin with.
        deprecated_reason: Warning to be given when the description is used.
    """

    def __init__(
        self,
        initial_entities: Iterable[LaunchDescriptionEntity] | None = None,
        *,
        deprecated_reason: str | None = None,
    ) -> None:
        self.entities = list(initial_entities) if initial_entities is not None else []
        self.deprecated_reason = deprecated_reason

    @property
    def deprecated(self) -> bool:
        """Whether using this description draws a warning."""
        return self.deprecated_reason is not None

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        if self.deprecated:
            path = context.get_locals_as_dict().get("current_launch_file_path")
            if path is None:
                message = f"deprecated launch description: {self.deprecated_reason}"
            else:
                message = f"launch file [{path}] is deprecated: {self.deprecated_reason}"
            logging.get_logger().warning(message)
        return self.entities

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        return self.entities

    def get_launch_arguments(self, conditional_inclusion: bool = False) -> list[DeclareLaunchArgument]:
        """Arguments declared here and in whatever can be included without a context, first declaration of each."""
        return [
            item[0]
            for item in self.get_launch_arguments_with_include_launch_description_actions(conditional_inclusion)
        ]

    def get_launch_arguments_with_include_launch_description_actions(
        self, conditional_inclusion: bool = False
    ) -> list[tuple[DeclareLaunchArgument, list[IncludeLaunchDescription] | None]]:
        """As `get_launch_arguments`, each with the nested includes that lead to it (None at the top level)."""
        from .actions import DeclareLaunchArgument, IncludeLaunchDescription, ResetLaunchConfigurations

        found: list[tuple[DeclareLaunchArgument, list[IncludeLaunchDescription] | None]] = []

        def search(
            entities: Iterable[LaunchDescriptionEntity],
            conditional: bool,
            includes: list[IncludeLaunchDescription] | None = None,
        ) -> None:
            for entity in entities:
                if isinstance(entity, DeclareLaunchArgument):
                    if entity.name in (argument.name for argument, _ in found):
                        continue
                    entity._conditionally_included = conditional or entity.condition is not None
                    found.append((entity, includes))
                if isinstance(entity, ResetLaunchConfigurations):
                    return  # what is declared after this cannot be set from outside
                inner = includes
                if isinstance(entity, IncludeLaunchDescription):
                    if inner is None:
                        inner = []
                    inner.append(entity)
                search(entity.describe_sub_entities(), False, inner)
                for _, sub_entities in entity.describe_conditional_sub_entities():
                    search(sub_entities, True, inner)

        search(self.entities, conditional_inclusion)
        return found

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append an entity."""
        self.entities.append(entity)

    def add_action(self, action: Action) -> None:
        """Append an action."""
        self.add_entity(action)
