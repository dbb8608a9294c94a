# SPDX-License-Identifier: Apache-2.0
"""What a launch description is made of."""


class LaunchDescriptionEntity:
    """Base of launch descriptions and actions."""

    def describe(self) -> str:
        """Text for people."""
        raise NotImplementedError("describe is for subclasses")

    def describe_sub_entities(self) -> list:
        """Entities that visiting this one yields in any case, as far as known beforehand."""
        return []

    def describe_conditional_sub_entities(self) -> list:
        """Entities that visiting this one may yield: pairs of (circumstances, entities)."""
        return []

    def visit(self, context) -> list | None:
        """Do what the entity is for and return the entities to be visited next."""
        return None

    def get_asyncio_future(self):
        """Future that is done when the entity has finished; None if it finished with `visit`."""
        return None
