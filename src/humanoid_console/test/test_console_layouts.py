# SPDX-License-Identifier: Apache-2.0
"""The committed RViz and Foxglove layouts name topics that exist."""

import json
import re
from pathlib import Path

import yaml

from humanoid_core import endpoints

CONFIG = Path(__file__).resolve().parents[3] / "config"
NAMES = [e.name for e in vars(endpoints).values() if isinstance(e, endpoints.Endpoint)]
TOPIC_KEYS = ("topic", "imageTopic", "calibrationTopic", "topicPath", "topicToRender")
PATTERNS = [re.compile(re.sub(r"\{\w+\}", r"\\w+", name.lstrip("/"))) for name in NAMES]


def exists(topic: str) -> bool:
    return topic == "markers" or any(pattern.fullmatch(topic) for pattern in PATTERNS)


def test_rviz_topics_are_relative_and_ours():
    layout = yaml.safe_load((CONFIG / "rviz" / "humanoid.rviz").read_text(encoding="utf-8"))
    displays = layout["Visualization Manager"]["Displays"]
    named = [display.get("Topic", display.get("Description Topic")) for display in displays]
    topics = [topic["Value"] for topic in named if topic]
    assert "robot_description" in topics
    assert [topic for topic in topics if not exists(topic)] == []


def test_foxglove_layout_is_whole_and_its_topics_are_ours():
    layout = json.loads((CONFIG / "foxglove" / "humanoid.json").read_text(encoding="utf-8"))
    panels = layout["configById"]

    def leaves(node):
        return [node] if isinstance(node, str) else leaves(node["first"]) + leaves(node["second"])

    used = leaves(layout["layout"])
    used += [leaf for tab in panels["Tab!side"]["tabs"] for leaf in leaves(tab["layout"])]
    assert sorted(used) == sorted(panels)

    named = set()

    def collect(value, key=""):
        if isinstance(value, dict):
            for inner, item in value.items():
                named.update([inner] if key == "topics" else [])
                collect(item, inner)
        elif isinstance(value, list):
            for item in value:
                collect(item, key)
        elif isinstance(value, str) and key in (
            "topic",
            "imageTopic",
            "calibrationTopic",
            "topicPath",
            "topicToRender",
        ):
            named.add(value)
        elif isinstance(value, str) and key == "value" and value.startswith("/"):
            named.add(value.split(".")[0])

    collect(panels)
    assert "/robot_description" in named
    assert sorted(topic for topic in named if not exists(topic.lstrip("/"))) == []
