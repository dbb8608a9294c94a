# SPDX-License-Identifier: Apache-2.0
"""Runs launch descriptions."""

import asyncio
import contextlib
import logging as std_logging
import signal
import threading
import traceback
from collections.abc import Iterable
from typing import Any

from . import logging
from .event_handlers import OnIncludeLaunchDescription, OnShutdown
from .events import IncludeLaunchDescription, Shutdown
from .launch_context import LaunchContext
from .launch_description_entity import LaunchDescriptionEntity
from .utilities import is_a_subclass, visit_all_entities_and_collect_futures

_thread = threading.local()


def _get_loop():
    """The running loop, or one kept for this thread."""
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    if getattr(_thread, "loop", None) is None or _thread.loop.is_closed():
        _thread.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(_thread.loop)
    return _thread.loop


class LaunchService:
    """Visits launch descriptions and handles events until nothing is left to wait for.

    If not `noninteractive`, the terminal is taken to send Ctrl-C to the processes as well.
    """

    def __init__(self, *, argv=None, noninteractive: bool = False, debug: bool = False):
        logging.launch_config.level = std_logging.DEBUG if debug else std_logging.INFO
        self.__debug = debug
        self.__logger = logging.get_logger("launch")
        self.context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self.context.register_event_handler(OnIncludeLaunchDescription())
        self.context.register_event_handler(OnShutdown(on_shutdown=lambda *_: self.__note_shutdown()))
        self._entity_future_pairs: list = []
        self.__lock = threading.RLock()
        self.event_loop: Any = None  # while running
        self.task: Any = None
        self.__shutting_down = False

    def emit_event(self, event):
        """Emit an event, from any thread; before the service runs it is kept."""
        with self.__lock:
            if self.event_loop is None:
                self.context.emit_event_sync(event)
                return
            future = asyncio.run_coroutine_threadsafe(self.context.emit_event(event), self.event_loop)
        future.result()

    def include_launch_description(self, launch_description):
        """Have a launch description visited, from any thread."""
        self.emit_event(IncludeLaunchDescription(launch_description))

    def __note_shutdown(self):
        self.__shutting_down = True
        self.context.is_shutdown = True

    def _shutdown(self, *, reason, due_to_sigint, force_sync=False):
        coroutine = None
        if not self.__shutting_down:
            event = Shutdown(reason=reason, due_to_sigint=due_to_sigint)
            if force_sync:
                self.context.emit_event_sync(event)
            elif self.event_loop is _get_loop():
                coroutine = self.context.emit_event(event)
            else:
                self.emit_event(event)
        self.__note_shutdown()
        return coroutine

    def shutdown(self, force_sync: bool = False):
        """End the launch, from any thread; inside the loop the returned coroutine has to be awaited."""
        with self.__lock:
            if self.event_loop is None:
                return None
            reason = "LaunchService.shutdown() called"
            return self._shutdown(reason=reason, due_to_sigint=False, force_sync=force_sync)

    @contextlib.contextmanager
    def _running(self):
        """Bind service and context to the loop, and Ctrl-C to a shutdown."""
        with self.__lock:
            if self.event_loop is not None:
                raise RuntimeError("LaunchService cannot be run multiple times concurrently.")
            self.event_loop = loop = asyncio.get_running_loop()
        previous = signal.getsignal(signal.SIGINT)
        interrupted = False

        def on_sigint():
            nonlocal interrupted
            message = "user interrupted with ctrl-c (SIGINT)"
            self.__logger.warning(f"{message} again, ignoring..." if interrupted else message)
            if not interrupted:
                self._shutdown(reason="ctrl-c (SIGINT)", due_to_sigint=True, force_sync=True)
            interrupted = True

        try:
            self.task = asyncio.current_task()
            loop.set_debug(self.__debug)
            self.context.asyncio_loop = loop
            waiting = self.context._event_queue
            self.context._event_queue = asyncio.Queue()  # bound to this loop
            while not waiting.empty():
                self.context._event_queue.put_nowait(waiting.get_nowait())
            loop.add_signal_handler(signal.SIGINT, on_sigint)
            yield loop
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, previous)
            with self.__lock:
                self.context.asyncio_loop = self.event_loop = None
                self.__shutting_down = False

    async def _process_one_event(self):
        event = await self.context._event_queue.get()
        self.__logger.debug(f"processing event: '{event}'")
        for handler in tuple(self.context._event_handlers):
            if not handler.matches(event):
                continue
            self.__logger.debug(f"processing event: '{event}' ✓ '{handler}'")
            self.context._push_locals()
            entities = handler.handle(event, self.context)
            for entity in entities if isinstance(entities, Iterable) else (entities,):
                if entity is None:
                    continue
                if not is_a_subclass(entity, LaunchDescriptionEntity):
                    raise RuntimeError(f"expected a LaunchDescriptionEntity from event_handler, got '{entity}'")
                self._entity_future_pairs += visit_all_entities_and_collect_futures(entity, self.context)
            self.context._pop_locals()

    def _is_idle(self) -> bool:
        self._entity_future_pairs = [pair for pair in self._entity_future_pairs if not pair[1].done()]
        pending = [future for future in self.context._completion_futures if not future.done()]
        self.context._completion_futures = pending
        return not self._entity_future_pairs and not pending and self.context._event_queue.empty()

    async def _fail(self, exc):
        message = f"Caught exception in launch (see debug for traceback): {exc}"
        self.__logger.debug("".join(traceback.format_exception(type(exc), exc, exc.__traceback__)))
        self.__logger.error(message)
        await self._begin_shutdown(message)

    async def _begin_shutdown(self, reason):
        coroutine = self._shutdown(reason=reason, due_to_sigint=False)
        if coroutine is not None:
            await coroutine

    async def run_async(self, *, shutdown_when_idle: bool = True) -> int:
        """Run in the loop of the main thread; see `run`."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("LaunchService can only be run in the main thread.")
        return_code = 0
        with self._running() as loop:
            logging.log_launch_config(logger=self.__logger)

            def on_exception(loop, details):
                nonlocal return_code
                return_code = 1
                loop.default_exception_handler(details)

            loop.set_exception_handler(on_exception)
            event_task = None
            while True:
                try:
                    idle = self._is_idle()
                    if idle and self.__shutting_down:
                        break
                    if idle and shutdown_when_idle:
                        await self._begin_shutdown("idle")
                        continue
                    if event_task is None or event_task.done():
                        event_task = loop.create_task(self._process_one_event())
                    futures = [event_task]
                    if self.context._event_queue.empty():
                        futures += [pair[1] for pair in self._entity_future_pairs] + self.context._completion_futures
                    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
                    for exc in [future.exception() for future in done]:
                        if exc is not None:
                            return_code = 1
                            await self._fail(exc)
                except asyncio.CancelledError:
                    self.__logger.error("run task was canceled")
                    return_code = 1
                    break
                except Exception as exc:
                    return_code = 1
                    await self._fail(exc)
            if event_task is not None:
                event_task.cancel()
            loop.set_exception_handler(None)
        return return_code

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        """Visit everything included and run until the end, or on and on if not `shutdown_when_idle`.

        Returns 0, or 1 if the launch itself failed; how processes ended does not matter.
        """
        return _get_loop().run_until_complete(self.run_async(shutdown_when_idle=shutdown_when_idle))
