# SPDX-License-Identifier: Apache-2.0
"""The safety node's parameters; their values stand in config/safety.yaml."""

from __future__ import annotations

from rclpy.node import Node

from humanoid_core import ros
from humanoid_core.errors import ConfigError
from humanoid_safety.arbiter import Source
from humanoid_safety.body_model import BodySettings
from humanoid_safety.gate import GateSettings
from humanoid_safety.surroundings import Surroundings, tables_of
from humanoid_safety.targets import StreamSettings


def gate_settings(node: Node) -> GateSettings:
    """Declare and read everything that `SafetyGate` wants to know.

    Raises:
        ConfigError: a value is missing, of the wrong type or out of range.
    """

    def number(name: str, description: str, low: float, high: float) -> float:
        return ros.required(node, name, description, low, high, kind=float)

    oldest = number("oldest_target", "A target older than this on arrival is refused [s]", 0.001, 5.0)
    ahead = number("target_ahead", "A target stamped further in the future is refused [s]", 0.0, 5.0)
    latest = number("latest_target", "Lateness of targets that is waited for [s]", 0.0, 0.5)
    names = ros.required(node, "sources", "Sources of joint targets", kind=list)
    if not names or len(set(names)) != len(names):
        raise ConfigError(node.get_name(), "sources", names, "names of sources, each once")
    sources, streams = [], {}
    for name in names:
        enable = ros.required(node, f"source.{name}.enable", "What enables it: dead_man or grant", kind=str)
        if enable not in ("dead_man", "grant"):
            raise ConfigError(node.get_name(), f"source.{name}.enable", enable, "dead_man or grant")
        priority = ros.required(node, f"source.{name}.priority", "The highest wins", 0, 1000, kind=int)
        sources.append(Source(name, priority, enable))
        period = number(f"source.{name}.period", "Time between targets until it is known [s]", 0.001, 0.2)
        streams[name] = StreamSettings(period, oldest, ahead, latest)
    return GateSettings(
        rate=number("rate", "Commands per second [Hz]", 50.0, 1000.0),
        sources=tuple(sources),
        streams=streams,
        deadline_source=number("deadline_source", "Silence of the commanding source that stops [s]", 0.01, 2.0),
        deadline_operator=number("deadline_operator", "Silence that lets go of the dead-man [s]", 0.01, 2.0),
        deadline_heartbeat=number("deadline_heartbeat", "Silence of the station that stops [s]", 0.05, 5.0),
        deadline_robot=number("deadline_robot", "Silence of joint_states that stops [s]", 0.005, 2.0),
        deviation_time=number("deviation_time", "How long the robot may deviate [s]", 0.0, 5.0),
        ramp_speed=number("ramp_speed", "Speed limit on taking over, at first [rad/s]", 0.01, 10.0),
        ramp_gain=number("ramp_gain", "How fast that limit rises [rad/s^2]", 0.0, 100.0),
        catch_up=number("catch_up", "Share of the acceleration limit used to catch up", 0.05, 1.0),
        hottest=number("hottest", "Temperature of a joint that stops [deg C]", 30.0, 200.0),
        highest_current=number("highest_current", "Current of a joint that stops [A]", 1.0, 500.0),
        clock_jump=number("clock_jump", "Largest step of the stamp clock [s]", 0.01, 10.0),
        late_steps=ros.required(node, "late_steps", "Commands made up for after a late timer", 1, 50, kind=int),
    )


def body_settings(node: Node) -> BodySettings:
    """Declare and read how near and how fast bodies may be.

    Raises:
        ConfigError: a value is missing, of the wrong type or out of range.
    """

    def number(name: str, description: str, low: float, high: float) -> float:
        return ros.required(node, name, description, low, high, kind=float)

    return BodySettings(
        self_distance=number("self_distance", "Kept between the robot's own bodies [m]", 0.0, 0.1),
        surroundings_distance=number("surroundings_distance", "Kept to floor and tables [m]", 0.0, 0.5),
        hand_speed=number("hand_speed", "Of the hands [m/s]", 0.05, 10.0),
        elbow_speed=number("elbow_speed", "Of the elbows [m/s]", 0.05, 10.0),
        guide=number("guide", "Requests of nearer pairs lose their approach [m]", 0.0, 0.5),
        buffer=number("buffer", "Requests are kept this much further away [m]", 0.0, 0.05),
        tolerance=number("tolerance", "Pairs that start too near may come nearer by [m]", 0.0, 0.01),
    )


def surroundings(node: Node) -> Surroundings:
    """Declare and read what stands around the robot.

    Raises:
        ConfigError: a value is missing or wrong, or the scene is.
    """
    corners = []
    for word in ("workspace_lower", "workspace_upper"):
        values = ros.required(node, word, "Corner of the hands' workspace over the floor [m]", kind=list)
        if len(values) != 3 or not all(isinstance(value, (int, float)) for value in values):
            raise ConfigError(node.get_name(), word, values, "three numbers")
        corners.append((float(values[0]), float(values[1]), float(values[2])))
    if any(low >= high for low, high in zip(*corners)):
        raise ConfigError(node.get_name(), "workspace_upper", corners[1], f"above workspace_lower {corners[0]}")
    scene = ros.optional(node, "scene", "", "Scene whose tables to keep away from (YAML); empty: the floor only")
    return Surroundings(tables_of(scene), *corners)
