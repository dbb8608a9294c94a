# SPDX-License-Identifier: Apache-2.0
"""IMUs of their own, without ROS."""
