# SPDX-License-Identifier: Apache-2.0
"""Helpers for writers of actions and substitutions."""

import inspect
from collections.abc import Iterable

from .._left_out import left_out
from ..launch_description_entity import LaunchDescriptionEntity
from ..substitution import Substitution, TextSubstitution

__getattr__ = left_out(__name__, "AsyncSafeSignalManager")


def isclassinstance(obj) -> bool:
    return hasattr(obj, "__class__")


def is_a(obj, entity_type) -> bool:
    """Whether the object is an instance of the class."""
    if not inspect.isclass(entity_type):
        raise RuntimeError(f"entity_type '{entity_type}' is not a class")
    return isinstance(obj, entity_type)


def is_a_subclass(obj, entity_type) -> bool:
    """Whether the object is an instance or a subclass of the class."""
    return is_a(obj, entity_type) or (inspect.isclass(obj) and issubclass(obj, entity_type))


def ensure_argument_type(argument, types, argument_name: str, caller: str | None = None):
    """Raise TypeError unless the argument is of one of the types."""

    def check(who, value, allowed, name):
        allowed = list(allowed) if isinstance(allowed, Iterable) else [allowed]
        if not any(isinstance(value, kind) for kind in allowed if inspect.isclass(kind)):
            start = "E" if who is None else f"'{who}' e"
            names = ", ".join(str(kind) for kind in allowed)
            got = f"'{value}' of type '{type(value)}'"
            raise TypeError(f"{start}xpected '{name}' to be one of [{names}], but got {got}")

    check("ensure_argument_type()", types, (type, Iterable), "types")
    check("ensure_argument_type()", argument_name, str, "argument_name")
    check("ensure_argument_type()", caller, (str, type(None)), "caller")
    check(caller, argument, types, argument_name)


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
    """Visit an entity and all it yields; returns pairs (entity, future) of what has not finished with that."""
    sub_entities = entity.visit(context)
    future = entity.get_asyncio_future()
    pairs = [] if future is None else [(entity, future)]
    for sub_entity in sub_entities or ():
        pairs += visit_all_entities_and_collect_futures(sub_entity, context)
    return pairs
