# SPDX-License-Identifier: Apache-2.0
"""The robot behind the commands."""
