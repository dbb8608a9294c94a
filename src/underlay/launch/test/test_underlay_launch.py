# SPDX-License-Identifier: Apache-2.0
"""What our launch files rely on in `launch`, each as upstream does it: exit status, texts, order, scopes, signals."""

import re
import signal
import subprocess
import sys
import textwrap

import pytest
from launch import EventHandler, LaunchContext
from launch.actions import GroupAction
from launch.substitutions import LaunchConfiguration

RUNNER = """
import sys
from launch import *
from launch.actions import *
from launch.conditions import *
from launch.event_handlers import *
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import *

python = [sys.executable, "-u", "-c"]

{body}

service = LaunchService(noninteractive=True)
service.include_launch_description(LaunchDescription(entities()))
sys.exit(service.run())
"""

CHILD = """
def child(name, on_signal, **kwargs):
    code = (
        "import signal, time\\n"
        f"def stop(number, frame): {on_signal}\\n"
        "signal.signal(signal.SIGINT, stop)\\n"
        "print('up', flush=True)\\n"
        "while True: time.sleep(0.05)"
    )
    return ExecuteProcess(cmd=[*python, code], name=name, output="screen", **kwargs)
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a launch process; the body defines `entities()`."""
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    processes = []

    def run(body):
        script = tmp_path / "runner.py"
        script.write_text(RUNNER.format(body=textwrap.dedent(CHILD) + textwrap.dedent(body)), encoding="utf-8")
        processes.append(
            subprocess.Popen(
                [sys.executable, "-u", str(script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """Runs a launch to its end, with Ctrl-C once some children are up; returns exit status and lines."""

    def finish(body, interrupt_after=0):
        process = start(body)
        lines = []
        for line in process.stdout:
            lines.append(re.sub(r"pid \[?\d+\]?", "pid N", line.rstrip("\n")))
            if line.endswith("] up\n"):
                interrupt_after -= 1
                if interrupt_after == 0:
                    process.send_signal(signal.SIGINT)
        return process.wait(timeout=60), lines

    return finish


def test_a_process_that_dies_is_reported_and_the_launch_succeeds(run):
    status, lines = run("""
        def entities():
            dies = ExecuteProcess(cmd=["sh", "-c", "exit 3"], name="dies")
            tell = lambda event, context: [LogInfo(msg=f"{event.process_name} {event.returncode}")]
            return [dies, RegisterEventHandler(OnProcessExit(target_action=dies, on_exit=tell))]
    """)
    assert status == 0
    assert "[ERROR] [dies-1]: process has died [pid N, exit code 3, cmd 'sh -c exit 3']." in lines
    assert "[INFO] [launch.user]: dies-1 3" in lines


def test_labels_count_over_the_launch_and_stay_when_respawned(run):
    status, lines = run("""
        def entities():
            again = ExecuteProcess(cmd=["false"], name="again", respawn=True, respawn_max_retries=2)
            return [again, ExecuteProcess(cmd=["true"], name="other")]
    """)
    assert status == 0
    assert lines.count("[INFO] [again-1]: process started with pid N") == 3
    assert lines.count("[INFO] [other-2]: process has finished cleanly [pid N") == 1


def test_a_required_process_ends_the_launch(run):
    status, lines = run("""
        def entities():
            ends = ExecuteProcess(cmd=["sleep", "0.2"], name="ends")
            stays = ExecuteProcess(cmd=["sleep", "600"], name="stays")
            handler = OnProcessExit(target_action=ends, on_exit=[Shutdown(reason="test")])
            return [RegisterEventHandler(handler), ends, stays]
    """)
    assert status == 0
    assert "[INFO] [launch]: process[ends-1] was required: shutting down launched system" in lines
    assert "[INFO] [stays-2]: sending signal 'SIGINT' to process[stays-2]" in lines


def test_a_condition_that_is_neither_true_nor_false_ends_the_launch(run):
    status, lines = run("""
        def entities():
            shown = LogInfo(msg="shown", condition=IfCondition("TRUE"))
            unless = [LogInfo(msg=text, condition=UnlessCondition(text)) for text in ("0", "true")]
            return [shown, *unless, LogInfo(msg="hidden", condition=IfCondition("no")), LogInfo(msg="later")]
    """)
    assert status == 1
    assert [line.split(": ")[1] for line in lines if "launch.user" in line] == ["shown", "0"]
    assert any("invalid condition expression" in line for line in lines)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        (
            'DeclareLaunchArgument("must")',
            "Included launch description missing required argument 'must' "
            "(description: 'no description given'), given: []",
        ),
        (
            'SetLaunchConfiguration("pick", "z"), DeclareLaunchArgument("pick", choices=["x", "y"], default_value="x")',
            "Argument \"pick\" provided value \"z\" is not valid. Valid options are: ['x', 'y']",
        ),
    ],
)
def test_wrong_arguments_fail_the_launch(run, tmp_path, declaration, message):
    included = tmp_path / "included.launch.py"
    included.write_text(
        "from launch import LaunchDescription\nfrom launch.actions import *\n"
        f"def generate_launch_description():\n    return LaunchDescription([{declaration}])\n",
        encoding="utf-8",
    )
    status, lines = run(f"""
        def entities():
            return [IncludeLaunchDescription(PythonLaunchDescriptionSource({str(included)!r}))]
    """)
    assert status == 1
    assert any(line.endswith(message) for line in lines)


def test_a_group_restores_configurations_and_environment_unless_unscoped(run):
    status, lines = run("""
        def entities():
            def show(text):
                environment = Command(["sh -c 'echo -n ${SCOPE:--}'"])
                return LogInfo(msg=[text, " ", LaunchConfiguration("a", default="-"), " ", environment])

            change = [SetLaunchConfiguration("a", "1"), SetEnvironmentVariable("SCOPE", "1")]
            return [
                GroupAction([*change, show("inside")]),
                show("after"),
                GroupAction([SetLaunchConfiguration("a", "3")], scoped=False),
                show("unscoped"),
            ]
    """)
    shown = [line.split(": ")[1] for line in lines if "launch.user" in line]
    assert status == 0
    assert shown == ["inside 1 1", "after - -", "unscoped 3 -"]


def test_ctrl_c_goes_in_reverse_order_and_escalates(run):
    body = """
        def entities():
            deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
            return [
                child("deaf", deaf, sigterm_timeout="0.5", sigkill_timeout="0.5"),
                child("stubborn", "print('not me')", sigterm_timeout="0.2", sigkill_timeout="9"),
                child("polite", "print('bye', end=''); time.sleep(0.2); exit(4)"),
            ]
    """
    status, lines = run(body, interrupt_after=3)
    assert status == 0
    assert "[WARNING] [launch]: user interrupted with ctrl-c (SIGINT)" in lines
    assert re.findall(r"'(SIG\w+)' to process\[(.*)\]", "\n".join(lines)) == [
        ("SIGINT", "polite-3"),
        ("SIGINT", "stubborn-2"),
        ("SIGINT", "deaf-1"),
        ("SIGTERM", "stubborn-2"),
        ("SIGTERM", "deaf-1"),
        ("SIGKILL", "deaf-1"),
    ]
    assert "[stubborn-2] not me" in lines
    assert "[polite-3] bye" in lines  # even without the end of the line
    escalation = "[ERROR] [deaf-1]: process[deaf-1] failed to terminate '1.0' seconds after receiving 'SIGTERM', "
    assert escalation + "escalating to 'SIGKILL'" in lines
    assert any("[deaf-1]: process has died [pid N, exit code -9" in line for line in lines)


def test_output_goes_where_it_is_sent(run, tmp_path):
    talk = ["sh", "-c", "echo out; echo err >&2"]
    status, lines = run(f"""
        def entities():
            return [ExecuteProcess(cmd={talk}, name=name, output=name) for name in ("log", "screen", "both")]
    """)
    log = tmp_path / "log" / "latest" / "launch.log"
    logged = [line.split(" ", 1)[1] for line in log.read_text(encoding="utf-8").splitlines()]
    assert status == 0
    assert {x for x in lines if x.endswith((" out", " err")) and "cmd" not in x} == {
        "[log-1] err", "[screen-2] out", "[screen-2] err", "[both-3] out", "[both-3] err",
    }  # fmt: skip
    assert {line for line in logged if line.endswith((" out", " err"))} == {
        "[log-1] out", "[log-1] err", "[both-3] out", "[both-3] err",
    }  # fmt: skip


def test_substitutions(run):
    status, lines = run("""
        def entities():
            subs = [
                PathJoinSubstitution(["a", LaunchConfiguration("x")]),
                Command("echo hi"),
                EqualsSubstitution(LaunchConfiguration("x"), "1.0"),
                NotEqualsSubstitution("true", "1"),
            ]
            return [SetLaunchConfiguration("x", "1"), *(LogInfo(msg=sub) for sub in subs)]
    """)
    assert status == 0
    assert [x.split(": ")[1] for x in lines if "launch.user" in x] == ["a/1", "hi", "true", "false"]


def test_what_is_left_out_says_so():
    pytest.importorskip("launch._left_out", reason="upstream's launch leaves nothing out")
    import launch

    with pytest.raises(NotImplementedError, match=r"launch\.actions\.TimerAction is left out"):
        _ = launch.actions.TimerAction
    with pytest.raises(NotImplementedError, match="launch_xml"):
        launch.launch_description_sources.get_launch_description_from_any_launch_file("some.launch.xml")


def test_environment_prefix_and_terminal_of_a_process(start):
    process = start(
        """
        import os
        os.environ["OUTER"] = "1"
        code = "import os, sys; print('OUTER' in os.environ, os.getenv('INNER'), sys.stdout.isatty(), *sys.argv[1:])"
        def entities():
            return [
                ExecuteProcess(cmd=[*python, code, "a"], name="plain", output="screen"),
                ExecuteProcess(cmd=[*python, code, "b"], name="own", output="screen", env={"INNER": "2"}),
                ExecuteProcess(cmd=[*python, code, "c"], name="terminal", output="screen", emulate_tty=True),
                ExecuteProcess(cmd=["d"], prefix=[python[0], " -u -c ", "'print(1+1)'"], name="first", output="screen"),
            ]
        """
    )
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    for line in (
        "[plain-1] True None False a",
        "[own-2] False 2 False b",
        "[terminal-3] True None True c",
        "[first-4] 2",
    ):
        assert line in output, output


def test_a_group_that_forwards_nothing_knows_what_it_is_given():
    context = LaunchContext()
    context.launch_configurations.update(outer="1", kept="2")
    group = GroupAction([], forwarding=False, launch_configurations={"kept": LaunchConfiguration("kept")})
    enter, save, reset_environment, reset, *leave = group.execute(context)
    for action in (enter, save, reset_environment, reset):
        action.visit(context)
    assert context.launch_configurations == {"kept": "2"}
    for action in leave:
        action.visit(context)
    assert context.launch_configurations == {"outer": "1", "kept": "2"}


def test_a_handler_may_react_once():
    context = LaunchContext()
    handler = EventHandler(matcher=lambda event: True, handle_once=True)
    context.register_event_handler(handler)
    handler.handle("event", context)
    with pytest.raises(ValueError, match="not in deque"):
        handler.handle("event", context)
