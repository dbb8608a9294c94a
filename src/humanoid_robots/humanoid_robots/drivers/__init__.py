# SPDX-License-Identifier: Apache-2.0
"""Drivers of real robots: the makers' protocols behind joint_commands and joint_states."""
