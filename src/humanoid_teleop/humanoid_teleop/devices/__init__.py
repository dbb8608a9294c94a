# SPDX-License-Identifier: Apache-2.0
"""Devices of an operator, without ROS; motion capture and the headset have rooms of their own."""
