# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="humanoid_recorder",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_recorder"]),
        ("share/humanoid_recorder", ["package.xml"]),
        ("share/humanoid_recorder/config", glob("config/*.yaml")),
        ("share/humanoid_recorder/launch", glob("launch/*.launch.py")),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Records episodes: one MCAP bag each, nothing lost unnoticed.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "recorder = humanoid_recorder.recorder_node:main",
            "info = humanoid_recorder.cli:info",
            "verify = humanoid_recorder.cli:verify_command",
            "recover = humanoid_recorder.cli:recover_command",
            "trim = humanoid_recorder.cli:trim_command",
            "merge = humanoid_recorder.cli:merge_command",
            "progress = humanoid_recorder.cli:progress_command",
            "episode_buttons = humanoid_recorder.episode_buttons_node:main",
        ]
    },
)
