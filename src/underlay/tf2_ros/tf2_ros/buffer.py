# SPDX-License-Identifier: Apache-2.0
"""The buffer with waiting, and a memory that ends when time jumps back."""

import time as wall

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.time import Time
from tf2_py import BufferCore

NOW = Duration()  # do not wait
PERIOD = 0.02  # between two looks while waiting [s]


class Buffer(BufferCore):
    """Buffer of transforms.

    Args:
        cache_time: How long samples are kept, 10 s unless given.
        node: Gives the clock whose jumps back clear the buffer.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        super().__init__(cache_time)
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Forget the moving transforms of a time that comes again."""
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration = NOW
    ) -> TransformStamped:
        """Transform that takes points in the source frame to the target frame, at a time (0: the newest common).

        Raises:
            TransformException: it could not be had within the timeout; what the last attempt met.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = NOW,
        return_debug_tuple: bool = False,
    ) -> int | tuple[int, str]:
        """Whether a lookup would succeed within the timeout (1 or 0); with `return_debug_tuple` also why not."""
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        end = clock.now() + timeout
        while not (result := self.can_transform_core(target_frame, source_frame, time))[0] and clock.now() < end:
            wall.sleep(PERIOD)
        return result if return_debug_tuple else result[0]
