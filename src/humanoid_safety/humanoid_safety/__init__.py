# SPDX-License-Identifier: Apache-2.0
"""Safety limiter and arbiter of joint-target sources: the last hop before the robot."""
