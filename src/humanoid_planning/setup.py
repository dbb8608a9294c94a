# SPDX-License-Identifier: Apache-2.0
import os
from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

WORKSPACE = Path(__file__).resolve().parents[2]


def moveit_packages() -> list[tuple[str, list[str]]]:
    """<robot>_moveit_config as MoveIt's tools look for it: config/moveit/<robot> and the robot's SRDF."""
    places = []
    for folder in sorted((WORKSPACE / "config" / "moveit").iterdir()):
        package = f"{folder.name}_moveit_config"
        marker = Path("resource") / package
        srdf = WORKSPACE / "urdf" / folder.name / f"{folder.name}.srdf"
        configs = [os.path.relpath(path) for path in sorted(folder.glob("*.yaml"))]
        places += [
            ("share/ament_index/resource_index/packages", [str(marker)]),
            (f"share/{package}", [os.path.relpath(folder / ".setup_assistant")]),
            (f"share/{package}/config", [*configs, os.path.relpath(srdf)]),
        ]
    return places


setup(
    name="humanoid_planning",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_planning"]),
        ("share/humanoid_planning", ["package.xml"]),
        ("share/humanoid_planning/config", glob("config/*.yaml")),
        ("share/humanoid_planning/launch", glob("launch/*.py")),
        *moveit_packages(),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Planned motions through MoveIt's Python API.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "planning = humanoid_planning.planning_node:main",
            "trajectory_follower = humanoid_planning.trajectory_follower_node:main",
            "make_moveit_config = humanoid_planning.make_moveit_config:main",
        ]
    },
)
