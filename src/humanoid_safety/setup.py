# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="humanoid_safety",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_safety"]),
        ("share/humanoid_safety", ["package.xml"]),
        ("share/humanoid_safety/config", glob("config/*.yaml")),
        ("share/humanoid_safety/launch", glob("launch/*.py")),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Arbiter of joint-target sources, watchdogs and joint limiter.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "safety = humanoid_safety.safety_node:main",
            "heartbeat = humanoid_safety.heartbeat_node:main",
        ]
    },
)
