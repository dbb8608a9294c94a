# SPDX-License-Identifier: Apache-2.0
"""Settings of the retargeting. Their values are in config/retargeting.yaml and nowhere else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory

from humanoid_core import config
from humanoid_core.errors import ConfigError


def _setting(description: str, low: float | None = None, high: float | None = None) -> Any:
    """A field with what a node needs to declare it as a parameter."""
    return dataclasses.field(metadata={"description": description, "low": low, "high": high})


@dataclass(frozen=True)
class Settings:
    """Settings of `Retargeter`; each field's metadata says what it means."""

    # Person
    operator_height: float = _setting(
        "Height of the person [m]; 0: from the height of the head at calibration", 0.0, 2.5
    )
    calibration_frames: int = _setting("Frames the person is measured over before the robot may follow", 1, 1000)
    clutched: bool = _setting(
        "true: the robot's hand copies displacements from where it is; false: it goes to where the person's hand is"
    )
    waist: bool = _setting("Whether the robot's waist follows the person's chest")
    neck: bool = _setting("Whether the robot's neck follows the person's head")

    level: bool = _setting(
        "Where the waist cannot lean like the person, hands keep their place in the room (true) or at the chest"
    )

    # Input
    smoothing: float = _setting("Longest time constant of the filter of the wrists [s]; 0: none", 0.0, 1.0)
    smoothing_fast: float = _setting("Shortest time constant of the filters [s], for fast movements", 0.0, 1.0)
    chest_smoothing: float = _setting("Longest time constant of the filters of chest and head [s]; 0: none", 0.0, 1.0)
    lead: float = _setting("How far ahead of the frame's stamp to predict [s]: the device's own delay", 0.0, 0.2)
    prediction_limit: float = _setting(
        "Longest prediction past the newest frame; then the target stands still [s]", 0.0, 0.5
    )
    hold_after: float = _setting(
        "Without a good pose for so long, a hand is lost: its arm stops and asks to be re-engaged [s]", 0.01, 5.0
    )
    input_speed: float = _setting("A tracked part that moves faster is refused [m/s]", 0.1, 100.0)
    input_turn_rate: float = _setting("A tracked part that turns faster is refused [rad/s]", 0.1, 1000.0)
    jump_frames: int = _setting("Frames after which a jump that stays is believed", 1, 100)

    # Motion
    engage_time: float = _setting("Shortest time in which an engaged arm joins the person's [s]", 0.0, 10.0)
    engage_speed: float = _setting("Mean speed of the hand at which an engaged arm joins the person's [m/s]", 0.01, 5.0)
    hand_speed: float = _setting("Highest speed of the robot's hands [m/s]", 0.01, 10.0)
    hand_turn_rate: float = _setting("Highest turn rate of the robot's hands [rad/s]", 0.01, 100.0)
    error_rate: float = _setting("How fast an error is closed, before braking limits it [1/s]", 1.0, 1000.0)
    rate_smoothing: float = _setting("Time constant of changes of the hand's speed [s]; 0: none", 0.0, 0.1)
    hand_acceleration: float = _setting("With which the hand brakes towards its target [m/s2]", 0.1, 1000.0)
    hand_turn_acceleration: float = _setting("With which the hand brakes towards its target [rad/s2]", 0.1, 10000.0)
    reach_soft: float = _setting("Share of the arm's length from which the reach is compressed", 0.5, 1.0)
    reach_hard: float = _setting("Share of the arm's length that is never passed", 0.5, 1.0)
    windup: float = _setting("Clutched only: how far the target may run away from what the arm can reach [m]", 0.0, 1.0)
    acceleration_share: float = _setting("Share of the robot's acceleration limits that is used", 0.05, 1.0)
    velocity_share: float = _setting("Share of the robot's velocity limits that is used", 0.05, 1.0)
    max_step: float = _setting("Longest step of the solver; longer ticks are divided [s]", 0.001, 0.1)

    # Solver: weights of a task's error, in the unit given, against 1 m of the wrist
    rotation_weight: float = _setting("Of the wrist's rotation [m/rad]", 0.0, 10.0)
    elbow_weight: float = _setting("Of the elbow's way around the line from shoulder to wrist", 0.0, 10.0)
    posture_weight: float = _setting("Of the home pose [m/rad]", 0.0, 1.0)
    posture_rate: float = _setting("How fast free joints return to the home pose [1/s]", 0.0, 10.0)
    elbow_rate: float = _setting("How fast the elbow's direction is taken over [1/s]", 0.0, 100.0)
    smoothness: float = _setting("Of changes of joint velocities from step to step [m/rad]", 0.0, 1.0)
    damping: float = _setting("Of joint velocities [m/rad]", 1e-6, 1.0)
    error_damping: float = _setting("Further damping per metre of wrist error [1/rad]", 0.0, 10.0)

    # Self-collision
    collision: bool = _setting("Whether to keep the robot's links apart")
    collision_distance: float = _setting("Links are kept so far apart [m]", 0.0, 0.2)
    collision_slack: float = _setting(
        "How much nearer than that links may come while the robot stops before them [m]", 0.0, 0.2
    )
    collision_near: float = _setting(
        "Beyond that distance, pairs are watched from so far, and from as far as they need to stop [m]", 0.0, 0.5
    )
    collision_recovery: float = _setting("How fast links that are too near part [1/s]", 0.0, 100.0)
    collision_acceleration: float = _setting("With which links that approach each other can brake [m/s2]", 0.1, 100.0)


def default_file() -> Path:
    """The settings that ship with this package."""
    return Path(get_package_share_directory("humanoid_teleop")) / "config" / "retargeting.yaml"


def load_settings(file: str | Path = "", **changes: Any) -> Settings:
    """Settings from the node's own parameter file.

    Args:
        file: A ROS parameter file; "": the one that ships with this package.
        changes: Values in place of the file's.

    Raises:
        ConfigError: the file does not fit.
    """
    path = Path(file) if file else default_file()
    data = config.read_yaml(path)
    try:
        parameters = dict(data["/**/retargeting"]["ros__parameters"])
    except (KeyError, TypeError) as error:
        raise ConfigError(path, "/**/retargeting.ros__parameters", "nothing", "the node's parameters") from error
    names = {field.name for field in dataclasses.fields(Settings)}
    own = {key: value for key, value in parameters.items() if key not in NODE_PARAMETERS}
    unknown = set(changes) - names
    if unknown:
        raise ConfigError(
            "arguments", ", ".join(sorted(unknown)), "unknown settings", f"some of {', '.join(sorted(names))}"
        )
    return config.build(Settings, {**own, **changes}, path, "/**/retargeting.ros__parameters")


# Parameters that the node has besides the settings.
NODE_PARAMETERS = ("robot_config", "urdf", "rate", "trace", "use_sim_time")
