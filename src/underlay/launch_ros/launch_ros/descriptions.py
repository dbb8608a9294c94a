# SPDX-License-Identifier: Apache-2.0
"""Descriptions of what nodes get."""

from launch._left_out import left_out

from .parameter_descriptions import Parameter, ParameterFile, ParameterValue  # noqa: F401

__getattr__ = left_out(__name__, "ComposableNode")
