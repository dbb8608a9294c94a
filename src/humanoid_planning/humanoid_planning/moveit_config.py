# SPDX-License-Identifier: Apache-2.0
"""MoveIt's configuration of a robot: made from the robot's own files, and read as MoveItConfigsBuilder reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from humanoid_core.config import read_yaml
from humanoid_core.errors import ConfigError
from humanoid_description import Robot
from humanoid_description.sources import share_folders

PLANNER = "RRTConnect"
CONTROLLER, ACTION = "planning", "follow_joint_trajectory"
PADDING = 0.015  # [m] kept from everything by plans: the limiter keeps 0.01 m
_SCALING = 0.3  # share of the limits used by default: hands then stay under 2.5 m/s
_SEGMENT = 0.005  # share of the joint space between two looks of MoveIt's own check
_STEP = 0.01  # [s] between points of a trajectory: what the limiter interpolates
_HEADER = "# SPDX-License-Identifier: Apache-2.0\n# Written by `ros2 run humanoid_planning make_moveit_config {}`.\n"


class _Dumper(yaml.SafeDumper):
    """Without references to what stands above."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def planned_joints(robot: Robot) -> list[str]:
    """Joints that plans move: those that are commanded, but no fingers."""
    hands = {hand.group for hand in robot.config.hands.values()}
    return [joint for group in robot.config.commanded if group not in hands for joint in robot.config.groups[group]]


def planning_groups(robot: Robot) -> list[str]:
    """Groups of the SRDF that consist of such joints."""
    joints = set(planned_joints(robot))
    found = [(name, robot.semantics.joints(name)) for name in robot.semantics.groups]
    return [name for name, members in found if members and set(members) <= joints]


def files(robot: Robot) -> dict[str, str]:
    """Contents of config/moveit/<robot>/ by file name."""
    made = {
        ".setup_assistant": _setup_assistant(robot),
        "joint_limits.yaml": _joint_limits(robot),
        "kinematics.yaml": _kinematics(robot),
        "moveit_controllers.yaml": _controllers(robot),
        "moveit_cpp.yaml": _moveit_cpp(),
        "ompl_planning.yaml": _ompl(robot),
        "pilz_cartesian_limits.yaml": _cartesian(),
    }
    header = _HEADER.format(robot.config.name)
    return {
        name: header + yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=118)
        for name, content in made.items()
    }


def read(folder: Path, robot: Robot) -> dict[str, Any]:
    """Parameters of MoveItPy, as MoveItConfigsBuilder makes them of the same files.

    Args:
        folder: config/moveit/<robot>.
        robot: Its URDF and SRDF, which may be a maker's own.

    Raises:
        ConfigError: a file is missing or no YAML.
    """
    pipeline = read_yaml(folder / "ompl_planning.yaml")
    return {
        "robot_description": robot.urdf,
        "robot_description_semantic": robot.srdf,
        "robot_description_kinematics": read_yaml(folder / "kinematics.yaml"),
        "robot_description_planning": read_yaml(folder / "joint_limits.yaml"),
        "default_planning_pipeline": "ompl",
        "ompl": pipeline,
        **read_yaml(folder / "moveit_controllers.yaml"),
        **read_yaml(folder / "moveit_cpp.yaml"),
    }


def _setup_assistant(robot: Robot) -> dict[str, Any]:
    name, arguments = robot.config.name, robot.config.description.arguments
    given = " ".join(f"{key}:={value}" for key, value in arguments.items())
    return {
        "moveit_setup_assistant_config": {
            "urdf": {
                "package": "humanoid_description",
                "relative_path": robot.config.description.xacro,
                **({"xacro_args": given} if given else {}),
            },
            "srdf": {"relative_path": f"config/{name}.srdf"},
        }
    }


