# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

from setuptools import find_packages, setup

WORKSPACE = Path(__file__).resolve().parents[2]


def installed(folder: str) -> list[tuple[str, list[str]]]:
    """Files of a top-level folder of the workspace, by their place in this package's share.

    colcon runs this file where it stands or through a link in the build folder, and what it makes must stay there: so
    no change of folder, only paths relative to wherever that is.
    """
    places: dict[Path, list[str]] = {}
    for path in sorted((WORKSPACE / folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            places.setdefault(path.parent.relative_to(WORKSPACE), []).append(os.path.relpath(path))
    return [(f"share/humanoid_bringup/{place}", files) for place, files in places.items()]


setup(
    name="humanoid_bringup",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_bringup"]),
        ("share/humanoid_bringup", ["package.xml"]),
        *installed("launch"),
        *installed("config"),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Launch files and configuration that compose the whole system.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "await_listeners = humanoid_bringup.await_listeners:main",
            "demo = humanoid_bringup.demo_node:main",
            "preflight = humanoid_bringup.preflight_command:main",
        ]
    },
)
