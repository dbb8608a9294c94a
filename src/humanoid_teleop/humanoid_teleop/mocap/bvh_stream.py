# SPDX-License-Identifier: Apache-2.0
"""A live stream of BVH frames: one UDP datagram of text with the values of a MOTION line, as suits broadcast them.

Perception Neuron's software sends such lines ("0 name v1 v2 ... ||"); whatever writes a BVH file can. The hierarchy
that says what the values are is not in the stream: it comes from a BVH file that the same software exported.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.mocap.segments import Sample, Segment, StreamError
from humanoid_teleop.recordings.bvh import Bvh

PORT = 7001


class BvhReader:
    """Reads datagrams.

    Args:
        hierarchy: Clip whose skeleton the stream moves.
    """

    def __init__(self, hierarchy: Bvh) -> None:
        self._clip = replace(hierarchy, motion=np.zeros((1, hierarchy.motion.shape[1])))
        self._counter = 0

    def read(self, data: bytes) -> Sample:
        """The sample of a datagram; the stream has no clock and no counter of its own.

        Raises:
            StreamError: not as many numbers as the skeleton has channels.
        """
        words = data.decode("ascii", errors="replace").replace("||", " ").split()
        count = self._clip.motion.shape[1]
        if len(words) == count + 2:  # with number and name of the person
            words = words[2:]
        try:
            values = np.array(words, dtype=float)
        except ValueError:
            raise StreamError("BVH stream: found text, expected the numbers of one frame") from None
        if values.shape != (count,) or not np.isfinite(values).all():
            raise StreamError(f"BVH stream: found {len(words)} values, expected {count} finite ones")
        self._clip.motion[0] = values
        places, turns = self._clip.poses()
        self._counter += 1
        segments = {
            joint.name: Segment(places[0, i], rotations.quaternion(turns[0, i]))
            for i, joint in enumerate(self._clip.joints)
            if joint.channels
        }
        return Sample(0.0, self._counter, segments)
