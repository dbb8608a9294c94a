# SPDX-License-Identifier: Apache-2.0
"""The recorder's parameters, declared; their values stand in config/recorder.yaml and in the launch files."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import yaml
from rclpy.node import Node

from humanoid_core import ros
from humanoid_core.errors import ConfigError
from humanoid_recorder.backends import BACKENDS
from humanoid_recorder.folders import check_robot_name
from humanoid_recorder.settings import Settings


def declare_settings(node: Node) -> Settings:
    """Declare what the recorder's core needs and give its values.

    Raises:
        ConfigError: a value is missing, wrong or out of range.
    """
    backend = ros.required(node, "backend", f"Writer: {' or '.join(BACKENDS)}", kind=str)
    if backend not in BACKENDS:
        raise ConfigError(node.get_name(), "backend", repr(backend), f"one of {', '.join(BACKENDS)}")
    distro = os.environ.get("ROS_DISTRO", "unknown")
    packages = ("humanoid_recorder", "rclpy", "mcap")
    return Settings(
        out=Path(ros.required(node, "out", "Root folder of all episodes", kind=str)).expanduser().absolute(),
        robot=check_robot_name(ros.required(node, "robot_name", "Robot, and the folder of its episodes", kind=str)),
        namespace=node.get_namespace(),
        backend=backend,
        flush_period=ros.required(node, "flush_period", "Longest wait before a write [s]", 0.01, 10.0, float),
        sync_period=ros.required(node, "sync_period", "Between two syncs of the disk [s]; 0: none", 0.0, 60.0, float),
        pre_roll=ros.required(node, "pre_roll", "What is kept from before the start [s]", 0.0, 60.0, float),
        pre_roll_bytes=ros.required(node, "pre_roll_bytes", "Most that is kept for it [bytes]", 0, kind=int),
        post_roll=ros.required(node, "post_roll", "What is added behind the stop [s]", 0.0, 60.0, float),
        reserve_bytes=ros.required(node, "reserve_bytes", "Room held for ending on a full disk [bytes]", 0, kind=int),
        usual_length=ros.required(node, "usual_length", "Of an episode, for the disk guard [s]", 0.0, 3600.0, float),
        queue_bytes=ros.required(node, "queue_bytes", "Most that may wait for the disk [bytes]", 1 << 20, kind=int),
        disk_start=ros.required(node, "disk_start", "Free space needed to start [bytes]", 0, kind=int),
        disk_floor=ros.required(node, "disk_floor", "Free space at which an episode ends [bytes]", 0, kind=int),
        clock="simulated" if node.get_parameter("use_sim_time").value else "system",
        configuration={},
        software={
            "ros": distro,
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
        ros_distro=distro,
    )


def configuration(node: Node, topics: str) -> dict[str, str]:
    """The text of what the recorder was configured with, by name; to be called when every parameter is declared.

    Raises:
        ConfigError: a file cannot be read.
    """
    own = {name: parameter.value for name, parameter in sorted(node._parameters.items())}
    try:
        return {"topics.yaml": Path(topics).read_text(encoding="utf-8"), "parameters.yaml": yaml.safe_dump(own)}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(topics, "", str(error), "a readable file") from error
