# SPDX-License-Identifier: Apache-2.0
"""Stand-in for the `ros2` command; each module is one of its commands."""
