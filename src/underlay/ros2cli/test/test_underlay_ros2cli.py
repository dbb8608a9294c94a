# SPDX-License-Identifier: Apache-2.0
"""The `ros2` command as our README uses it: texts and exit status as upstream's."""

import os
import shutil
import signal
import subprocess
import threading

import pytest
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import SetBool

LAUNCH_FILE = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo
from launch.substitutions import LaunchConfiguration


def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument("rate", default_value="50", description="Rate [Hz]"),
        DeclareLaunchArgument("mode", choices=["fast", "slow"]),
        LogInfo(msg=[LaunchConfiguration("rate"), " ", LaunchConfiguration("mode")]),
    ])
"""


@pytest.fixture
def ros2(tmp_path, monkeypatch):
    """Runs `ros2` where a package demo_pkg is installed; returns (exit status, stdout, stderr)."""
    package = tmp_path / "share" / "demo_pkg"
    package.mkdir(parents=True)
    (package / "demo.launch.py").write_text(LAUNCH_FILE, encoding="utf-8")
    marker = tmp_path / "share" / "ament_index" / "resource_index" / "packages" / "demo_pkg"
    marker.parent.mkdir(parents=True)
    marker.touch()
    script = tmp_path / "lib" / "demo_pkg" / "say"
    script.parent.mkdir(parents=True)
    script.write_text('#!/bin/sh\necho "said $*"\ncase "$1" in die) kill -9 $$;; *) exit 3;; esac\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{os.environ['AMENT_PREFIX_PATH']}")
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    command = shutil.which("ros2")
    assert command, "the underlay is not on the PATH"

    def run(*args):
        result = subprocess.run([command, *args], capture_output=True, text=True, timeout=60, check=False)
        return result.returncode, result.stdout, result.stderr

    return run


@pytest.fixture
def node(ros2):
    """A node of this process, spinning in a thread, in the domain in which `ros2` runs."""
    context = rclpy.Context()
    context.init(args=[])
    made = rclpy.create_node("station", context=context, namespace="robot")
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(made)

    def spin():
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    thread = threading.Thread(target=spin)
    thread.start()
    yield made
    context.shutdown()
    thread.join()


def test_launch_shows_the_arguments_of_a_file(ros2):
    status, out, _ = ros2("launch", "demo_pkg", "demo.launch.py", "--show-args")
    assert status == 0
    assert out == (
        "Arguments (pass arguments as '<name>:=<value>'):\n"
        "\n    'rate':\n        Rate [Hz]\n        (default: '50')\n"
        "\n    'mode':\n        One of: ['fast', 'slow']\n"
    )


def test_launch_runs_a_packages_file_and_the_last_value_of_an_argument_counts(ros2):
    status, out, _ = ros2("launch", "demo_pkg", "demo.launch.py", "mode:=fast", "mode:=slow", "undeclared:=1")
    assert status == 0
    assert "[INFO] [launch.user]: 50 slow" in out.splitlines()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("no_such_pkg", "demo.launch.py"), "Package 'no_such_pkg' not found: "),
        (("demo_pkg", "other.launch.py"), "file 'other.launch.py' was not found in the share directory of package"),
        (("demo_pkg", "demo.launch.py", "mode=fast"), "malformed launch argument 'mode=fast', expected format"),
    ],
)
def test_launch_explains_wrong_arguments_in_one_line(ros2, args, message):
    status, _, err = ros2("launch", *args)
    assert status == 1
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_run_hands_on_arguments_and_the_exit_status(ros2):
    assert ros2("run", "demo_pkg", "say", "a", "--b")[:2] == (
        3,
        "said a --b\n[ros2run]: Process exited with failure 3\n",
    )
    status, out, _ = ros2("run", "demo_pkg", "say", "die")
    assert status == 256 - signal.SIGKILL
    assert out.endswith("[ros2run]: Killed\n")
    assert ros2("run", "demo_pkg", "missing") == (1, "", "No executable found\n")
    assert ros2("run", "no_such_pkg", "say") == (1, "", "Package 'no_such_pkg' not found\n")


def test_topics_and_nodes_are_found_without_a_daemon(ros2, node):
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_publisher(String, "state", qos).publish(String(data="ready"))
    assert "/robot/station" in ros2("node", "list")[1].splitlines()
    assert "/robot/state [std_msgs/msg/String]" in ros2("topic", "list", "-t")[1].splitlines()
    assert ros2("topic", "echo", "/robot/state", "--once")[:2] == (0, "data: ready\n---\n")


def test_a_service_call_fills_the_request_and_shows_the_response(ros2, node):
    def answer(request, response):
        response.success, response.message = request.data, "engaged"
        return response

    node.create_service(SetBool, "engage", answer)
    status, out, _ = ros2("service", "call", "/robot/engage", "std_srvs/srv/SetBool", "{data: true}")
    assert status == 0
    assert "response:\nstd_srvs.srv.SetBool_Response(success=True, message='engaged')\n" in out
    status, _, err = ros2("service", "call", "/robot/engage", "std_srvs/srv/SetBool", "{speed: 1}")
    assert status == 1
    assert err.startswith("Failed to populate field: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_for_a_service_ends_with_a_signal(ros2, number):
    command = ["ros2", "service", "call", "/nobody/engage", "std_srvs/srv/SetBool"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "waiting for service to become available...\n"
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("", "")
        # ROS may shut down before Python tells of SIGINT; the command then ends as by SIGTERM, as upstream's does.
        assert process.returncode in (number, signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()


def test_bag_explains_what_it_cannot_do(ros2, tmp_path):
    status, _, err = ros2("bag", "info", str(tmp_path / "none"))
    assert status == 2
    assert err.endswith(f"Bag path '{tmp_path / 'none'}' does not exist!\n")
    status, _, err = ros2("bag", "record", "-a", "-o", str(tmp_path))
    assert (status, err) == (1, f"[ERROR] [ros2bag]: Output folder '{tmp_path}' already exists.\n")
