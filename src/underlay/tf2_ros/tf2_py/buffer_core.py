# SPDX-License-Identifier: Apache-2.0
"""The tree of frames and the transforms between any two of them."""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pinocchio
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.logging import get_logger

from tf2_py.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_py.time_cache import Sample, StaticCache, TimeCache, seconds

AnyTime = Any  # rclpy.time.Time or builtin_interfaces.msg.Time

DEFAULT_CACHE = 10_000_000_000  # [ns]


def _ns(time: AnyTime) -> int:
    if hasattr(time, "nanosec"):
        return time.sec * 1_000_000_000 + time.nanosec
    if hasattr(time, "nanoseconds"):
        return time.nanoseconds
    raise TypeError("time must have sec and nanosec, or nanoseconds.")


def _message(target: str, source: str, pose: pinocchio.SE3, time: int) -> TransformStamped:
    message = TransformStamped(child_frame_id=source)
    message.header.frame_id = target
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(time, 1_000_000_000)
    move, turn = message.transform.translation, message.transform.rotation
    move.x, move.y, move.z, turn.x, turn.y, turn.z, turn.w = pinocchio.SE3ToXYZQUAT(pose).tolist()
    return message


class BufferCore:
    """Transforms of the last seconds, by frame.

    Args:
        cache_time: How long samples are kept, 10 s unless given.
    """

    def __init__(self, cache_time: Duration | None = None) -> None:
        self._cache_time = DEFAULT_CACHE if cache_time is None else cache_time.nanoseconds
        self._frames: dict[str, TimeCache | StaticCache | None] = {}  # None: known as a parent only
        self._lock = threading.RLock()

    def clear(self) -> None:
        """Forget all moving transforms; frame names and static transforms stay."""
        with self._lock:
            for cache in self._frames.values():
                if isinstance(cache, TimeCache):
                    cache.samples.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Store a sample. A bad or too old one is logged and ignored."""
        self._set(transform, authority, TimeCache)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Store a transform that holds at any time."""
        self._set(transform, authority, StaticCache)

    def _set(self, transform: TransformStamped, authority: str, kind: type[TimeCache] | type[StaticCache]) -> None:
        parent = transform.header.frame_id.removeprefix("/")
        child = transform.child_frame_id.removeprefix("/")
        t, r = transform.transform.translation, transform.transform.rotation
        translation, raw = (t.x, t.y, t.z), (r.x, r.y, r.z, r.w)
        norm = math.sqrt(sum(part * part for part in raw)) or math.nan
        problems = {
            "TF_SELF_TRANSFORM": child == parent,
            "TF_NO_CHILD_FRAME_ID": not child,
            "TF_NO_FRAME_ID": not parent,
            "TF_NAN_INPUT": any(map(math.isnan, (*translation, norm))),
            "TF_DENORMALIZED_QUATERNION": math.isnan(norm),
        }
        for problem in (problem for problem, found in problems.items() if found):
            get_logger("tf2_buffer").error(
                f'{problem}: Ignoring transform from "{parent}" to "{child}" from authority "{authority}": '
                f"{translation} {raw}"
            )
        if any(problems.values()):
            return
        stamp = _ns(transform.header.stamp)
        pose = pinocchio.XYZQUATToSE3(np.array([*translation, *(part / norm for part in raw)]))
        with self._lock:
            cache = self._frames.get(child)
            if not isinstance(cache, kind):
                cache = TimeCache(self._cache_time) if kind is TimeCache else StaticCache()
                self._frames[child] = cache
            self._frames.setdefault(parent, None)
            if cache.insert(Sample(stamp, parent, pose)):
                return
        get_logger("tf2_buffer").warning(
            f"TF_OLD_DATA ignoring data from the past for frame {child} at time {seconds(stamp)} from {authority}"
        )

    def can_transform_core(self, target_frame: str, source_frame: str, time: AnyTime) -> tuple[int, str]:
        """Whether a lookup would succeed (1 or 0), and why not."""
        frames = {"target_frame": target_frame, "source_frame": source_frame}
        with self._lock:
            for argument, frame in frames.items() if target_frame != source_frame else ():
                wrong = self._wrong_name(frame) or ("" if frame in self._frames else "frame does not exist")
                if wrong:
                    return 0, f'Invalid frame ID "{frame}" passed to canTransform argument {argument} - {wrong}'
            try:
                self._lookup(target_frame, source_frame, _ns(time))
            except TransformException as reason:
                return 0, str(reason)
        return 1, ""

    def lookup_transform_core(self, target_frame: str, source_frame: str, time: AnyTime) -> TransformStamped:
        """Transform that takes points in the source frame to the target frame, at a time (0: the newest common).

        Raises:
            TransformException: LookupException, ConnectivityException, ExtrapolationException or
                InvalidArgumentException, with upstream's texts.
        """
        with self._lock:
            if target_frame != source_frame:
                self._validate(target_frame=target_frame, source_frame=source_frame)
            return _message(target_frame, source_frame, *self._lookup(target_frame, source_frame, _ns(time)))

    @staticmethod
    def _wrong_name(frame: str) -> str:
        if not frame:
            return "in tf2 frame_ids cannot be empty"
        return "in tf2 frame_ids cannot start with a '/'" if frame.startswith("/") else ""

    def _validate(self, **frames: str) -> None:
        for argument, frame in frames.items():
            where = f'"{frame}" passed to lookupTransform argument {argument}'
            if wrong := self._wrong_name(frame):
                raise InvalidArgumentException(f"Invalid argument {where} - {wrong}")
            if frame not in self._frames:
                raise LookupException(f"{where} does not exist. ")

    def _lookup(self, target: str, source: str, time: int) -> tuple[pinocchio.SE3, int]:
        """Pose of the source in the target, and the time it holds for [ns]."""
        if target == source:
            return pinocchio.SE3.Identity(), time or self._newest(target)
        if time == 0:
            time = self._latest_common_time(target, source)
        top_from_source, top, blocked = self._climb(source, target, time)
        if top == target:
            return top_from_source, time
        where = f", when looking up transform from frame [{source}] to frame [{target}]"
        top_from_target, other_top, other_blocked = self._climb(target, source, time, stop=top)
        if other_blocked is not None:
            raise ExtrapolationException(other_blocked + where)
        if other_top == source:
            return top_from_target.inverse(), time
        if other_top != top:
            if blocked is not None:
                raise ExtrapolationException(blocked + where)
            raise self._unconnected(target, source)
        return top_from_target.actInv(top_from_source), time

    def _climb(self, frame: str, goal: str, time: int, stop: str = "") -> tuple[pinocchio.SE3, str, str | None]:
        """Walk towards the root until the goal, the stop, a root, or a frame without data at that time.

        Returns:
            Pose of the first frame in the last one, the last one's name, and why the walk ended there if it had to.
        """
        pose = pinocchio.SE3.Identity()
        for _ in range(1000):
            cache = self._frames[frame]
            if frame in (goal, stop) or cache is None:
                return pose, frame, None
            try:
                sample = cache.at(time)
            except ExtrapolationException as reason:
                return pose, frame, str(reason)
            pose = sample.pose * pose
            frame = sample.parent
        raise self._loop()

    def _loop(self) -> LookupException:
        return LookupException(f"The tf tree is invalid because it contains a loop.\n{self.all_frames_as_string()}\n")

    def all_frames_as_string(self) -> str:
        """A line for each frame that has a parent, for people."""
        with self._lock:
            known = {frame: cache.samples for frame, cache in self._frames.items() if cache is not None}
            return "".join(
                f"Frame {frame} exists with parent {samples[-1].parent if samples else 'NO_PARENT'}.\n"
                for frame, samples in known.items()
            )

    def _newest(self, frame: str) -> int:
        cache = self._frames.get(frame)
        return cache.samples[-1].stamp if cache and cache.samples else 0

    def _parents(self, frame: str, found: Callable[[str], bool]) -> list[str]:
        """Frames from this one up to the first that `found` accepts, or to the root."""
        chain = [frame]
        while not found(frame) and (cache := self._frames[frame]) and cache.samples:
            frame = cache.samples[-1].parent
            chain.append(frame)
            if len(chain) > 1000:
                raise self._loop()
        return chain

    def _latest_common_time(self, target: str, source: str) -> int:
        if target == source:
            return self._newest(target)
        up = self._parents(source, lambda frame: frame == target)
        down = self._parents(target, lambda frame: frame in up)
        if down[-1] not in up:
            raise self._unconnected(target, source)
        path = up[: up.index(down[-1])] + down[:-1]
        return min((stamp for stamp in map(self._newest, path) if stamp), default=0)

    @staticmethod
    def _unconnected(target: str, source: str) -> ConnectivityException:
        return ConnectivityException(
            f"Could not find a connection between '{target}' and '{source}' because they are not part of the same "
            "tree.Tf has two or more unconnected trees."
        )
