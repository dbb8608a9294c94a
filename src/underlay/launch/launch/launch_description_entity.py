# SPDX-License-Identifier: Apache-2.0
"""What a launch description is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class LaunchDescriptionEntity:
    """Base of launch descriptions and actions."""

    def describe(self) -> str:
        """Text for people."""
        raise NotImplementedError

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Entities that visiting this one yields in any case, as far as known beforehand."""
        return []

    def describe_conditional_sub_entities(self) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        """Entities that visiting this one may yield, with the circumstances."""
        return []

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Do what the entity is for and return the entities to be visited next."""
        return None

    def get_asyncio_future(self) -> asyncio.Future | None:
        """Future that is done when the entity has finished; None if it finished with `visit`."""
        return None
