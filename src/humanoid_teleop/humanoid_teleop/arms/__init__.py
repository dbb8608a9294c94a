# SPDX-License-Identifier: Apache-2.0
"""The way to the joints: kinematics, limits, collisions and the solver of one step."""
