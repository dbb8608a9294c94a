# SPDX-License-Identifier: Apache-2.0
"""Base of all actions."""

from .launch_description_entity import LaunchDescriptionEntity


class Action(LaunchDescriptionEntity):
    """Something that a launch does, if the condition is met."""

    def __init__(self, *, condition=None):
        self.condition = condition

    def describe(self) -> str:
        return repr(self)

    def get_sub_entities(self) -> list:
        """Entities that executing this action yields, as far as known beforehand."""
        return []

    def describe_sub_entities(self) -> list:
        return self.get_sub_entities() if self.condition is None else []

    def describe_conditional_sub_entities(self) -> list:
        if self.condition is None:
            return []
        return [(f"Conditionally included by {self!r}", self.get_sub_entities())]

    def visit(self, context) -> list | None:
        if self.condition is not None and not self.condition.evaluate(context):
            return None
        return self.execute(context)

    def execute(self, context) -> list | None:
        """Do what the action is for and return the entities to be visited next."""
        return None
