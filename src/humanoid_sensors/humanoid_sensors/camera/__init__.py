# SPDX-License-Identifier: Apache-2.0
"""Cameras: pictures with the time of their exposure and their calibration, without ROS."""
