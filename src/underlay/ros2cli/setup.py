# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="ros2cli",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/ros2cli"]),
        ("share/ros2cli", ["package.xml"]),
    ],
    install_requires=["setuptools", "PyYAML"],
    entry_points={"console_scripts": ["ros2 = ros2cli.cli:main"]},
)
