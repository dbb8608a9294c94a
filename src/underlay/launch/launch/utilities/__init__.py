# SPDX-License-Identifier: Apache-2.0
"""Helpers for writers of actions and substitutions."""

from .._left_out import left_out
from ..launch_description_entity import LaunchDescriptionEntity
from ..substitution import Substitution, TextSubstitution

__getattr__ = left_out(__name__)


def normalize_to_list_of_substitutions(subs) -> list[Substitution]:
    """One substitution, one text or several of either as a list of substitutions."""

    def normalize(item):
        if isinstance(item, Substitution):
            return item
        if isinstance(item, str):
            return TextSubstitution(text=item)
        raise TypeError(
            f"Failed to normalize given item of type '{type(item)}', "
            "when only 'str' or 'launch.Substitution' were expected."
        )

    return [normalize(subs)] if isinstance(subs, (str, Substitution)) else [normalize(item) for item in subs]


def normalize_to_list_of_entities(entities) -> list[LaunchDescriptionEntity]:
    """Entities and iterables of entities as one flat list."""
    flat: list[LaunchDescriptionEntity] = []
    for entity in entities:
        flat.extend([entity] if isinstance(entity, LaunchDescriptionEntity) else entity)
    return flat


def perform_substitutions(context, subs) -> str:
    """Texts of all substitutions, joined."""
    return "".join(context.perform_substitution(sub) for sub in subs)


def visit_all_entities_and_collect_futures(entity, context) -> list:
    """Visit an entity and all it yields; returns the futures of what has not finished with that."""
    sub_entities = entity.visit(context)
    future = entity.get_asyncio_future()
    futures = [] if future is None else [future]
    for sub_entity in sub_entities or ():
        futures += visit_all_entities_and_collect_futures(sub_entity, context)
    return futures
