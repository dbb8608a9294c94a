# SPDX-License-Identifier: Apache-2.0
"""The buffer with waiting, a service, and a memory that ends when time jumps back."""

import threading
import time as wall
from collections.abc import Callable

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.task import Future
from rclpy.time import Time
from tf2_msgs.srv import FrameGraph
from tf2_py import BufferCore

Lookup = Callable[[], TransformStamped]
Can = Callable[[], tuple[int, str]]

NOW = Duration()  # do not wait
PERIOD = 0.02  # between two looks while waiting [s]


class Buffer(BufferCore):
    """Buffer of transforms.

    Args:
        cache_time: How long samples are kept, 10 s unless given.
        node: Gives the clock whose jumps back clear the buffer, and offers the service `tf2_frames`.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        super().__init__(cache_time)
        self._waiting: list[Callable[[], None]] = []
        self._waiting_lock = threading.RLock()
        if node is not None:
            self.srv = node.create_service(FrameGraph, "tf2_frames", self._on_frames)
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def _on_frames(self, _: FrameGraph.Request, response: FrameGraph.Response) -> FrameGraph.Response:
        response.frame_yaml = self.all_frames_as_yaml()
        return response

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Forget the moving transforms of a time that comes again."""
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Store a sample and serve whoever waits for it."""
        super().set_transform(transform, authority)
        self._serve()

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Store a fixed transform and serve whoever waits for it."""
        super().set_transform_static(transform, authority)
        self._serve()

    def _serve(self) -> None:
        with self._waiting_lock:
            for callback in tuple(self._waiting):
                callback()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration = NOW
    ) -> TransformStamped:
        """Transform that takes points in the source frame to the target frame, at a time (0: the newest common).

        Raises:
            TransformException: it could not be had within the timeout; what the last attempt met.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    async def lookup_transform_async(self, target_frame: str, source_frame: str, time: Time) -> TransformStamped:
        """Wait for a transform, then look it up."""
        await self.wait_for_transform_async(target_frame, source_frame, time)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = NOW,
    ) -> TransformStamped:
        """Transform from one frame and time to another, through a frame that is fixed in time."""
        arguments = target_frame, target_time, source_frame, source_time, fixed_frame
        self.can_transform_full(*arguments, timeout)
        return self.lookup_transform_full_core(*arguments)

    async def lookup_transform_full_async(
        self, target_frame: str, target_time: Time, source_frame: str, source_time: Time, fixed_frame: str
    ) -> TransformStamped:
        """Wait for such a transform, then look it up."""
        arguments = target_frame, target_time, source_frame, source_time, fixed_frame
        await self.wait_for_transform_full_async(*arguments)
        return self.lookup_transform_full_core(*arguments)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = NOW,
        return_debug_tuple: bool = False,
    ) -> int | tuple[int, str]:
        """Whether a lookup would succeed within the timeout (1 or 0); with `return_debug_tuple` also why not."""
        return self._poll(
            lambda: self.can_transform_core(target_frame, source_frame, time), timeout, return_debug_tuple
        )

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Time,
        source_frame: str,
        source_time: Time,
        fixed_frame: str,
        timeout: Duration = NOW,
        return_debug_tuple: bool = False,
    ) -> int | tuple[int, str]:
        """The same for a lookup through a frame that is fixed in time."""
        arguments = target_frame, target_time, source_frame, source_time, fixed_frame
        return self._poll(lambda: self.can_transform_full_core(*arguments), timeout, return_debug_tuple)

    @staticmethod
    def _poll(can: Can, timeout: Duration, debug: bool) -> int | tuple[int, str]:
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        end = clock.now() + timeout
        while not (result := can())[0] and clock.now() < end:
            wall.sleep(PERIOD)
        return result if debug else result[0]

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Time) -> Future:
        """A future that holds the transform once it is known."""
        arguments = target_frame, source_frame, time
        return self._future(lambda: self.can_transform_core(*arguments), lambda: self.lookup_transform_core(*arguments))

    def wait_for_transform_full_async(
        self, target_frame: str, target_time: Time, source_frame: str, source_time: Time, fixed_frame: str
    ) -> Future:
        """The same for a transform through a frame that is fixed in time."""
        arguments = target_frame, target_time, source_frame, source_time, fixed_frame
        return self._future(
            lambda: self.can_transform_full_core(*arguments), lambda: self.lookup_transform_full_core(*arguments)
        )

    def _future(self, can: Can, lookup: Lookup) -> Future:
        future = Future()

        def try_once() -> None:
            if not future.done() and can()[0]:
                future.set_result(lookup())

        with self._waiting_lock:
            try_once()
            if not future.done():
                self._waiting.append(try_once)
                future.add_done_callback(lambda _: self._waiting.remove(try_once))
        return future
