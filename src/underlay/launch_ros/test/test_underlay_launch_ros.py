# SPDX-License-Identifier: Apache-2.0
"""What our launch files rely on in `launch_ros`, each as upstream does it: commands, parameters, scopes, lifecycle."""

import os
import subprocess
import sys

import pytest
import yaml
from launch import LaunchContext
from launch.actions import ExecuteProcess, GroupAction
from launch.substitutions import TextSubstitution
from launch.utilities import visit_all_entities_and_collect_futures
from launch_ros.actions import Node, PushRosNamespace, SetParameter, SetRemap
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.utilities import evaluate_parameters, normalize_parameters

LIFECYCLE = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import EmitEvent, LogInfo, RegisterEventHandler, Shutdown
from launch.events import matches_action
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

code = '''
import rclpy
from rclpy.lifecycle import LifecycleNode
rclpy.init()
try:
    rclpy.spin(LifecycleNode("unnamed"))
except KeyboardInterrupt:
    pass
'''
node = LifecycleNode(executable=sys.executable, arguments=["-c", code], name="lc", namespace="robot", exec_name="lc")


def change(transition):
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))


def when(state, *entities):
    return RegisterEventHandler(OnStateTransition(target_lifecycle_node=node, goal_state=state, entities=entities))


service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription([
    node,
    when("inactive", LogInfo(msg="now inactive"), change(Transition.TRANSITION_ACTIVATE)),
    when("active", LogInfo(msg="now active"), Shutdown(reason="done")),
    change(Transition.TRANSITION_CONFIGURE),
]))
sys.exit(service.run())
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command lines of the nodes among some entities, as they would be executed."""
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    monkeypatch.setattr(ExecuteProcess, "execute", lambda self, context: self.prepare(context))

    def lines(*entities):
        context = LaunchContext()
        for entity in entities:
            visit_all_entities_and_collect_futures(entity, context)
        return [entity.process_details["cmd"] for entity in entities if isinstance(entity, Node)]

    return lines


def test_the_order_of_a_nodes_command_line(command, tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("{}", encoding="utf-8")
    node = Node(
        executable="exe",
        name="arm",
        namespace="left",
        parameters=[str(file), {"b": [1, 2], "a": {"x": 0.5}}],
        remappings=[("in", "out")],
        arguments=["--own"],
        ros_arguments=["--log-level", "debug"],
    )
    (cmd,) = command(node)
    written = cmd[13]
    assert cmd == (
        ["exe", "--own", "--ros-args", "--log-level", "debug", "--ros-args", "-r", "__node:=arm", "-r", "__ns:=/left"]
        + ["--params-file", str(file), "--params-file", written, "-r", "in:=out"]
    )
    with open(written, encoding="utf-8") as content:
        assert yaml.full_load(content) == {"/left/arm": {"ros__parameters": {"a.x": 0.5, "b": (1, 2)}}}
    assert node.node_name == "/left/arm"


def test_a_node_without_a_name_gets_its_parameters_for_any_name(command):
    (cmd,) = command(Node(executable="exe", parameters=[{"a": 1}]))
    assert cmd[:3] == ["exe", "--ros-args", "--params-file"]
    with open(cmd[3], encoding="utf-8") as content:
        assert list(yaml.safe_load(content)) == ["/**"]


def test_parameter_values_are_yaml_unless_a_type_says_otherwise(command):
    text = TextSubstitution(text="1.5")
    parameters = {"number": text, "text": ParameterValue(text, value_type=str), "plain": "1.5"}
    (cmd,) = command(Node(executable="exe", parameters=[parameters]))
    with open(cmd[3], encoding="utf-8") as content:
        values = yaml.safe_load(content)["/**"]["ros__parameters"]
    assert values == {"number": 1.5, "text": "1.5", "plain": "1.5"}


def test_namespace_parameter_and_remapping_hold_inside_a_group_only(command):
    inside, nested, outside = (Node(executable="exe", name=name) for name in ("inside", "nested", "outside"))
    settings = [PushRosNamespace("robot"), SetParameter("use_sim_time", True), SetRemap("/tf", "tf")]
    group = GroupAction([*settings, inside, GroupAction([PushRosNamespace("arm"), nested])])
    command(group, outside)
    assert [node.node_name for node in (inside, nested)] == ["/robot/inside", "/robot/arm/nested"]
    assert inside.process_details["cmd"][4:] == ["-r", "__ns:=/robot", "-p", "use_sim_time:=True", "-r", "/tf:=tf"]
    assert outside.process_details["cmd"] == ["exe", "--ros-args", "-r", "__node:=outside"]


def test_a_lifecycle_node_is_configured_and_activated_by_events(tmp_path):
    environment = {**os.environ, "ROS_LOG_DIR": str(tmp_path)}
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    command = [sys.executable, "-u", "-c", LIFECYCLE]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    told = [line.split(": ")[1] for line in result.stdout.splitlines() if "launch.user" in line]
    assert (result.returncode, told) == (0, ["now inactive", "now active"]), result.stdout + result.stderr
    assert "process has finished cleanly" in result.stdout


def test_what_is_left_out_says_so():
    pytest.importorskip("launch._left_out", reason="upstream leaves nothing out")
    import launch_ros

    with pytest.raises(NotImplementedError, match=r"launch_ros\.actions\.ComposableNodeContainer is left out"):
        _ = launch_ros.actions.ComposableNodeContainer
    with pytest.raises(NotImplementedError, match="allow_substs"):
        launch_ros.parameter_descriptions.ParameterFile("x", allow_substs=True)


def test_numbers_of_a_list_become_alike_but_not_those_of_a_text():
    context = LaunchContext()
    evaluate = lambda value: evaluate_parameters(context, normalize_parameters([{"p": value}]))[0]["p"]  # noqa: E731
    assert evaluate([1, 2.5]) == (1.0, 2.5)
    assert evaluate(ParameterValue(TextSubstitution(text="[1, 2]"), value_type=list[int])) == [1, 2]
    with pytest.raises(TypeError, match="Expected a non-empty sequence"):
        evaluate(TextSubstitution(text="[1, 2.5]"))


@pytest.mark.parametrize(
    "parameters", [{"p": 1}, "file.yaml", [5.0], [{5: "x"}], [{"p": [1, [2, 3]]}], [{"p": {1, 2}}]]
)
def test_what_cannot_be_a_parameter_is_refused_when_the_node_is_written(parameters):
    with pytest.raises(TypeError):
        Node(executable="x", parameters=parameters)
