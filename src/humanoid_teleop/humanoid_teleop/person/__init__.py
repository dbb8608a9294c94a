# SPDX-License-Identifier: Apache-2.0
"""What the person does, as the robot is to do it: hygiene, measures, scaling, filters."""
