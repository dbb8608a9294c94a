# SPDX-License-Identifier: Apache-2.0
"""Data sets hold what was recorded: row by row, frame by frame, whatever happened to the export."""

import json
import shutil
from dataclasses import replace

import av
import cv2
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from bench.dataset_world import START, write_trial
from humanoid_core.errors import ConfigError
from humanoid_dataset import pieces, video
from humanoid_dataset.contract import Contract, Joints, load_contract, named_joints
from humanoid_dataset.errors import ExportError
from humanoid_dataset.export import export, main
from humanoid_dataset.results import workspace_file
from humanoid_dataset.rows import take
from humanoid_dataset.statistics import Statistics
from humanoid_dataset.video import count_frames, join

SIZE = (160, 120)


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    root = tmp_path_factory.mktemp("trials")
    write_trial(root / "t0", 1.0, ("head", "left_wrist"), SIZE, rate=200.0)
    write_trial(root / "t1", 1.5, ("head", "left_wrist"), SIZE, rate=200.0)
    return [root / "t0", root / "t1"]


@pytest.fixture(scope="module")
def contract():
    return load_contract()


def numbers(path):
    """What is written in the corner of each frame."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return [
        sum(int(frame[2:6, 8 * bit + 2 : 8 * bit + 6].mean() > 128) << bit for bit in range(12)) for frame in frames
    ]


def test_rows_are_what_the_robot_did_then(trials, contract):
    rows = take(trials[1], contract)
    assert np.diff(rows.instants).tolist() == [33_333_333] * (len(rows.instants) - 1)
    names, parts = named_joints(contract.state, "unitree_g1")
    assert parts["right_arm"] == (7, 14)
    order = [name for group in _groups().values() for name in group]
    seconds = (rows.instants - START) * 1e-9
    wanted = np.sin(seconds[:, None] + np.array([order.index(name) for name in names]))
    assert np.abs(rows.state - wanted).max() < 1e-5  # between samples of 200 Hz
    held = np.floor(seconds * 200.0 + 1e-6) / 200.0
    assert np.abs(rows.action - np.sin(held[:, None] + np.array([order.index(n) for n in names]))).max() < 1e-12
    assert np.abs(rows.pictures["head"] - rows.instants).max() <= 17_000_000
    assert rows.valid.all()
    inside = (seconds >= 0.3) & (seconds < 0.6)
    assert [label == "reach" for label in rows.subtasks] == inside.tolist()


def _groups():
    return yaml.safe_load(workspace_file("robots/unitree_g1.yaml").read_text())["groups"]


def test_lerobot_v3(trials, contract, tmp_path):
    out = tmp_path / "set"
    assert export(trials, out, contract, "lerobot-v3") == []
    info = json.loads((out / "meta/info.json").read_text())
    data = pq.read_table(out / "data/chunk-000/file-000.parquet").to_pydict()
    episodes = pq.read_table(out / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    lengths = [len(take(folder, contract).instants) for folder in trials]
    assert info["total_frames"] == len(data["index"]) == sum(lengths)
    assert [e["length"] for e in episodes] == lengths
    assert data["index"] == list(range(sum(lengths)))
    assert data["episode_index"] == [0] * lengths[0] + [1] * lengths[1]
    assert data["timestamp"] == pytest.approx([k / 30 for n in lengths for k in range(n)], abs=1e-6)
    for camera in ("head", "left_wrist"):
        path = out / f"videos/observation.images.{camera}/chunk-000/file-000.mp4"
        assert count_frames(path) == sum(lengths)
        wanted = []
        for folder in trials:
            stamps = take(folder, contract).pictures[camera]
            wanted += np.round((stamps - START) * 30e-9).astype(int).tolist()
        assert numbers(path) == wanted
        key = f"videos/observation.images.{camera}"
        assert episodes[1][f"{key}/from_timestamp"] == episodes[0][f"{key}/to_timestamp"] == lengths[0] / 30
    tasks = pq.read_table(out / "meta/tasks.parquet")
    assert tasks.column("task").to_pylist() == [
        "Put each parcel into the bin that has the colour of its label.",
        "reach",
        "",
    ]
    state = np.array(data["observation.state"])
    stats = json.loads((out / "meta/stats.json").read_text())["observation.state"]
    assert stats["mean"] == pytest.approx(state.mean(axis=0), abs=1e-6)
    assert stats["std"] == pytest.approx(state.std(axis=0), abs=1e-6)
    assert stats["count"] == [len(state)]
    modality = json.loads((out / "meta/modality.json").read_text())
    assert modality["action"]["left_arm"] == {"start": 0, "end": 7}
    assert not (tmp_path / "set.work").exists()


def test_lerobot_v21_has_a_file_for_each_episode(trials, contract, tmp_path):
    assert export(trials, tmp_path / "set", contract, "lerobot-v2.1", jobs=2) == []
    for i, folder in enumerate(trials):
        rows = take(folder, contract)
        data = pq.read_table(tmp_path / f"set/data/chunk-000/episode_{i:06d}.parquet")
        assert data.num_rows == len(rows.instants)
        assert np.array(data.column("action").to_pylist()) == pytest.approx(rows.action, abs=1e-6)
        path = tmp_path / f"set/videos/chunk-000/observation.images.head/episode_{i:06d}.mp4"
        assert count_frames(path) == len(rows.instants)
    lines = (tmp_path / "set/meta/episodes.jsonl").read_text().splitlines()
    assert [json.loads(line)["length"] for line in lines] == [len(take(f, contract).instants) for f in trials]


def test_hdf5_keeps_the_pictures_as_they_were(trials, contract, tmp_path):
    assert export(trials[:1], tmp_path / "set", contract, "hdf5") == []
    rows = take(trials[0], contract)
    with h5py.File(tmp_path / "set/episode_0.hdf5") as file:
        assert np.abs(file["/observations/qpos"][:] - rows.state).max() < 1e-6
        assert file["/data/demo_0/actions"].shape == rows.action.shape
        jpeg = file["/observations/images/head"][3][: int(file["/compress_len"][0][3])]
        assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (120, 160, 3)


def test_gaps_are_refused_or_told(contract, tmp_path):
    folder = write_trial(tmp_path / "gap", 2.0, ("head",), SIZE, rate=200.0, lost=("head", 0.8, 1.2))
    with pytest.raises(ExportError, match="compressed missing in "):
        take(folder, contract)
    rows = take(folder, replace(contract, missing=0.3))
    seconds = (rows.instants - START) * 1e-9
    assert not rows.valid[(seconds > 0.86) & (seconds < 1.14)].any()
    assert rows.valid[(seconds < 0.8) | (seconds > 1.21)].all()
    bad = np.flatnonzero(~rows.valid)
    assert (rows.state[bad] == rows.state[bad[0] - 1]).all()
    write_trial(tmp_path / "late", 2.0, ("head",), SIZE, rate=200.0, lost=("joint_commands", 0.0, 1.0))
    assert take(tmp_path / "late", contract).instants[0] >= START + 1_000_000_000


def test_rows_begin_where_all_joints_are_commanded(contract, tmp_path):
    """As after a planned motion, which leaves the hands alone."""
    folder = write_trial(tmp_path / "few", 2.0, ("head",), SIZE, rate=200.0, fewer=0.5)
    rows = take(folder, contract)
    assert 500_000_000 <= rows.instants[0] - START <= 540_000_000
    assert rows.valid.all()


def test_a_joint_that_nobody_commands_is_where_it_is_measured(contract, tmp_path):
    folder = write_trial(tmp_path / "never", 2.0, ("head",), SIZE, rate=200.0, fewer=10.0)
    parts = ["left_arm", "right_leg"]  # 7 joints and 6, the last 4 of which are not commanded
    rows = take(folder, replace(contract, state=Joints("joint_states", parts), action=Joints("joint_commands", parts)))
    same = [np.array_equal(rows.action[:, i], rows.state[:, i]) for i in range(13)]
    assert same == [False] * 9 + [True] * 4
    assert np.ptp(rows.action[:, -4:], axis=0).min() > 0.1
    assert rows.valid.all()


def test_frames_that_are_lost_fail_the_export(trials, contract, tmp_path, monkeypatch):
    encode = video.CameraVideo._encode

    def forgetful(self, frame):
        if self._next != 7:
            encode(self, frame)

    monkeypatch.setattr(video.CameraVideo, "_encode", forgetful)
    with pytest.raises(ExportError, match=r"found \d+ frames|uneven"):
        export(trials[:1], tmp_path / "set", contract, "lerobot-v3")
    assert not (tmp_path / "set").exists()


def test_an_export_that_was_cut_off_goes_on(trials, contract, tmp_path, monkeypatch):
    made = []
    original = pieces.take

    def cut(folder, asked):
        made.append(folder.name)
        if folder.name == "t1" and made.count("t1") == 1:
            raise KeyboardInterrupt
        return original(folder, asked)

    monkeypatch.setattr(pieces, "take", cut)
    with pytest.raises(KeyboardInterrupt):
        export(trials, tmp_path / "set", contract, "lerobot-v3")
    assert not (tmp_path / "set").exists()
    assert export(trials, tmp_path / "set", contract, "lerobot-v3") == []
    assert made == ["t0", "t1", "t1"]


def test_other_contract_or_episode_makes_other_pieces(trials, contract, tmp_path):
    key = pieces.key_of(trials[0], contract, "video")
    assert pieces.key_of(trials[0], replace(contract, fps=15), "video") != key
    copy = shutil.copytree(trials[0], tmp_path / "t0")
    assert pieces.key_of(copy, contract, "video") == key
    (copy / "episode.yaml").write_text((copy / "episode.yaml").read_text().replace("success", "failure"))
    assert pieces.key_of(copy, contract, "video") != key


def test_half_the_rate(trials, contract, tmp_path):
    assert export(trials[1:], tmp_path / "set", replace(contract, fps=15), "lerobot-v3") == []
    found = numbers(tmp_path / "set/videos/observation.images.head/chunk-000/file-000.mp4")
    assert set(np.diff(found).tolist()) == {2}


def test_clear_errors(trials, contract, tmp_path):
    with pytest.raises(ExportError, match=r"found no .*camera/tail"):
        take(trials[0], replace(contract, cameras={"tail": "camera/tail/color"}))
    with pytest.raises(ExportError, match="found no third_arm in joint_states"):
        take(trials[0], replace(contract, state=Joints("joint_states", ["third_arm"])))
    with pytest.raises(ExportError, match="found something there"):
        export(trials, tmp_path, contract, "lerobot-v3")
    with pytest.raises(ExportError, match="no episodes"):
        export([], tmp_path / "x", contract, "lerobot-v3")
    bad = tmp_path / "bad.yaml"
    bad.write_text("fps: 0\nstate: {topic: a, joints: []}\naction: {topic: a, joints: []}\n")
    with pytest.raises(ConfigError, match="fps 0"):
        load_contract(bad)
    cut = shutil.copytree(trials[0], tmp_path / "cut")
    bag = next(cut.glob("*.mcap"))
    bag.write_bytes(bag.read_bytes()[:-5000])
    with pytest.raises(ExportError, match=r"expected a whole (bag|one)"):
        take(cut, contract)


def test_command_leaves_out_what_is_not_usable(trials, tmp_path, capsys):
    shutil.copytree(trials[0], tmp_path / "in/good")
    failed = shutil.copytree(trials[0], tmp_path / "in/failed")
    (failed / "episode.yaml").write_text((failed / "episode.yaml").read_text().replace("success", "failure"))
    assert main([str(tmp_path / "in"), "--output", str(tmp_path / "set")]) == 0
    assert capsys.readouterr().out == f"1 episodes in {tmp_path / 'set'}, 1 not usable left out\n"
    assert main([str(tmp_path / "in"), "--output", str(tmp_path / "set")]) == 2


def test_statistics_join_as_if_taken_at_once():
    values = np.random.default_rng(1).normal(3.0, 2.0, (1000, 4))
    whole, joined = Statistics(4), Statistics(4)
    whole.add(values)
    for part in np.array_split(values, 7):
        one = Statistics(4)
        one.add(part)
        joined.join(one.as_dict())
    for name in ("min", "max", "mean", "std"):
        assert joined.as_dict()[name] == pytest.approx(whole.as_dict()[name], rel=1e-9)


def test_joined_videos_keep_every_frame(trials, contract, tmp_path):
    video.write_videos(trials[0], take(trials[0], contract), tmp_path, 30, contract.video)
    one = tmp_path / "head.mp4"
    join([one, one, one], tmp_path / "three.mp4")
    assert numbers(tmp_path / "three.mp4") == 3 * numbers(one)


def test_contract_is_a_plain_file():
    assert isinstance(load_contract(), Contract)
