# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM while a bag is recorded or played."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def deferred(cancel: Callable[[], None]) -> Iterator[None]:
    """Let a signal cancel the work first; the handler that stood before gets it once all is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        caught.append(number)
        cancel()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        earlier = before[signal.Signals(caught[0])] if caught else None
        if callable(earlier):
            earlier(caught[0], None)
