# SPDX-License-Identifier: Apache-2.0
"""Runs launch descriptions."""

import asyncio
import contextlib
import logging as std_logging
import signal
import traceback
from collections.abc import Iterable

from . import logging
from .event_handlers import OnShutdown
from .events import IncludeLaunchDescription, Shutdown
from .launch_context import LaunchContext
from .launch_description_entity import LaunchDescriptionEntity
from .utilities import visit_all_entities_and_collect_futures


class LaunchService:
    """Visits launch descriptions and handles events until nothing is left to wait for.

    If not `noninteractive`, the terminal is taken to send Ctrl-C to the processes as well.
    """

    def __init__(self, *, argv=None, noninteractive: bool = False, debug: bool = False):
        logging.launch_config.level = std_logging.DEBUG if debug else std_logging.INFO
        self.__debug = debug
        self.__logger = logging.get_logger("launch")
        self.context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self.context.register_event_handler(OnShutdown(on_shutdown=lambda *_: self.__note_shutdown()))
        self.__futures: list[asyncio.Future] = []  # of entities that have not finished

    def include_launch_description(self, launch_description):
        """Have a launch description visited."""
        self.context.emit_event_sync(IncludeLaunchDescription(launch_description))

    def __note_shutdown(self):
        self.context.is_shutdown = True

    def __begin_shutdown(self, reason: str, due_to_sigint: bool = False):
        if not self.context.is_shutdown:
            self.context.emit_event_sync(Shutdown(reason=reason, due_to_sigint=due_to_sigint))
        self.__note_shutdown()

    @contextlib.contextmanager
    def __handling_sigint(self, loop):
        """Have the first Ctrl-C shut down, and none after it do anything."""
        previous = signal.getsignal(signal.SIGINT)
        interrupted = False

        def on_sigint():
            nonlocal interrupted
            message = "user interrupted with ctrl-c (SIGINT)"
            self.__logger.warning(f"{message} again, ignoring..." if interrupted else message)
            interrupted = True
            self.__begin_shutdown("ctrl-c (SIGINT)", due_to_sigint=True)

        loop.add_signal_handler(signal.SIGINT, on_sigint)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, previous)

    async def __process_one_event(self):
        event = await self.context._event_queue.get()
        self.__logger.debug(f"processing event: '{event}'")
        if isinstance(event, IncludeLaunchDescription):
            self.__visit(event.launch_description)
        for handler in tuple(self.context._event_handlers):
            if not handler.matches(event):
                continue
            self.context._push_locals()
            entities = handler.handle(event, self.context)
            for entity in entities if isinstance(entities, Iterable) else (entities,):
                if entity is not None:
                    self.__visit(entity)
            self.context._pop_locals()

    def __visit(self, entity):
        if not isinstance(entity, LaunchDescriptionEntity):
            raise RuntimeError(f"expected a LaunchDescriptionEntity from event_handler, got '{entity}'")
        self.__futures += visit_all_entities_and_collect_futures(entity, self.context)

    def __is_idle(self) -> bool:
        self.__futures = [future for future in self.__futures if not future.done()]
        pending = [future for future in self.context._completion_futures if not future.done()]
        self.context._completion_futures = pending
        return not self.__futures and not pending and self.context._event_queue.empty()

    async def run_async(self) -> int:
        """Run in a loop of the main thread; see `run`."""
        loop = asyncio.get_running_loop()
        loop.set_debug(self.__debug)
        self.context._set_asyncio_loop(loop)
        return_code = 0

        def on_exception(loop, details):
            nonlocal return_code
            return_code = 1
            loop.default_exception_handler(details)

        loop.set_exception_handler(on_exception)
        logging.log_launch_config(logger=self.__logger)
        event_task = None
        with self.__handling_sigint(loop):
            while not (idle := self.__is_idle()) or not self.context.is_shutdown:
                if idle:
                    self.__begin_shutdown("idle")
                    continue
                if event_task is None or event_task.done():
                    event_task = loop.create_task(self.__process_one_event())
                waited_for = [event_task]
                if self.context._event_queue.empty():
                    waited_for += self.__futures + self.context._completion_futures
                done, _ = await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
                for exc in [future.exception() for future in done]:
                    if exc is not None:
                        return_code = 1
                        message = f"Caught exception in launch (see debug for traceback): {exc}"
                        self.__logger.debug("".join(traceback.format_exception(exc)))
                        self.__logger.error(message)
                        self.__begin_shutdown(message)
        if event_task is not None:
            event_task.cancel()
        self.context._set_asyncio_loop(None)
        return return_code

    def run(self) -> int:
        """Visit everything included and run until the end.

        Returns 0, or 1 if the launch itself failed; how processes ended does not matter.
        """
        return asyncio.run(self.run_async())
