# SPDX-License-Identifier: Apache-2.0
"""Fingers: a person's hand onto the hands of two robots, ours beside dex-retargeting, judged by MuJoCo.

dex-retargeting runs where HANDS_PEER_PYTHON names a Python that has it:

    python -m venv peer && peer/bin/pip install dex-retargeting torch
    HANDS_PEER_PYTHON=peer/bin/python make bench-hands

Elsewhere its vector objective (Huber loss over scaled vectors from wrist to fingertips, and a pull to the last answer)
is restated here with SciPy's SLSQP in place of NLopt's, and named a restatement.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
from scipy.optimize import minimize

from bench.hands_sets import RATE, HandMotion, hand_motion
from bench.report import BenchError, Figure
from bench.rig import REPOSITORY
from humanoid_description import Robot, load
from humanoid_teleop.hands.retargeter import HandRetargeter
from humanoid_teleop.operator import TRACKED, Hand
from humanoid_teleop.settings import load_settings

ROBOTS = {"three fingers": "unitree_g1", "five fingers": "ubtech_walker_s2"}
SIDE = "right"
PERSON_ROWS = {"thumb": 0, "index": 1, "middle": 2, "ring": 3, "little": 4}
TOUCHING, SMALL = 1e-9, 0.02  # [m] gaps that count as touching, and as small
EQUAL = 1e-3  # [m] where the thumb is as near to two fingers, one of them is enough
ROUNDING = 1e-15  # of a difference of two positions [rad]
HUBER, PULL = 0.02, 4e-3  # of dex-retargeting's vector objective


@dataclass(frozen=True)
class Answers:
    """Joint positions (m, n) [rad], CPU time of each (m,) [s], and what the robot gets, from rest [rad]."""

    positions: np.ndarray
    cost: np.ndarray
    commands: np.ndarray


def measure(_seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    figures = {}
    for name, robot_name in ROBOTS.items():
        robot = load(REPOSITORY / "config" / "robots" / f"{robot_name}.yaml")
        motion = hand_motion(SIDE)
        runs = {"ours": _ours(robot, motion), **_peers(robot, motion)}
        judge = Judge(robot)
        verdicts = {who: judge.figures(run, motion) for who, run in runs.items()}
        for figure, ours in verdicts["ours"].items():
            peers = {who: verdict[figure] for who, verdict in verdicts.items() if who != "ours"}
            figures[f"{name}, {figure}"] = Figure(ours, peers)
    return figures


def _ours(robot: Robot, motion: HandMotion) -> Answers:
    hand = HandRetargeter(robot, SIDE, load_settings())
    rotations = np.tile(motion.rotation, (25, 1))
    positions, cost, commands = [], [], [hand.position]
    for joints in motion.positions:
        seen = Hand(True, TRACKED, joints, rotations)
        begin = time.thread_time_ns()
        hand.update(seen)
        cost.append(time.thread_time_ns() - begin)
        hand.step(1.0 / RATE, follow=True)
        positions.append(hand.goal)
        commands.append(hand.position)
    return Answers(np.array(positions), np.array(cost) * 1e-9, np.array(commands))


class Judge:
    """Looks at a hand's joint positions with MuJoCo: its kinematics, its distances between surfaces.

    Args:
        robot: The robot.
    """

    def __init__(self, robot: Robot) -> None:
        hand = robot.config.hands[SIDE]
        self._joints = robot.group(hand.group)
        self._limits = robot.limits(self._joints)
        self._poses = [np.array([pose[joint] for joint in self._joints]) for pose in (hand.open, hand.closed)]
        self._thumb = np.array(["thumb" in joint for joint in self._joints])
        self._model = mujoco.MjModel.from_xml_string(hand_urdf(robot))
        self._data = mujoco.MjData(self._model)
        self._address = [self._model.joint(joint).qposadr[0] for joint in self._joints]
        self._range = np.array([self._model.joint(joint).range for joint in self._joints])
        self._geoms: dict[str, list[int]] = {}
        self._follows: dict[str, list[int]] = {}
        for name, finger in hand.fingers.items():
            body = self._model.joint(finger.joints[-1]).bodyid[0]
            geoms = np.flatnonzero(self._model.geom_bodyid == body)
            self._geoms[name] = [int(geom) for geom in geoms if self._model.geom_contype[geom]]
            self._follows[name] = [PERSON_ROWS[person] - 1 for person in finger.follows]

    def figures(self, answers: Answers, motion: HandMotion) -> dict[str, float]:
        """Everything that is told of one way to retarget."""
        outside = (answers.positions < self._range[:, 0] - 1e-9) | (answers.positions > self._range[:, 1] + 1e-9)
        wanted, found = self._gaps(answers.positions, motion)
        touching, small = wanted < TOUCHING, wanted < SMALL
        fingers = ~self._thumb
        way = np.abs(self._poses[1] - self._poses[0])
        flat = np.abs(answers.positions[motion.flat] - self._poses[0])[:, fingers] / way[fingers]
        fist = np.abs(answers.positions[motion.fist] - self._poses[1])[:, fingers] / way[fingers]
        return {
            "per solve, median CPU": 1e6 * float(np.median(answers.cost)),
            "per solve, p99 CPU": 1e6 * float(np.percentile(answers.cost, 99)),
            "answers outside joint limits": float(outside.any(axis=1).sum()),
            "commands over position, speed or acceleration limits": float(self._over(answers.commands).sum()),
            "touching fingers, p95 of what stays open": 1e3
            * float(np.percentile(np.maximum(found[touching], 0.0), 95)),
            "touching fingers, p95 of overlap": 1e3 * float(np.percentile(np.maximum(-found[touching], 0.0), 95)),
            "gaps up to 2 cm, median error": 1e3 * float(np.median(np.abs(found[small] - wanted[small]))),
            "flat hand, mean joint from open": 100.0 * float(flat.mean()),
            "fist, mean joint from closed": 100.0 * float(fist.mean()),
        }

    def _over(self, commands: np.ndarray) -> np.ndarray:
        """Which commands (m, n), from rest, are outside a limit (m,)."""
        speed = np.diff(commands, axis=0, prepend=commands[:1]) * RATE
        acceleration = np.diff(speed, axis=0, prepend=speed[:1]) * RATE
        far = (commands < self._range[:, 0] - 1e-12) | (commands > self._range[:, 1] + 1e-12)
        fast = np.abs(speed) > self._limits.velocity + ROUNDING * RATE
        hard = np.abs(acceleration) > self._limits.acceleration + 4.0 * ROUNDING * RATE**2
        return np.asarray((far | fast | hard).any(axis=1))

    def _gaps(self, positions: np.ndarray, motion: HandMotion) -> tuple[np.ndarray, np.ndarray]:
        """The person's smallest gap to the thumb, and the robot's between surfaces of a finger that has it (m,) [m]."""
        names = [name for name in self._follows if name != "thumb"]
        wanted = np.array([motion.gaps[:, self._follows[name]].min(axis=1) for name in names])
        found = np.full(len(positions), np.inf)
        segment = np.empty(6)
        for row, joints in enumerate(positions):
            self._data.qpos[self._address] = joints
            mujoco.mj_kinematics(self._model, self._data)
            for name in (name for name, gap in zip(names, wanted[:, row]) if gap < wanted[:, row].min() + EQUAL):
                for a in self._geoms["thumb"]:
                    for b in self._geoms[name]:
                        apart = mujoco.mj_geomDistance(self._model, self._data, a, b, 1.0, segment)
                        found[row] = min(found[row], apart)
        return wanted.min(axis=0), found


def hand_urdf(robot: Robot) -> str:
    """The hand alone: what stands behind the link that the operator's wrist is mapped to."""
    root = ElementTree.fromstring(robot.urdf)
    joints = root.findall("joint")
    model = robot.pinocchio()
    frame = robot.config.operator.arms[SIDE].wrist_frame
    palm = robot.config.hands[SIDE].palm_frame
    # The wrist frame and the palm hang on the same moving link.
    base = model.names[model.frames[robot.frame_id(palm)].parentJoint]
    parent = {_link(joint, "child"): joint for joint in joints}
    start = next(_link(joint, "child") for joint in joints if joint.get("name") == base)
    assert model.names[model.frames[robot.frame_id(frame)].parentJoint] == base
    kept = {start}
    changed = True
    while changed:
        more = {child for child, joint in parent.items() if _link(joint, "parent") in kept} - kept
        kept |= more
        changed = bool(more)
    out = ElementTree.Element("robot", name="hand")
    compiler = ElementTree.SubElement(ElementTree.SubElement(out, "mujoco"), "compiler")
    compiler.attrib.update(fusestatic="false", balanceinertia="true", boundmass="1e-6", boundinertia="1e-9")
    out.extend(item for item in root.findall("material"))
    out.extend(link for link in root.findall("link") if link.get("name") in kept)
    out.extend(joint for child, joint in parent.items() if child in kept and child != start)
    return ElementTree.tostring(out, encoding="unicode")


