# SPDX-License-Identifier: Apache-2.0
"""Actions after a while."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable
from typing import Any

from ..action import Action
from ..event_handler import EventHandler
from ..events import Shutdown, TimerEvent
from ..launch_context import LaunchContext
from ..launch_description_entity import LaunchDescriptionEntity
from ..some_entities_type import SomeEntitiesType
from ..some_substitutions_type import SomeSubstitutionsType, SomeSubstitutionsType_types_tuple
from ..utilities import ensure_argument_type, is_a_subclass
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution
from .flow import OpaqueFunction


class TimerAction(Action):
    """Visit entities when a period has passed.

    Args:
        period: How long to wait [s].
        actions: What is done then.
        cancel_on_shutdown: Whether the end of the launch cancels it.
    """

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        cancel_on_shutdown: bool | SomeSubstitutionsType = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        ensure_argument_type(period, [*SomeSubstitutionsType_types_tuple, float], "period", "TimerAction")
        ensure_argument_type(actions, Iterable, "actions", "TimerAction")
        if isinstance(period, str):
            warnings.warn("The parameter 'period' should be a float or a substitution", stacklevel=2)
            period = float(period)
        self.period = normalize_typed_substitution(period, float)
        self.actions = actions
        self.__cancel_on_shutdown = normalize_typed_substitution(cancel_on_shutdown, bool)
        self.__locals: dict[str, Any] = {}
        self.__canceled = False
        self._canceled_future: asyncio.Future | None = None
        self._completed_future: asyncio.Future | None = None

    def describe(self) -> str:
        return f"TimerAction(period={self.period}, actions=<actions>)"

    def describe_conditional_sub_entities(self) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        return [(f"{self.period} seconds pass without being canceled", self.actions)]

    async def _wait_to_fire_event(self, context: LaunchContext) -> None:
        assert self._canceled_future is not None and self._completed_future is not None
        period = perform_typed_substitution(context, self.period, float)
        await asyncio.wait([self._canceled_future], timeout=period)
        if not self._canceled_future.done():
            await context.emit_event(TimerEvent(timer_action=self))
        self._completed_future.set_result(None)

    def handle(self, context: LaunchContext) -> SomeEntitiesType | None:
        """What the timer's event yields, in the scope in which the timer was started."""
        context.extend_locals(self.__locals)
        return self.actions

    def cancel(self) -> None:
        """Have the timer not fire, whether it is started already or not."""
        self.__canceled = True
        if self._canceled_future is not None and not self._canceled_future.done():
            self._canceled_future.set_result(True)

    def execute(self, context: LaunchContext) -> None:
        self._completed_future = context.asyncio_loop.create_future()
        self._canceled_future = context.asyncio_loop.create_future()
        if self.__canceled:
            self._completed_future.set_result(None)
            return
        self.__locals = context.get_locals_as_dict()
        if not hasattr(context.locals, "_timer_handler_installed"):
            context.extend_globals({"_timer_handler_installed": True})
            context.register_event_handler(
                EventHandler(
                    matcher=lambda event: is_a_subclass(event, TimerEvent),
                    entities=OpaqueFunction(function=lambda context: context.locals.event.timer_action.handle(context)),
                )
            )
        context.asyncio_loop.create_task(self._wait_to_fire_event(context))
        if perform_typed_substitution(context, self.__cancel_on_shutdown, bool):
            context.register_event_handler(
                EventHandler(
                    matcher=lambda event: is_a_subclass(event, Shutdown),
                    entities=OpaqueFunction(function=lambda context: self.cancel()),
                )
            )

    def get_asyncio_future(self) -> asyncio.Future | None:
        return self._completed_future
