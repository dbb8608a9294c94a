# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="humanoid_sync",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_sync"]),
        ("share/humanoid_sync", ["package.xml"]),
        ("share/humanoid_sync/config", glob("config/*.yaml")),
        ("share/humanoid_sync/launch", glob("launch/*.launch.py")),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Puts the streams of a robot on one timeline, live and from bags alike.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "sync = humanoid_sync.sync_node:main",
            "align = humanoid_sync.offline:main",
            "calibrate = humanoid_sync.calibrate:main",
            "monitor = humanoid_sync.monitor_node:main",
        ]
    },
)
