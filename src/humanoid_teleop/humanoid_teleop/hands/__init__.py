# SPDX-License-Identifier: Apache-2.0
"""Fingers and grippers."""
