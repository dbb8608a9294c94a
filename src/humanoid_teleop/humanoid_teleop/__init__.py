# SPDX-License-Identifier: Apache-2.0
"""Operator devices, and the retargeting of what a person does onto a robot's joints."""
