# SPDX-License-Identifier: Apache-2.0
"""A simulated centre: fifty collectors at forty-six robots for two weeks. Seeded, so that it is the same every time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from humanoid_dataset.catalogue import Catalogue
from humanoid_dataset.entries import CheckEntry, Entry

_NAMES = (
    "Li Wei, Wang Fang, Zhang Min, Liu Yang, Chen Jing, Yang Lei, Zhao Na, Huang Jie, Zhou Tao, Wu Xia, "
    "Xu Ming, Sun Li, Ma Jun, Zhu Yan, Hu Bo, Guo Ping, He Qiang, Lin Hui, Gao Fei, Luo Dan, "
    "Zheng Kai, Liang Yu, Xie Mei, Song Hao, Tang Rui, Han Xue, Feng Bin, Deng Lan, Cao Peng, Peng Ting, "
    "Zeng Hong, Xiao Wen, Tian Ye, Dong Jia, Pan Shan, Yuan Chao, Cai Ling, Jiang Tong, Yu Qing, Du Heng, "
    "Ye Xin, Cheng Lu, Wei Nan, Su Yi, Lu Zhen, Ding Yue, Ren Kun, Shen Bei, Yao Jian, Lu Fan"
)
COLLECTORS = _NAMES.split(", ")
ROBOTS = (
    [f"g1_{i:02d}" for i in range(1, 29)] + [f"x2_{i:02d}" for i in range(1, 13)] + [f"g2_{i}" for i in range(1, 7)]
)
TASKS = ("parcel_sorting", "shelf_stocking", "medicine_dispensing", "empty_box_return")
_FAULTS = ("frozen_pictures", "gaps", "tracking_error", "duration", "loss")
NOON = datetime.now(timezone.utc).replace(
    hour=8, minute=40, second=0, microsecond=0
)  # most of a shift in China is done
_REASONS = ("dropped", "tracking", "scene wrong", "wrong object")


def fill(catalogue: Path, recordings: Path, now: datetime, days: int = 14) -> int:
    """Put two weeks of work into a catalogue, and today's discarded trials beside the recordings.

    Returns:
        How many episodes.
    """
    entries = list(_entries(now, days))
    with Catalogue(catalogue) as kept:
        kept.put(entries)
    chance = np.random.default_rng(7)
    for robot in ROBOTS:
        file = recordings / robot / f"{now:%Y-%m-%d}" / "discarded.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        reasons = chance.choice(_REASONS, chance.poisson(1.4), p=(0.5, 0.25, 0.15, 0.1))
        lines = [json.dumps({"episode_id": f"redo_{i}", "reason": str(reason)}) for i, reason in enumerate(reasons)]
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(entries)


def live() -> dict[str, dict[str, object]]:
    """What the robots say right now."""
    chance = np.random.default_rng(8)
    found: dict[str, dict[str, object]] = {}
    for robot in ROBOTS:
        state = "recording" if chance.random() < 0.6 else "idle"
        facts = {"safety": "active", "duration": 20.0, "lost": 0, "dropped": 0}
        found[robot] = {"recorder": state, "free_gb": float(chance.integers(90, 900)), **facts}
    found["g1_09"]["free_gb"] = 11.0
    found["g1_17"] |= {"recorder": "recording", "lost": 214}
    found["x2_04"] |= {"recorder": "idle", "safety": "e_stop"}
    return found


def _entries(now: datetime, days: int) -> Iterator[Entry]:
    chance = np.random.default_rng(1)
    skill = chance.beta(22, 2.2, len(COLLECTORS))
    skill[[12, 31]] = 0.62, 0.55
    for back in range(days - 1, -1, -1):
        day = now - timedelta(days=back)
        if back and day.weekday() == 6:
            continue
        begin = day.replace(hour=0, minute=30, second=0, microsecond=0)
        end = now if back == 0 else begin + timedelta(hours=9)
        growth = 1.0 - 0.03 * back
        for number, person in enumerate(COLLECTORS):
            at = begin + timedelta(minutes=float(chance.uniform(0, 20)))
            while (at := at + timedelta(minutes=float(chance.gamma(6.0, 1.6 / growth)))) < end:
                yield _entry(chance, person, ROBOTS[number % len(ROBOTS)], at, float(skill[number]))


def _entry(chance: np.random.Generator, person: str, robot: str, at: datetime, skill: float) -> Entry:
    success = bool(chance.random() < skill + 0.03)
    rejected = bool(chance.random() < 0.25 * (1.0 - skill) + 0.01)
    fault = str(chance.choice(_FAULTS, p=(0.35, 0.25, 0.2, 0.12, 0.08)))
    checks = [
        CheckEntry(name, "failed" if rejected and name == fault else "passed", 1.0, 1.0, "s", "") for name in _FAULTS
    ]
    identifier = f"{at:%Y%m%dT%H%M%S}_{robot}_{person.replace(' ', '_').lower()}"
    return Entry(
        id=identifier,
        folder=f"/data/{robot}/{at:%Y-%m-%d}/{identifier}",
        robot=robot,
        task=str(chance.choice(TASKS)),
        operator=person,
        state="finished",
        outcome="success" if success else "failure",
        started=at.isoformat(timespec="milliseconds"),
        day=f"{at:%Y-%m-%d}",
        duration=float(chance.gamma(20.0, 2.0)),
        bytes=900_000_000,
        lost=int(chance.random() < 0.01),
        verdict="failed" if rejected else "passed",
        usable=success and not rejected,
        checks=checks,
    )
