# SPDX-License-Identifier: Apache-2.0
"""dex-retargeting on a hand, in a Python of its own: it needs torch, gigabytes that nothing else here needs.

    python hands_peer.py <vector | dexpilot> <hand.urdf> <job.npz> <answer.npz>

The job names joints, fingertips (thumb first) and wrist link, has the person's fingertips from the wrist (m, k, 3) in
the axes of the root link, and the scaling; the answer has joint positions (m, n) and CPU times (m,) [s]. Used as the
package's examples use it, without its low-pass, which would only add lag.
"""

import sys
import time

import numpy as np
from dex_retargeting.optimizer import DexPilotOptimizer, VectorOptimizer
from dex_retargeting.robot_wrapper import RobotWrapper
from dex_retargeting.seq_retarget import SeqRetargeting


def main(kind: str, urdf: str, job_file: str, answer_file: str) -> None:
    """Follow every frame of the job."""
    job = np.load(job_file)
    joints, tips = [str(name) for name in job["joints"]], [str(name) for name in job["tips"]]
    wrist, scaling = str(job["wrist"]), float(job["scaling"])
    robot = RobotWrapper(urdf)
    size = len(tips)
    if kind == "dexpilot":
        optimizer = DexPilotOptimizer(robot, joints, tips, wrist, scaling=scaling)
        origins, ends = DexPilotOptimizer.generate_link_indices(size)
    else:
        origins, ends = [0] * size, list(range(1, size + 1))
        unused = np.zeros((2, size), dtype=int)
        optimizer = VectorOptimizer(robot, joints, [wrist] * size, tips, unused, scaling=scaling)
    retargeting = SeqRetargeting(optimizer, has_joint_limits=True)
    points = np.concatenate([np.zeros((len(job["places"]), 1, 3)), job["places"]], axis=1)
    vectors = points[:, ends] - points[:, origins]
    order = [robot.dof_joint_names.index(name) for name in joints]
    answers, cost = [], []
    for vector in vectors:
        begin = time.thread_time()
        answer = retargeting.retarget(vector)
        cost.append(time.thread_time() - begin)
        answers.append(answer[order])
    np.savez(answer_file, positions=np.array(answers), cost=np.array(cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
