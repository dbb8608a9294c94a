# SPDX-License-Identifier: Apache-2.0
"""Installs the stand-in for moveit_py."""

from setuptools import setup

setup(
    name="moveit_py",
    version="0.1.0",
    packages=["moveit", "moveit.core"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/moveit_py"]),
        ("share/moveit_py", ["package.xml"]),
    ],
    install_requires=["setuptools"],
)
