# SPDX-License-Identifier: Apache-2.0
"""LiDARs: datagrams of the makers' published protocols into sweeps of points, without ROS."""
