# SPDX-License-Identifier: Apache-2.0
"""The parts that planning is made of."""
