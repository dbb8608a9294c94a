# SPDX-License-Identifier: Apache-2.0
"""Tactile arrays, without ROS."""
