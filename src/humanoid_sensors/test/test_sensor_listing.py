# SPDX-License-Identifier: Apache-2.0
"""config/sensors: files that can be read, whose frames the robot has."""

from __future__ import annotations

from pathlib import Path

import pytest

from humanoid_core.errors import ConfigError
from humanoid_sensors.listing import sensors_in

CONFIG = Path(__file__).parents[3] / "config"


@pytest.mark.parametrize("file", sorted((CONFIG / "sensors").glob("*.yaml")), ids=lambda path: path.stem)
def test_frames_are_those_of_the_robot(file):
    robot = (CONFIG / "robots" / file.name).read_text(encoding="utf-8")
    for name, sensor in sensors_in(file).items():
        for key in ("frame", "depth_frame"):
            if key in sensor.parameters:
                assert f"frame: {sensor.parameters[key]}" in robot, name


def test_an_unknown_kind_of_sensor_is_named(tmp_path):
    file = tmp_path / "g1.yaml"
    file.write_text("nose: {node: chemical, parameters: {}}\n")
    with pytest.raises(ConfigError, match=r"g1.yaml: nose.node"):
        sensors_in(file)
