# SPDX-License-Identifier: Apache-2.0
"""Planned motions through MoveIt's Python API."""
