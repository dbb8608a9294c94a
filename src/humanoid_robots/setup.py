# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="humanoid_robots",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_robots"]),
        ("share/humanoid_robots", ["package.xml"]),
        ("share/humanoid_robots/config", glob("config/*.yaml")),
        ("share/humanoid_robots/launch", glob("launch/*.py")),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="The robot behind the commands: a MuJoCo twin with simulated sensors.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "driver = humanoid_robots.driver_node:main",
            "pictures = humanoid_robots.pictures:main",
            "twin = humanoid_robots.twin_node:main",
        ]
    },
)
