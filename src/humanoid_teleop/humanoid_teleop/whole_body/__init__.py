# SPDX-License-Identifier: Apache-2.0
"""Pelvis, legs and arms of a legged robot, for references."""
