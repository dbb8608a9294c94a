# SPDX-License-Identifier: Apache-2.0
"""One protocol for every sensor, and the thread that keeps one open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.health import Health

ReadingT = TypeVar("ReadingT", covariant=True)


class Device(Protocol[ReadingT]):
    """A sensor: real, recorded or simulated."""

    @property
    def name(self) -> str:
        """Name and address, for people."""

    def open(self) -> None:
        """Connect.

        Raises:
            DeviceLost: it is not there.
            DeviceError: it is there and is not what was wanted, such as another model or firmware.
        """

    def read(self) -> Iterable[ReadingT]:
        """What has come; returns within a fraction of a second even if nothing did.

        Raises:
            DeviceError: something unusable came; the next call goes on.
            DeviceLost: the connection is gone.
            EOFError: a recording has ended.
        """

    def close(self) -> None:
        """Disconnect; a device that is not open stays as it is."""


class DeviceThread(threading.Thread):
    """The thread of a device."""


class Runner:
    """Keeps a device open and hands on what it reads, in a thread of its own; whatever the device does, it goes on.

    Args:
        device: The device.
        take: Called with each reading, in the device's thread.
        health: Told of faults and connections; `take` tells it of readings.
        say: Told in words when the device comes, goes or ends.
        retry: Time between two tries to open it [s].
        patience: How long `stop` waits for the device to return from what it is about [s]. A camera that waits for a
            picture cannot be interrupted: its thread is left behind and ends with the program, or with the picture.
    """

    def __init__(
        self,
        device: Device[ReadingT],
        take: Callable[[ReadingT], None],
        health: Health,
        say: Callable[[str], None],
        retry: float = 1.0,
        patience: float = 2.0,
    ) -> None:
        self._device, self._take, self._health, self._say, self._retry = device, take, health, say, retry
        self._patience = patience
        self._told_to_stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_word = ""

    def start(self) -> None:
        """Begin; a runner that runs goes on. After one that was left behind the device waits until that has ended."""
        if self.alive:
            return
        self._told_to_stop = threading.Event()
        before, told = self._thread, self._told_to_stop
        self._thread = DeviceThread(target=self._run, args=(told, before), name=self._device.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End and close the device; from now on nothing is taken."""
        self._told_to_stop.set()
        if self._thread is None:
            return
        self._thread.join(self._patience)
        if self._thread.is_alive():
            self._say(f"{self._device.name}: still waits for the device; its thread is left behind")
        else:
            self._thread = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs: a recording that has ended ends it."""
        return self._thread is not None and self._thread.is_alive() and not self._told_to_stop.is_set()

    def _run(self, told_to_stop: threading.Event, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        while not told_to_stop.is_set():
            try:
                self._device.open()
                self._health.connected()
                self._tell(f"{self._device.name}: open")
                self._read(told_to_stop)
            except EOFError:
                self._tell(f"{self._device.name}: the recording has ended")
                return
            except DeviceError as error:
                self._health.fault(error)
                self._tell(str(error))
            finally:
                self._device.close()
            told_to_stop.wait(self._retry)

    def _read(self, told_to_stop: threading.Event) -> None:
        while not told_to_stop.is_set():
            try:
                for reading in self._device.read():
                    if told_to_stop.is_set():
                        return
                    self._take(reading)
            except DeviceLost:
                raise
            except DeviceError as error:
                self._health.fault(error)
                self._tell(str(error))

    def _tell(self, words: str) -> None:
        if words != self._last_word:  # a device that is away says so once
            self._say(words)
        self._last_word = words
