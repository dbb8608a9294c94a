# SPDX-License-Identifier: Apache-2.0
"""Installs the stand-in for tf2_py and tf2_ros."""

from setuptools import setup

setup(
    name="tf2_ros",
    version="0.1.0",
    packages=["tf2_py", "tf2_ros"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/tf2_ros"]),
        ("share/tf2_ros", ["package.xml"]),
    ],
    install_requires=["setuptools"],
)
