# SPDX-License-Identifier: Apache-2.0
"""Descriptions of parameters."""

from launch._left_out import left_out

from .parameter_descriptions import ParameterFile, ParameterValue  # noqa: F401

__getattr__ = left_out(__name__)