def _link(joint: ElementTree.Element, end: str) -> str:
    found = joint.find(end)
    assert found is not None
    return found.attrib["link"]


# --- peers ---


@dataclass(frozen=True)
class _Task:
    """What vector retargeting is given: the person's fingertips from the wrist, root link's axes; a scale."""

    urdf: str
    joints: tuple[str, ...]
    tips: list[str]
    wrist: str
    places: np.ndarray
    scaling: float


def _task(robot: Robot, motion: HandMotion) -> _Task:
    hand, arm = robot.config.hands[SIDE], robot.config.operator.arms[SIDE]
    names = sorted(hand.fingers, key=lambda name: name != "thumb")  # thumb first
    tips = [hand.fingers[name].tip_frame for name in names]
    rows = [[4 + 5 * PERSON_ROWS[person] for person in hand.fingers[name].follows] for name in names]
    model = pin.buildModelFromXML(hand_urdf(robot))
    data = model.createData()
    pin.framesForwardKinematics(model, data, np.array([hand.open[name] for name in model.names[1:]]))
    wrist = data.oMf[model.getFrameId(arm.wrist_frame)]
    root_from_operator = wrist.rotation @ arm.wrist_from_operator
    places = np.stack([motion.local[:, row].mean(axis=1) for row in rows], axis=1) @ root_from_operator.T
    # As long as the middle finger is on both, from the wrist, hand flat
    tip = data.oMf[model.getFrameId(hand.fingers["middle"].tip_frame)].translation
    reach, person = (
        np.linalg.norm(tip - wrist.translation),
        np.linalg.norm(motion.local[motion.flat, 14], axis=1).mean(),
    )
    joints = robot.group(hand.group)
    return _Task(hand_urdf(robot), joints, tips, arm.wrist_frame, places, float(reach / person))


