# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="launch_ros",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/launch_ros"]),
        ("share/launch_ros", ["package.xml"]),
    ],
    install_requires=["setuptools", "PyYAML"],
)
