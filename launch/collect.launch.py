# SPDX-License-Identifier: Apache-2.0
"""A whole cell on one computer: robot and station. Takes the arguments of both; each part can be switched off."""

from launch import LaunchDescription

from humanoid_bringup.launching import include


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([include("robot"), include("station")])
