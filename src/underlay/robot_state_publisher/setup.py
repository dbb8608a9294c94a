# SPDX-License-Identifier: Apache-2.0
"""Installs the stand-in for robot_state_publisher."""

from setuptools import setup

setup(
    name="robot_state_publisher",
    version="0.1.0",
    packages=["robot_state_publisher"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/robot_state_publisher"]),
        ("share/robot_state_publisher", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    entry_points={"console_scripts": ["robot_state_publisher = robot_state_publisher.robot_state_publisher_node:main"]},
)
