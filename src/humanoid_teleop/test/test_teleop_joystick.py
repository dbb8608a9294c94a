# SPDX-License-Identifier: Apache-2.0
"""Joystick and keyboard: what moves, how fast, and what stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Joy

import humanoid_description
from humanoid_core import endpoints, ros, rotations
from humanoid_core.errors import ConfigError, MessageError
from humanoid_teleop.devices.joystick import Joystick, load_gamepad
from humanoid_teleop.devices.keyboard import HELD, MOVES, STOP, Keyboard, KeyboardError, Terminal, keys
from humanoid_teleop.joystick_node import JoystickNode
from humanoid_teleop.retargeting import Retargeter

GAMEPADS = Path(__file__).parents[3] / "config/gamepads"
PAD = GAMEPADS / "game_controller.yaml"
SHOULDER, LOOK_LEFT, LOOK_AHEAD, START, B = 9, 13, 8, 6, 1
FRESH = 0.2  # [s]


class Hands:
    """Somebody who holds a controller, and its driver."""

    def __init__(self, file: Path = PAD) -> None:
        self.joystick = Joystick(load_gamepad(file), FRESH, (1.2, 0.7))
        self.now = 10.0
        self.axes, self.buttons = [0.0] * 6, [0] * 15
        self.step()

    def step(self, *held: int, seconds: float = 0.02, silent: bool = False, **axes: float):
        """Time passes with some buttons held and axes like a1=0.5."""
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            if not silent:
                self.pressed = self.joystick.read(
                    [axes.get(f"a{number}", 0.0) for number in range(6)],
                    [int(number in held) for number in range(15)],
                    self.now,
                )
            motion = self.joystick.motion(self.now)
        return motion


def test_sticks_are_velocities_while_the_dead_man_is_held():
    hands = Hands()
    motion = hands.step(SHOULDER, a1=1.0, a0=-1.0, a2=0.55, a3=-1.0)
    assert motion.held
    assert motion.twist == pytest.approx([0.5, -0.4, -0.1, 0.4])  # (0.55 - 0.1) / 0.9 of 0.8 rad/s
    assert hands.step(SHOULDER, a1=0.1).twist.tolist() == [0.0] * 4
    assert hands.step(a1=1.0).twist.tolist() == [0.0] * 4


def test_a_silent_joystick_stops_and_comes_back_released():
    hands = Hands()
    assert hands.step(SHOULDER, a1=1.0).twist[0] == 0.5
    assert hands.step(seconds=0.16, silent=True).held
    gone = hands.step(seconds=0.1, silent=True)
    assert not gone.held
    assert not gone.fresh
    assert gone.twist.tolist() == [0.0] * 4
    assert not hands.step(SHOULDER, a1=1.0).held
    hands.step()
    assert hands.step(SHOULDER, a1=1.0).held


def test_a_dead_man_that_is_held_at_first_does_not_count():
    hands = Hands()
    hands.joystick = Joystick(load_gamepad(PAD), FRESH, (1.2, 0.7))
    assert not hands.step(SHOULDER, a1=1.0).held


def test_the_head_turns_to_its_end_and_back():
    hands = Hands()
    assert hands.step(LOOK_LEFT, seconds=1.0).head.tolist() == [0.0, 0.0]
    assert hands.step(SHOULDER, LOOK_LEFT, seconds=1.0).head == pytest.approx([0.8, 0.0])
    frame = hands.joystick.frame(hands.step(SHOULDER), 5, 3)
    assert rotations.matrix(frame.rotation("head"))[:, 0] == pytest.approx([np.cos(0.8), np.sin(0.8), 0.0])
    assert hands.step(SHOULDER, LOOK_LEFT, seconds=2.0).head[0] == 1.2
    assert hands.step(SHOULDER, LOOK_AHEAD, seconds=1.0).head[0] == pytest.approx(0.4)
    assert hands.step(SHOULDER, LOOK_AHEAD, seconds=1.0).head == pytest.approx([0.0, 0.0])
    up = hands.step(SHOULDER, 11, seconds=1.0)
    facing = rotations.matrix(hands.joystick.frame(up, 5, 3).rotation("head"))[:, 0]
    assert facing[2] == pytest.approx(np.sin(0.6))


def test_engage_and_stop_are_said_once_for_each_press():
    hands = Hands()
    hands.step(START)
    assert hands.pressed == {"engage"}
    hands.step(START)
    assert hands.pressed == set()
    hands.step(B)
    assert hands.pressed == {"stop"}


def test_another_joystick_is_refused():
    joystick = Hands().joystick
    with pytest.raises(MessageError, match="4 and 15"):
        joystick.read([0.0] * 3, [0] * 15, 0.0)
    with pytest.raises(MessageError, match="finite"):
        joystick.read([np.nan] * 6, [0] * 15, 0.0)


@pytest.mark.parametrize("file", sorted(GAMEPADS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_gamepad_has_a_dead_man_and_speeds_of_a_person_s_pace(file):
    pad = load_gamepad(file)
    assert abs(pad.forward.scale) <= 1.0
    assert abs(pad.lift.scale) <= 0.2
    Joystick(pad, FRESH, (1.0, 0.5))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("dead_man: [9, 10]", "dead_man: []", "dead_man"),
        ("{axis: 1, scale: 0.5}", "{scale: 0.5}", "forward"),
        ("minus: 14", "plus: 14", "plus"),
        ("dead_zone: 0.1", "dead_zone: 1.0", "dead_zone"),
    ],
)
def test_a_wrong_gamepad_is_named(tmp_path, old, new, key):
    file = tmp_path / "pad.yaml"
    file.write_text(PAD.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=key):
        load_gamepad(file)


@pytest.fixture(scope="module")
def wheeled():
    return humanoid_description.load(humanoid_description.find_config("agibot_g2"))


def test_a_robot_s_head_follows_while_its_arms_stay(wheeled, settings):
    retargeter, hands, stamp = Retargeter(wheeled, settings), Hands(), 0
    retargeter.start({})
    before = dict(zip(retargeter.joints, retargeter.tick(0).position))

    def go(count: int, *held: int) -> dict[str, float]:
        nonlocal stamp
        for _ in range(count):
            stamp += 20_000_000
            retargeter.update(hands.joystick.frame(hands.step(*held), stamp, stamp // 20_000_000))
            targets = retargeter.tick(stamp)
        return dict(zip(targets.joints, targets.position))

    go(settings.calibration_frames)
    assert go(50, LOOK_LEFT) == before  # without the dead-man
    assert retargeter.state == "ready"
    after = go(100, SHOULDER, LOOK_LEFT)
    assert retargeter.state == "engaged"
    farthest = wheeled.limits(["idx11_head_joint1"]).upper[0]  # less than the 1.2 rad of the joystick
    assert after["idx11_head_joint1"] == pytest.approx(farthest, abs=0.01)
    others = set(before) - set(wheeled.config.groups["head"])
    assert {joint: after[joint] for joint in others} == {joint: before[joint] for joint in others}
    held = go(30)
    assert go(30) == held  # let go of: it stays


# --- keyboard ---


def test_keys_come_out_of_what_a_terminal_sends():
    assert keys("w\x1b[A\x1bOD\x1b[1;5C\x1b[3~X\n\x1b") == ["w", "up", "left", "", "", "x", "\r", "\x1b"]


def test_a_key_is_held_while_it_is_repeated():
    keyboard = Keyboard(first=0.7, again=0.15)
    keyboard.press("w", 0.0)
    assert keyboard.joy(0.69)[0] == [0.5, 0, 0, 0, 0, 0]
    assert keyboard.joy(0.69)[1][HELD] == 1
    for repeat in range(20):
        keyboard.press("w", 0.6 + 0.04 * repeat)
    assert keyboard.held(1.36 + 0.14) == "w"
    assert keyboard.held(1.36 + 0.16) == ""
    assert keyboard.joy(1.36 + 0.16) == ([0.0] * 6, [0, 0, 0, 0])
    keyboard.press("w", 1.36 + 0.4)  # late by a busy machine: no new tap
    assert keyboard.held(1.36 + 0.4 + 0.16) == ""


def test_any_other_key_lets_go():
    keyboard = Keyboard(first=0.7, again=0.15)
    for key in (" ", "z", "\x1b", "", "5"):
        keyboard.press("w", 0.0)
        keyboard.press(key, 0.1)
        assert keyboard.joy(0.1)[1][HELD] == 0
    keyboard.press("9", 0.2)
    keyboard.press("q", 0.3)
    assert keyboard.joy(0.3)[0][2] == 1.0
    keyboard.press("x", 0.4)
    assert keyboard.joy(0.4)[1][STOP] == 1
    assert all(len(shares) == 6 for shares in MOVES.values())


@pytest.fixture
def terminal():
    master, slave = os.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_a_terminal_is_left_as_it_was(terminal):
    master, slave = terminal
    before = termios.tcgetattr(slave)
    ours = Terminal(slave)
    assert termios.tcgetattr(slave) != before
    assert ours.read() == ""
    os.write(master, b"w\x1b[A")
    assert keys(ours.read()) == ["w", "up"]
    ours.close()
    assert termios.tcgetattr(slave) == before


def test_what_is_no_terminal_is_refused():
    reading, writing = os.pipe()
    with pytest.raises(KeyboardError, match="terminal"):
        Terminal(reading)
    os.close(reading)
    os.close(writing)


# --- nodes ---


@pytest.fixture
def alone():
    yield
    rclpy.try_shutdown()


def wait_for(condition, *nodes: Node) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        for node in nodes:
            rclpy.spin_once(node, timeout_sec=0.01)


def test_the_node_drives_and_stops_when_the_joystick_is_gone(alone, request):
    defaults = request.path.parents[1] / "config" / "joystick.yaml"
    words = ["--params-file", str(defaults), "-p", "gamepad:=game_controller", "-p", "role:=operator"]
    rclpy.init(args=["--ros-args", *words])
    node, probe = JoystickNode(), Node("probe")
    frames, velocities = [], []
    ros.subscribe(probe, endpoints.OPERATOR_FRAME, frames.append)
    ros.subscribe(probe, endpoints.CMD_VEL_TARGETS.at(source="teleop"), velocities.append)
    joy = ros.publisher(probe, endpoints.OPERATOR_JOY)
    wait_for(lambda: frames and velocities and joy.get_subscription_count(), node, probe)

    def hold(*held: int) -> None:
        joy.publish(Joy(axes=[0.0, 1.0, 0.0, 1.0, 0.0, 0.0], buttons=[int(i in held) for i in range(15)]))

    def until(condition, *held: int) -> None:
        def held_and_true() -> bool:
            hold(*held)
            return condition()

        wait_for(held_and_true, node, probe)

    assert not frames[-1].left_hand.engaged
    count = len(frames)
    until(lambda: len(frames) > count + 5)
    assert velocities[-1].twist.linear.x == 0.0
    until(lambda: frames[-1].left_hand.engaged and velocities[-1].twist.linear.z, SHOULDER)
    assert velocities[-1].twist.linear.x == pytest.approx(0.5)
    assert velocities[-1].twist.linear.z == pytest.approx(0.1)
    wait_for(lambda: not frames[-1].left_hand.engaged and velocities[-1].twist.linear.x == 0.0, node, probe)
    assert [pose.name for pose in frames[-1].poses] == ["head"]
    node.destroy_node()
    probe.destroy_node()


def test_a_keyboard_in_a_terminal_is_a_joystick(alone, terminal):
    master, slave = terminal
    before = termios.tcgetattr(slave)
    rclpy.init()
    probe = Node("probe")
    heard = []
    ros.subscribe(probe, endpoints.OPERATOR_JOY, heard.append)
    command = [sys.executable, "-c", "from humanoid_teleop.keyboard_node import main; main()"]
    with subprocess.Popen(command, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        wait_for(lambda: heard, probe)
        assert heard[-1].buttons[HELD] == 0
        os.write(master, b"w")
        wait_for(lambda: heard[-1].buttons[HELD] == 1, probe)
        assert heard[-1].axes[0] == 0.5
        wait_for(lambda: heard[-1].buttons[HELD] == 0, probe)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[0].decode()
    assert process.returncode == 0, said
    assert "EMERGENCY STOP" in said
    assert termios.tcgetattr(slave) == before
    probe.destroy_node()
