# SPDX-License-Identifier: Apache-2.0
"""What people see of a robot at work."""
