# SPDX-License-Identifier: Apache-2.0
"""Two joint_trajectory_controllers and a joint_state_broadcaster in a process of their own, as with ros2_control.

A trajectory is checked as the real controller does (all of its joints and no other, increasing times, at rest at its
end), begins where the last one stood, is interpolated linearly, and its end is held. Orders are JSON lines on stdin.
"""

import json
import os
import sys
import threading
import time

import rclpy
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionServer, GoalResponse
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

ARM = [
    "shoulder_pitch_joint", "shoulder_roll_joint", "shoulder_yaw_joint", "elbow_joint",
    "wrist_roll_joint", "wrist_pitch_joint", "wrist_yaw_joint",
]  # fmt: skip


class Controller:
    """One of them."""

    def __init__(self, node: Node, side: str, robot: "FakeControllers") -> None:
        self.joints, self.robot = [f"{side}_{joint}" for joint in ARM], robot
        name = f"/{side}_arm_controller"
        node.create_subscription(JointTrajectory, f"{name}/joint_trajectory", self.topic, 10)
        self.server = ActionServer(
            node, FollowJointTrajectory, f"{name}/follow_joint_trajectory", self.execute,
            goal_callback=self.goal,
        )  # fmt: skip
        self.desired = dict.fromkeys(self.joints, 0.1)
        self.start, self.goal_point, self.begin, self.duration = dict(self.desired), dict(self.desired), 0.0, 0.0
        self.newest = 0
        self.running: list[tuple[int, float, Future]] = []

    def wrong(self, trajectory: JointTrajectory) -> str:
        if self.robot.settings["refuse"]:
            return "told to"
        if set(trajectory.joint_names) != set(self.joints) or len(trajectory.joint_names) != len(self.joints):
            return f"joints {trajectory.joint_names}"
        if not trajectory.points:
            return "no points"
        times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in trajectory.points]
        if any(b <= a for a, b in zip([0.0, *times], times)):
            return f"times {times}"
        last = trajectory.points[-1]
        if any(abs(v) > 1e-7 for v in last.velocities):
            return "it moves at its end"
        stamp = trajectory.header.stamp.sec + 1e-9 * trajectory.header.stamp.nanosec
        if stamp and stamp + times[-1] < time.time():
            return "it ends in the past"
        if any(len(p.positions) != len(self.joints) for p in trajectory.points):
            return "positions"
        return ""

    def take(self, trajectory: JointTrajectory) -> bool:
        with self.robot.lock:
            reason, seen = self.wrong(trajectory), self.robot.seen
            if reason:
                seen["refused"] += 1
                seen["why"] = reason
                return False
            self.sample()
            point = trajectory.points[-1]
            goal = dict(zip(trajectory.joint_names, point.positions))
            step = max(abs(goal[joint] - self.goal_point[joint]) for joint in self.joints)
            seen["largest_step"] = max(seen["largest_step"], step)
            seen["commands"] += 1
            self.start, self.goal_point, self.begin = dict(self.desired), goal, time.monotonic()
            self.duration = point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec
            seen["durations"] = [self.duration]
            self.newest += 1
        return True

    def topic(self, trajectory: JointTrajectory) -> None:
        self.take(trajectory)

    def goal(self, goal: FollowJointTrajectory.Goal) -> GoalResponse:
        self.robot.seen["goals"] += 1
        return GoalResponse.ACCEPT if self.take(goal.trajectory) else GoalResponse.REJECT

    async def execute(self, handle) -> FollowJointTrajectory.Result:
        """Until the end of its trajectory, or until a newer one takes its place."""
        done = Future()
        self.running.append((self.newest, time.monotonic() + self.duration, done))
        await done
        result = FollowJointTrajectory.Result()
        if self.robot.settings["abort"]:
            result.error_code = FollowJointTrajectory.Result.PATH_TOLERANCE_VIOLATED
            result.error_string = "left elbow strays"
            handle.abort()
        else:
            handle.succeed()
        return result

    def finish(self) -> None:
        """End the goals that are over."""
        now = time.monotonic()
        for one in [one for one in self.running if one[0] != self.newest or one[1] <= now]:
            self.running.remove(one)
            one[2].set_result(None)

    def sample(self) -> None:
        share = min(1.0, (time.monotonic() - self.begin) / self.duration) if self.duration else 1.0
        for joint in self.joints:
            self.desired[joint] = self.start[joint] + share * (self.goal_point[joint] - self.start[joint])


class FakeControllers:
    """The controllers, and the states of all joints."""

    def __init__(self, rate: float) -> None:
        self.node = Node("controller_manager")
        self.lock = threading.Lock()
        self.settings = {"silent": False, "late": 0.0, "nan": False, "refuse": False, "abort": False}
        self.clear()
        self.controllers = [Controller(self.node, side, self) for side in ("left", "right")]
        self.states = self.node.create_publisher(JointState, "/hw/joint_states", 10)
        self.measured = {joint: 0.1 for one in self.controllers for joint in one.joints}
        self.node.create_timer(1.0 / rate, self.publish)

    def clear(self) -> None:
        self.seen = {"commands": 0, "goals": 0, "refused": 0, "why": "", "largest_step": 0.0, "durations": []}

    def publish(self) -> None:
        with self.lock:
            for one in self.controllers:
                one.finish()
                one.sample()
                for joint in one.joints:
                    self.measured[joint] += 0.5 * (one.desired[joint] - self.measured[joint])
            if self.settings["silent"]:
                return
            stamp = time.time_ns() - round(1e9 * self.settings["late"])
            message = JointState(name=[*self.measured, "gantry_joint"])
            message.header.stamp.sec, message.header.stamp.nanosec = stamp // 10**9, stamp % 10**9
            message.position = [*self.measured.values(), 9.0]
            if self.settings["nan"]:
                message.position[0] = float("nan")
            self.states.publish(message)


def main() -> None:
    """Run until stdin ends."""
    rclpy.init(domain_id=int(sys.argv[1]))
    robot = FakeControllers(float(sys.argv[2]))
    executor = SingleThreadedExecutor()
    executor.add_node(robot.node)
    threading.Thread(target=executor.spin, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        with robot.lock:
            if order.pop("clear", False):
                robot.clear()
            robot.settings.update(order)
            desired = {joint: place for one in robot.controllers for joint, place in one.goal_point.items()}
            answer = {**robot.seen, "measured": robot.measured, "goal": desired}
        print(json.dumps(answer), flush=True)
    os._exit(0)  # whatever the executor is about


if __name__ == "__main__":
    main()
