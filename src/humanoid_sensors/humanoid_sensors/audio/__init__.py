# SPDX-License-Identifier: Apache-2.0
"""Microphones, without ROS."""
