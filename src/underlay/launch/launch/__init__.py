# SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2's `launch`: describes a system of processes and runs it.

Names, arguments and behaviour are upstream's, and are documented there.
"""
# ruff: noqa: F401

from . import actions, conditions, event_handlers, events, launch_description_sources, logging, substitutions
from ._left_out import left_out
from .action import Action
from .condition import Condition
from .event import Event
from .event_handler import EventHandler
from .launch_context import LaunchContext
from .launch_description import LaunchDescription
from .launch_description_entity import LaunchDescriptionEntity
from .launch_description_sources import InvalidLaunchFileError, LaunchDescriptionSource
from .launch_service import LaunchService
from .some_entities_type import SomeEntitiesType, SomeEntitiesType_types_tuple
from .some_substitutions_type import SomeSubstitutionsType, SomeSubstitutionsType_types_tuple
from .substitution import Substitution

__getattr__ = left_out(__name__)