def _joint_limits(robot: Robot) -> dict[str, Any]:
    joints = planned_joints(robot)
    limits = robot.limits(joints)
    return {
        "default_velocity_scaling_factor": _SCALING,
        "default_acceleration_scaling_factor": _SCALING,
        "default_robot_padding": PADDING,
        "joint_limits": {
            joint: {
                "has_position_limits": True,
                "min_position": round(float(limits.lower[i]), 6),
                "max_position": round(float(limits.upper[i]), 6),
                "has_velocity_limits": True,
                "max_velocity": float(limits.velocity[i]),
                "has_acceleration_limits": True,
                "max_acceleration": float(limits.acceleration[i]),
                "has_jerk_limits": True,
                "max_jerk": float(limits.jerk[i]),
            }
            for i, joint in enumerate(joints)
        },
    }


def _kinematics(robot: Robot) -> dict[str, Any]:
    solver = {
        "kinematics_solver": "kdl_kinematics_plugin/KDLKinematicsPlugin",
        "kinematics_solver_search_resolution": 0.005,
        "kinematics_solver_timeout": 0.05,
    }
    return {arm.group: dict(solver) for arm in robot.config.operator.arms.values()}


def _controllers(robot: Robot) -> dict[str, Any]:
    return {
        "moveit_controller_manager": "moveit_simple_controller_manager/MoveItSimpleControllerManager",
        "moveit_simple_controller_manager": {
            "controller_names": [CONTROLLER],
            CONTROLLER: {
                "type": "FollowJointTrajectory",
                "action_ns": ACTION,
                "default": True,
                "joints": planned_joints(robot),
            },
        },
        # The limiter may stretch a motion: what it takes longer is for the action server to judge.
        "trajectory_execution": {"execution_duration_monitoring": False, "allowed_start_tolerance": 0.05},
    }


def _moveit_cpp() -> dict[str, Any]:
    return {
        "planning_scene_monitor_options": {
            "name": "planning_scene_monitor",
            "robot_description": "robot_description",
            "joint_state_topic": "joint_states",
            "attached_collision_object_topic": "planning/attached_collision_object",
            "publish_planning_scene_topic": "planning/scene",
            "monitored_planning_scene_topic": "planning/monitored_scene",
            "wait_for_initial_state_timeout": 10.0,
        },
        "planning_pipelines": {"pipeline_names": ["ompl"]},
        "plan_request_params": {
            "planner_id": PLANNER,
            "planning_pipeline": "ompl",
            "planning_attempts": 1,
            "planning_time": 1.0,
            "max_velocity_scaling_factor": _SCALING,
            "max_acceleration_scaling_factor": _SCALING,
        },
    }


def _ompl(robot: Robot) -> dict[str, Any]:
    group = {
        "default_planner_config": PLANNER,
        "planner_configs": [PLANNER],
        "longest_valid_segment_fraction": _SEGMENT,
    }
    return {
        "planning_plugins": ["ompl_interface/OMPLPlanner"],
        "request_adapters": [
            f"default_planning_request_adapters/{name}"
            for name in (
                "ResolveConstraintFrames",
                "ValidateWorkspaceBounds",
                "CheckStartStateBounds",
                "CheckStartStateCollision",
            )
        ],
        "response_adapters": [
            f"default_planning_response_adapters/{name}"
            for name in ("AddTimeOptimalParameterization", "AddRuckigTrajectorySmoothing", "ValidateSolution")
        ],
        "path_tolerance": 0.1,
        "resample_dt": _STEP,
        "min_angle_change": 0.001,
        "planner_configs": {PLANNER: {"type": f"geometric::{PLANNER}", "range": 0.0}},
        **{name: dict(group) for name in planning_groups(robot)},
    }


def _cartesian() -> dict[str, Any]:
    return {
        "cartesian_limits": {"max_trans_vel": 1.0, "max_trans_acc": 2.25, "max_trans_dec": -5.0, "max_rot_vel": 1.57}
    }


def folder_of(name: str) -> Path:
    """config/moveit/<robot>: the installed one, or the source tree's.

    Raises:
        ConfigError: there is none.
    """
    for share in share_folders("humanoid_bringup"):
        if (share / "config" / "moveit" / name).is_dir():
            return share / "config" / "moveit" / name
    raise ConfigError("config/moveit", name, "no folder", "one: make_moveit_config writes it")