def _peers(robot: Robot, motion: HandMotion) -> dict[str, Answers]:
    task = _task(robot, motion)
    python = os.environ.get("HANDS_PEER_PYTHON", "")
    if not python:
        return {"dex-retargeting vector (restatement)": _restated(task)}
    return {f"dex-retargeting {kind}": _asked(python, kind, task) for kind in ("vector", "dexpilot")}


def _asked(python: str, kind: str, task: _Task) -> Answers:
    with tempfile.TemporaryDirectory() as folder:
        urdf, job, answer = (Path(folder) / name for name in ("hand.urdf", "job.npz", "answer.npz"))
        urdf.write_text(task.urdf, encoding="utf-8")
        np.savez(job, joints=task.joints, tips=task.tips, wrist=task.wrist, places=task.places, scaling=task.scaling)
        command = [python, str(Path(__file__).with_name("hands_peer.py")), kind, str(urdf), str(job), str(answer)]
        environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{python}: {done.stderr.strip().splitlines()[-1:]}, expected dex-retargeting to run")
        found = np.load(answer)
    return Answers(found["positions"].astype(float), found["cost"], found["positions"].astype(float))


def _restated(task: _Task) -> Answers:
    model = pin.buildModelFromXML(task.urdf)
    data = model.createData()
    tips = [model.getFrameId(tip) for tip in task.tips]
    wrist = model.getFrameId(task.wrist)
    order = np.array([model.joints[model.getJointId(joint)].idx_q for joint in task.joints])
    bounds = list(zip(model.lowerPositionLimit - 1e-3, model.upperPositionLimit + 1e-3))  # widened as there
    q = 0.5 * (model.lowerPositionLimit + model.upperPositionLimit)
    pin.framesForwardKinematics(model, data, q)
    origin = data.oMf[wrist].translation.copy()

    def objective(x: np.ndarray, wanted: np.ndarray, last: np.ndarray) -> tuple[float, np.ndarray]:
        pin.computeJointJacobians(model, data, x)
        value, slope = 0.0, 2.0 * PULL * (x - last)
        for tip, place in zip(tips, wanted):
            error = pin.updateFramePlacement(model, data, tip).translation - place
            length = float(np.sqrt(error @ error)) + 1e-12
            huber = min(length / HUBER, 1.0)
            value += (0.5 * length * huber if huber < 1.0 else length - 0.5 * HUBER) / len(tips)
            jacobian = pin.getFrameJacobian(model, data, tip, pin.LOCAL_WORLD_ALIGNED)[:3]
            slope = slope + huber / len(tips) * (error / length) @ jacobian
        return value + PULL * float((x - last) @ (x - last)), slope

    answers, cost = [], []
    for places in task.places:
        begin = time.thread_time()
        wanted = task.scaling * places + origin
        start = np.clip(q, model.lowerPositionLimit, model.upperPositionLimit)
        q = minimize(objective, start, (wanted, q), "SLSQP", jac=True, bounds=bounds, options={"ftol": 1e-6}).x
        cost.append(time.thread_time() - begin)
        answers.append(q[order])
    return Answers(np.array(answers), np.array(cost), np.array(answers))
