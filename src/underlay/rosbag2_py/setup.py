# SPDX-License-Identifier: Apache-2.0
"""Installs the stand-in for rosbag2_py."""

from setuptools import setup

setup(
    name="rosbag2_py",
    version="0.1.0",
    packages=["rosbag2_py"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/rosbag2_py"]),
        ("share/rosbag2_py", ["package.xml"]),
    ],
    install_requires=["setuptools"],
)
