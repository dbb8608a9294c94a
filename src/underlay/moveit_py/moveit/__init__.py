# SPDX-License-Identifier: Apache-2.0
"""Stand-in for MoveIt's Python API: robot model and state, planning scene, planning, execution."""
