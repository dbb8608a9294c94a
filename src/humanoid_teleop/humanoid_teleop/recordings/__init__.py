# SPDX-License-Identifier: Apache-2.0
"""Recorded people: files, skeletons and bags, played as a device would send them."""
