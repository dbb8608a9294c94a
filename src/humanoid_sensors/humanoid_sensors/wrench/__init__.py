# SPDX-License-Identifier: Apache-2.0
"""Six-axis force sensors, without ROS."""
