# SPDX-License-Identifier: Apache-2.0
"""Each check finds its defect, names it, and leaves the clean episode alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from synthetic import ROBOT_CONFIG, START, TYPES, Plan, change, freeze, lose, write_episode

from humanoid_core.errors import ConfigError
from humanoid_dataset import check
from humanoid_dataset.checks import CHECKS, Verdict, judge, meaning
from humanoid_dataset.results import CheckResult, load_limits

LIMITS = load_limits()
START_SECONDS = START * 1e-9
HEAD = "camera/head/color/image_raw/compressed"
DEPTH = "camera/head/depth/image_rect_raw/compressedDepth"


@pytest.fixture(scope="session")
def robot_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("robot") / "testbot.yaml"
    path.write_text(yaml.safe_dump(ROBOT_CONFIG))
    return path


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_episode(tmp_path_factory.mktemp("episodes") / "clean")


@pytest.fixture
def verdict(tmp_path: Path, robot_config: Path):
    def run(plan: Plan) -> Verdict:
        return judge(write_episode(tmp_path / "episode", plan), LIMITS, robot_config)

    return run


def result(verdict: Verdict, name: str) -> CheckResult:
    return next(r for r in verdict.results if r.name == name)


def failed(verdict: Verdict) -> set[str]:
    return {r.name for r in verdict.failures}


def test_clean_episode_passes_every_check_but_those_that_need_longer_pictures(clean, robot_config):
    found = judge(clean, LIMITS, robot_config)
    few = {"camera_lag": "not_assessed", "camera_order": "not_assessed", "clock_uncertainty": "not_applicable"}
    assert {r.name: r.status for r in found.results} == {c.__name__: "passed" for c in CHECKS} | few
    assert found.passed


def test_figures_of_the_clean_episode(clean, robot_config):
    found = judge(clean, LIMITS, robot_config)
    assert result(found, "tracking_lag").measured == pytest.approx(40.0, abs=2.5)  # what the generator delays by
    assert result(found, "skew").measured == pytest.approx(30.0, abs=0.5)
    assert result(found, "duration").measured == pytest.approx(3.0, abs=1e-6)
    assert result(found, "depth_valid").measured == pytest.approx(100 * 60 / 64, abs=0.1)
    assert result(found, "velocity_limits").measured < 100.0


def test_without_sidecar_and_configuration_it_says_what_it_cannot_assess(tmp_path):
    found = judge(write_episode(tmp_path / "e", Plan(sidecar=lambda s: None)), LIMITS)
    open_ones = {r.name for r in found.results if r.status == "not_assessed"}
    assert open_ones == {"loss", "acceleration_limits", "camera_lag", "camera_order"}
    assert result(found, "task_done").status == "not_applicable"
    assert {"rates", "topics", "missed_samples"} >= failed(found)


@pytest.mark.parametrize(
    ("defect", "names", "words"),
    [
        (
            lose("joint_commands", lambda t: not 1.0 < t < 1.1),
            {"rates", "gaps", "missed_samples"},
            "joint_commands at 1.00 s",
        ),
        (lose(HEAD, lambda t: not 1.0 < t < 1.25), {"gaps", "rates", "missed_samples"}, HEAD),
        (lose("lidar/points", lambda t: t < 2.0), {"gaps"}, "lidar/points before the end"),
        (lose("imu/pelvis", lambda t: t > 0.5), {"gaps"}, "imu/pelvis after the start"),
    ],
)
def test_gap(verdict, defect, names, words):
    found = verdict(Plan(defect=defect))
    assert failed(found) <= names
    assert "gaps" in failed(found)
    assert words in result(found, "gaps").detail


def test_commands_may_begin_late_but_not_end_early(verdict, tmp_path, robot_config):
    assert verdict(Plan(defect=lose("joint_commands", lambda t: t >= 0.5))).passed
    early = write_episode(tmp_path / "early", Plan(defect=lose("joint_commands", lambda t: t < 2.5)))
    assert failed(judge(early, LIMITS, robot_config)) == {"gaps"}


def test_missing_topic_is_named(verdict):
    found = verdict(Plan(defect=lose("wrench/left_wrist")))
    assert failed(found) == {"topics"}
    assert "wrench/left_wrist" in result(found, "topics").detail


def test_a_robot_without_a_sensor_needs_no_stream_of_it(tmp_path, robot_config):
    episode = write_episode(tmp_path / "episode", Plan(defect=lose("lidar/points")))
    config = yaml.safe_load(robot_config.read_text())
    assert failed(judge(episode, LIMITS, robot_config)) == {"topics"}
    without = tmp_path / "testbot.yaml"
    without.write_text(yaml.safe_dump(config | {"lidar": None}))
    assert judge(episode, LIMITS, without).passed


def test_slow_camera(verdict):
    found = verdict(Plan(defect=lose(HEAD, lambda t: round(t * 30) % 8 != 7)))
    assert failed(found) == {"rates", "missed_samples"}
    assert HEAD in result(found, "rates").detail
    assert result(found, "rates").measured == pytest.approx(12.5, abs=1.5)


def test_lost_operator_frames(verdict):
    found = verdict(Plan(defect=lose("operator/frame", lambda t: abs(t - 1.5) > 0.025)))
    assert failed(found) == {"operator_frames"}
    assert "5 lost" in result(found, "operator_frames").detail


def test_drops_counted_by_the_recorder(verdict):
    def dropped(sidecar: dict[str, Any]) -> dict[str, Any]:
        entry = next(e for e in sidecar["topics"] if e["name"].endswith("joint_states"))
        entry["dropped"], entry["lost"] = 20, 10
        return sidecar

    found = verdict(Plan(sidecar=dropped))
    assert failed(found) == {"loss"}
    assert "joint_states 30" in result(found, "loss").detail


def test_stamp_that_goes_back(verdict):
    def back(message: Any) -> None:
        message.header.stamp.nanosec -= 15_000_000

    found = verdict(Plan(defect=change("imu/pelvis", lambda t: abs(t - 1.5) < 1e-3, back)))
    assert failed(found) == {"monotonic"}
    assert result(found, "monotonic").detail == "imu/pelvis 1"


def test_skewed_stream(verdict):
    def shift(message: Any) -> None:
        message.streams[1].residual += 0.08

    found = verdict(Plan(defect=change("sync/frame", lambda t: True, shift)))
    assert failed(found) == {"skew"}
    assert "camera/head" in result(found, "skew").detail


def test_slow_stream_may_be_as_far_as_its_period_makes_it(verdict, tmp_path):
    def slow(message: Any) -> None:
        stream = message.streams[2]
        stream.source_stamps = [TYPES.stamp(message.sequence // 3 * 0.1)]
        stream.residual = 0.07

    assert verdict(Plan(defect=change("sync/frame", lambda t: True, slow))).passed
    both = change(
        "sync/frame", lambda t: True, lambda message: (slow(message), setattr(message.streams[2], "residual", 0.08))
    )
    found = judge(write_episode(tmp_path / "slower", Plan(defect=both)), LIMITS)
    assert result(found, "skew").limit == pytest.approx(75.0)
    assert result(found, "skew").status == "failed"


def test_stream_missing_from_synchronised_frames(verdict):
    def hide(message: Any) -> None:
        message.streams[2].flags = 1

    found = verdict(Plan(defect=change("sync/frame", lambda t: t > 2.0, hide)))
    assert failed(found) == {"sync_complete"}
    assert "lidar" in result(found, "sync_complete").detail


def test_stream_that_begins_with_engaging_is_not_missing_before(verdict, tmp_path, robot_config):
    def hide(message: Any) -> None:
        message.streams[0].name, message.streams[0].flags = "joint_commands", 1

    def rename(message: Any) -> None:
        message.streams[0].name = "joint_commands"

    # The frames at the very start still know commands from before the episode.
    hidden, shown = change("sync/frame", lambda t: 0.1 < t < 1.0, hide), change("sync/frame", lambda t: True, rename)
    late = lose("joint_commands", lambda t: t >= 1.0)

    def begins_late(item):
        item = late(item)
        return item and shown(hidden(item))

    assert verdict(Plan(defect=begins_late)).passed
    found = judge(
        write_episode(tmp_path / "missing", Plan(defect=lambda item: shown(hidden(item)))), LIMITS, robot_config
    )
    assert failed(found) == {"sync_complete"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_value_that_is_no_number(verdict, value):
    def spoil(message: Any) -> None:
        message.velocity[2] = value

    found = verdict(Plan(defect=change("joint_states", lambda t: abs(t - 1.5) < 1e-4, spoil)))
    assert failed(found) == {"finite"}
    assert result(found, "finite").measured == 1


def test_nan_in_wrench_and_position(verdict):
    def spoil(message: Any) -> None:
        message.wrench.force.x = np.nan

    assert failed(verdict(Plan(defect=change("wrench/left_wrist", lambda t: abs(t - 1.5) < 1e-4, spoil)))) == {"finite"}


def test_command_outside_its_limit(verdict):
    # A slow excursion: only the position is wrong.
    def push(message: Any) -> None:
        message.position[0] = 1.2

    found = verdict(Plan(defect=change("joint_commands", lambda t: True, push)))
    assert "position_limits" in failed(found)
    assert result(found, "position_limits").measured == pytest.approx(0.2)
    assert "waist_yaw" in result(found, "position_limits").detail


def test_command_that_jumps(verdict):
    def jump(message: Any) -> None:
        message.position[1] += 0.01

    found = verdict(Plan(defect=change("joint_commands", lambda t: t >= 1.5, jump)))
    assert failed(found) == {"velocity_limits", "acceleration_limits"}
    assert "left_shoulder at 1.50 s" in result(found, "velocity_limits").detail
    # 0.01 rad in a period of 2 ms is 5 rad/s against a limit of 3 rad/s; the wave adds up to 1.25 rad/s either way
    assert result(found, "velocity_limits").measured == pytest.approx(100 * 5 / 3, abs=100 * 1.25 / 3)


def test_command_that_accelerates_too_much_but_is_not_too_fast(verdict):
    def kink(message: Any) -> None:
        message.position[1] += 1e-3

    found = verdict(Plan(defect=change("joint_commands", lambda t: t >= 1.5, kink)))
    assert failed(found) == {"acceleration_limits"}


def test_unknown_joint_and_joint_that_must_not_be_commanded(verdict, tmp_path):
    def rename(message: Any) -> None:
        message.name[4] = "right_elbo"

    found = verdict(Plan(defect=change("joint_commands", lambda t: True, rename)))
    assert "joint_names" in failed(found)
    assert "right_elbo" in result(found, "joint_names").detail
    only_arms = tmp_path / "only_arms.yaml"
    only_arms.write_text(yaml.safe_dump(ROBOT_CONFIG | {"commanded": ["left_arm", "right_arm"]}))
    found = judge(write_episode(tmp_path / "second"), LIMITS, only_arms)
    assert failed(found) == {"joint_names"}
    assert "waist_yaw must not be commanded" in result(found, "joint_names").detail


def test_emergency_stop(verdict):
    def stop(message: Any) -> None:
        message.state, message.reasons = 3, ["stop button"]

    found = verdict(Plan(defect=change("safety/status", lambda t: t > 2.5, stop)))
    assert failed(found) == {"emergency_stop"}
    assert result(found, "emergency_stop").detail == "stop button"


def test_fingers_may_be_blocked_but_arms_may_not(tmp_path, verdict):
    def block(message: Any) -> None:
        message.position[4] = 0.0

    plan = Plan(defect=change("joint_states", lambda t: True, block))
    assert "tracking_error" in failed(verdict(plan))
    hands = tmp_path / "hands.yaml"
    hands.write_text(
        yaml.safe_dump(
            ROBOT_CONFIG
            | {"groups": ROBOT_CONFIG["groups"] | {"hand": ["right_elbow"]}, "hands": {"right": {"group": "hand"}}}
        )
    )
    assert judge(write_episode(tmp_path / "blocked", plan), LIMITS, hands).passed


def test_status_may_repeat_a_stamp_and_measurements_may_not(verdict, tmp_path):
    def late(message: Any) -> None:
        message.header.stamp = TYPES.stamp(1.4)

    assert verdict(Plan(defect=change("teleop/status", lambda t: abs(t - 1.5) < 1e-3, late))).passed
    again = Plan(defect=change("imu/pelvis", lambda t: abs(t - 1.41) < 1e-3, late))
    assert failed(judge(write_episode(tmp_path / "again", again), LIMITS)) >= {"monotonic"}


def test_robot_that_does_not_follow(verdict):
    def stand(message: Any) -> None:
        message.position[:] = 0.0

    found = verdict(Plan(defect=change("joint_states", lambda t: True, stand)))
    assert "tracking_error" in failed(found)


def test_black_camera(verdict):
    import cv2

    dark = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].ravel()

    def cover(message: Any) -> None:
        message.data = dark

    found = verdict(Plan(defect=change(HEAD, lambda t: t > 2.0, cover)))
    assert failed(found) <= {"black_pictures", "blank_pictures", "frozen_pictures"}
    assert HEAD in result(found, "black_pictures").detail


def test_empty_depth(verdict):
    import cv2

    none = np.concatenate((np.zeros(12, np.uint8), cv2.imencode(".png", np.zeros((48, 64), np.uint16))[1].ravel()))

    def blind(message: Any) -> None:
        message.data = none

    found = verdict(Plan(defect=change(DEPTH, lambda t: abs(t - 2.0) < 0.3, blind)))
    assert failed(found) >= {"depth_valid"}


def test_picture_that_does_not_decode(verdict):
    def tear(message: Any) -> None:
        message.data = np.full(50, 7, np.uint8)

    found = verdict(Plan(defect=change(HEAD, lambda t: t == 0.0, tear)))
    assert failed(found) == {"torn_pictures", "picture_size", "black_pictures", "blank_pictures"}
    assert "does not decode" in result(found, "black_pictures").detail


def test_frozen_camera(verdict):
    found = verdict(Plan(defect=freeze(HEAD, 1.0, 2.0)))
    assert failed(found) == {"frozen_pictures"}
    assert result(found, "frozen_pictures").measured == pytest.approx(1.0, abs=0.01)


def test_same_picture_while_nothing_moves_is_no_fault(verdict):
    still = freeze(HEAD, 1.0, 2.0)

    def defect(item):
        if item.topic in {"joint_states", "joint_commands"}:
            item.message.position[:] = 0.0
        return still(item)

    found = verdict(Plan(defect=defect))
    assert result(found, "frozen_pictures").status == "passed"
    assert result(found, "tracking_lag").status == "not_assessed"


def test_parcel_beside_its_bin(verdict):
    found = verdict(Plan(placed=False))
    assert failed(found) == {"task_done"}
    assert "parcel_1" in result(found, "task_done").detail


def test_episode_without_a_task_has_nothing_to_place(verdict):
    assert result(verdict(Plan(placed=False, task="motion_capture")), "task_done").status == "not_applicable"


def test_bag_cut_short_is_reported_and_still_read(tmp_path, clean, robot_config):
    folder = write_episode(tmp_path / "cut")
    bag = next(folder.glob("*.mcap"))
    whole = bag.stat().st_size
    with bag.open("r+b") as stream:
        stream.truncate(whole * 6 // 10)
    found = judge(folder, LIMITS, robot_config)
    assert "intact" in failed(found)
    assert "breaks off at byte" in result(found, "intact").detail
    assert result(found, "joint_names").status == "passed"
    assert found.episode is not None
    assert 0.5 < found.episode.duration < 3.0


def test_flipped_byte_is_found_by_the_chunk_checksum(tmp_path, robot_config):
    folder = write_episode(tmp_path / "flipped", Plan(sidecar=lambda s: None))
    bag = next(folder.glob("*.mcap"))
    data = bytearray(bag.read_bytes())
    data[len(data) // 2] ^= 0x10
    bag.write_bytes(bytes(data))
    assert "intact" in failed(judge(folder, LIMITS, robot_config))


def test_wrong_hash(verdict):
    found = verdict(Plan(sidecar=lambda s: s | {"bag": s["bag"] | {"sha256": "0" * 64}}))
    assert failed(found) == {"intact"}
    assert "SHA-256 is not" in result(found, "intact").detail


def test_what_is_no_episode_gets_a_verdict_not_a_traceback(tmp_path):
    (tmp_path / "junk_0.mcap").write_bytes(b"not a bag at all")
    found = judge(tmp_path, LIMITS)
    assert failed(found) == {"intact"}
    assert len(found.results) == len(CHECKS)


def test_command_line(tmp_path, robot_config, capsys):
    write_episode(tmp_path / "day" / "good")
    write_episode(tmp_path / "day" / "bad", Plan(defect=lose("wrench/left_wrist")))
    (tmp_path / "day" / "unfinished.part").mkdir()
    (tmp_path / "day" / "unfinished.part" / "x_0.mcap").write_bytes(b"")
    assert check.main([str(tmp_path / "day" / "good"), "--robot-config", str(robot_config)]) == 0
    assert "good: passed" in capsys.readouterr().out
    assert check.main([str(tmp_path / "day"), "--json", "--robot-config", str(robot_config)]) == 1
    listed = json.loads(capsys.readouterr().out)
    assert {entry["episode"]: entry["passed"] for entry in listed} == {"good": True, "bad": False}
    assert check.main([str(tmp_path / "nothing")]) == 1
    assert "no .mcap file" in capsys.readouterr().out
    assert check.main([str(tmp_path / "day"), "--robot-config", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_unknown_key_in_the_limits_is_an_error(tmp_path):
    from humanoid_dataset.results import workspace_file

    data = yaml.safe_load(workspace_file("checks/default.yaml").read_text())
    data["timing"]["skew_ms"] = 5
    (tmp_path / "limits.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=r"timing\.skew_ms"):
        load_limits(tmp_path / "limits.yaml")


def test_every_check_says_what_it_means_and_stands_in_the_documentation():
    page = Path(__file__).resolve().parents[3] / "docs" / "checks.md"
    text = page.read_text()
    for one in CHECKS:
        assert meaning(one).endswith(".")
        assert f"`{one.__name__}`" in text


def test_verdict_ignores_what_could_not_be_assessed(clean, robot_config):
    found = judge(clean, LIMITS, robot_config)
    found.results[3] = replace(found.results[3], status="not_assessed")
    assert found.passed
    assert "3 not assessed" in check.headline(found)


def test_picture_without_its_end(verdict):
    def cut(message: Any) -> None:
        message.data = message.data[: len(message.data) // 2]

    found = verdict(Plan(defect=change(HEAD, lambda t: abs(t - 1.5) < 1e-3, cut)))
    assert failed(found) == {"torn_pictures"}
    assert "first at 1.50 s" in result(found, "torn_pictures").detail


def test_picture_of_another_size_than_its_calibration(verdict):
    def grow(message: Any) -> None:
        message.width = 80

    found = verdict(Plan(defect=change("camera/head/color/camera_info", lambda t: True, grow)))
    assert failed(found) == {"picture_size"}
    assert "64x48, camera_info says 80x48" in result(found, "picture_size").detail


def test_samples_that_are_missing_here_and_there(verdict):
    found = verdict(Plan(defect=lose("imu/pelvis", lambda t: round(t * 100) % 40 != 7)))
    assert failed(found) == {"missed_samples"}
    assert result(found, "missed_samples").measured == pytest.approx(2.5, abs=0.3)


@pytest.mark.parametrize(("seconds", "words"), [(0.1, "future"), (-0.1, "imu/pelvis")])
def test_stamps_of_another_time(verdict, seconds, words):
    def shift(message: Any) -> None:
        stamp = message.header.stamp
        message.header.stamp = TYPES.stamp(stamp.sec + stamp.nanosec * 1e-9 - START_SECONDS + seconds)

    found = verdict(Plan(defect=change("imu/pelvis", lambda t: True, shift)))
    assert failed(found) == {"stamp_age"}
    assert words in result(found, "stamp_age").detail


def test_clock_that_runs_away(verdict):
    def slow(message: Any) -> None:
        stamp = message.header.stamp
        seconds = stamp.sec + stamp.nanosec * 1e-9 - START_SECONDS
        message.header.stamp = TYPES.stamp(seconds * (1 - 0.015))

    found = verdict(Plan(defect=change("imu/pelvis", lambda t: True, slow)))
    assert "clock_drift" in failed(found)
    assert result(found, "clock_drift").measured == pytest.approx(0.015 * 2000, abs=3.0)


@pytest.mark.parametrize("calm", [0.3, 1.6])
def test_machine_that_gets_busy_is_no_clock_that_runs_away(verdict, calm):
    """Messages are 30 ms younger for a while at the start: long enough to be the youngest of a third, or all of it."""

    def later(message: Any) -> None:
        stamp = message.header.stamp
        seconds = stamp.sec + stamp.nanosec * 1e-9 - START_SECONDS
        message.header.stamp = TYPES.stamp(seconds - (0.03 if seconds > calm else 0.0))

    found = verdict(Plan(defect=change("imu/pelvis", lambda t: True, later)))
    assert "clock_drift" not in failed(found)
    assert result(found, "clock_drift").measured < 5.0


def test_clock_that_synchronisation_cannot_vouch_for(verdict, tmp_path):
    def doubt(message: Any) -> None:
        message.streams[1].flags = 8

    def unsure(message: Any) -> None:
        message.streams[1].uncertainty = 0.02

    found = verdict(Plan(defect=change("sync/frame", lambda t: t > 1.0, doubt)))
    assert failed(found) == {"clock_uncertainty"}
    found = judge(write_episode(tmp_path / "unsure", Plan(defect=change("sync/frame", lambda t: True, unsure))), LIMITS)
    assert result(found, "clock_uncertainty").measured == pytest.approx(20.0)


def test_joints_exchanged_and_turned_round(verdict, tmp_path, robot_config):
    def exchange(message: Any) -> None:
        message.position[1], message.position[3] = message.position[3], message.position[1]

    def turn(message: Any) -> None:
        message.position[1] *= -1

    for name, edit, words in (("exchanged", exchange, "other way round"), ("turned", turn, "other sign")):
        plan = Plan(defect=change("joint_states", lambda t: True, edit))
        found = judge(write_episode(tmp_path / name, plan), LIMITS, robot_config)
        assert "joint_order" in failed(found)
        assert words in result(found, "joint_order").detail


def test_joint_that_is_stuck_for_a_moment(verdict):
    def hold(message: Any) -> None:
        message.position[1] = 0.123

    found = verdict(Plan(defect=change("joint_states", lambda t: 1.0 <= t < 1.3, hold)))
    assert "joints_frozen" in failed(found)
    assert result(found, "joints_frozen").measured == pytest.approx(0.3, abs=0.01)
    assert "left_shoulder at 1.00 s" in result(found, "joints_frozen").detail


def test_measured_joint_where_none_can_be(verdict):
    def jump(message: Any) -> None:
        message.position[0] += 1.5

    found = verdict(Plan(defect=change("joint_states", lambda t: abs(t - 1.5) < 1e-4, jump)))
    assert failed(found) >= {"measured_limits", "measured_jumps"}


@pytest.mark.parametrize(("up", "words"), [(1.0, "% of g"), (-9.81, "rad")])
def test_accelerometer_that_does_not_feel_gravity(verdict, up, words):
    def wrong(message: Any) -> None:
        message.linear_acceleration.z = up

    found = verdict(Plan(defect=change("imu/pelvis", lambda t: True, wrong)))
    assert failed(found) == {"imu_gravity"}
    assert result(found, "imu_gravity").unit == words


def test_measured_before_commanded(verdict):
    def early(message: Any) -> None:
        stamp = message.header.stamp
        message.header.stamp = TYPES.stamp(stamp.sec + stamp.nanosec * 1e-9 - START_SECONDS - 0.1)

    found = verdict(Plan(defect=change("joint_states", lambda t: True, early)))
    assert "tracking_lag" in failed(found)
    assert result(found, "tracking_lag").measured == pytest.approx(-60.0, abs=3.0)  # 40 ms behind less 100 ms


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda labels: labels[1].update(label="dance"), "dance at 1.20 s is no step"),
        (lambda labels: labels[1].update(end_ns=labels[1]["end_ns"] + 10**10), "not inside"),
        (lambda labels: labels[0].update(end_ns=labels[0]["end_ns"] + 5 * 10**8), "reach and carry of test overlap"),
        (lambda labels: labels[0].pop("label"), "no label"),
    ],
)
def test_labels_that_cannot_be(verdict, edit, words):
    def spoil(sidecar: dict[str, Any]) -> dict[str, Any]:
        edit(sidecar["annotations"])
        return sidecar

    found = verdict(Plan(sidecar=spoil))
    assert failed(found) == {"labels"}
    assert words in result(found, "labels").detail


def test_failure_that_was_said_to_be_one_is_no_fault(verdict):
    found = verdict(Plan(placed=False, sidecar=lambda s: s | {"outcome": "failure"}))
    assert found.passed
    assert result(found, "task_done").status == "not_applicable"


@pytest.mark.parametrize("topic", ["joint_states", "joint_commands", "sync/frame", HEAD])
def test_whatever_topic_is_missing_there_is_a_verdict(verdict, topic):
    found = verdict(Plan(defect=lose(topic)))
    assert "topics" in failed(found)
    assert len(found.results) == len(CHECKS)
