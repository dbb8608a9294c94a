# SPDX-License-Identifier: Apache-2.0
"""A system to be launched."""

from . import logging
from .launch_description_entity import LaunchDescriptionEntity


class LaunchDescription(LaunchDescriptionEntity):
    """A list of entities, visited in order."""

    def __init__(self, initial_entities=None, *, deprecated_reason: str | None = None):
        self.entities = list(initial_entities) if initial_entities is not None else []
        self.deprecated_reason = deprecated_reason

    @property
    def deprecated(self) -> bool:
        return self.deprecated_reason is not None

    def visit(self, context) -> list:
        if self.deprecated:
            path = context.get_locals_as_dict().get("current_launch_file_path")
            what = "deprecated launch description" if path is None else f"launch file [{path}] is deprecated"
            logging.get_logger("launch").warning(f"{what}: {self.deprecated_reason}")
        return self.entities

    def describe_sub_entities(self) -> list:
        return self.entities

    def get_launch_arguments(self) -> list:
        """Arguments declared here and in whatever can be included without a context, first declaration of each."""
        return [argument for argument, _ in self.get_launch_arguments_with_include_launch_description_actions()]

    def get_launch_arguments_with_include_launch_description_actions(self) -> list:
        """Pairs of an argument and the nested includes that lead to it (None at the top level)."""
        from .actions import DeclareLaunchArgument, IncludeLaunchDescription, ResetLaunchConfigurations

        found: list = []

        def search(entities, conditional, includes=None):
            for entity in entities:
                if isinstance(entity, ResetLaunchConfigurations):
                    return  # what is declared after it cannot be set from outside
                if isinstance(entity, DeclareLaunchArgument):
                    if entity.name in (argument.name for argument, _ in found):
                        continue
                    entity._conditionally_included = conditional or entity.condition is not None
                    found.append((entity, includes))
                inner = includes
                if isinstance(entity, IncludeLaunchDescription):
                    inner = [] if inner is None else inner
                    inner.append(entity)
                search(entity.describe_sub_entities(), False, inner)
                for _, sub_entities in entity.describe_conditional_sub_entities():
                    search(sub_entities, True, inner)

        search(self.entities, False)
        return found

    def add_entity(self, entity):
        self.entities.append(entity)

    def add_action(self, action):
        self.add_entity(action)
