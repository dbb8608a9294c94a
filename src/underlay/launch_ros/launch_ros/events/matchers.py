# SPDX-License-Identifier: Apache-2.0
"""Matchers of nodes."""


def matches_node_name(node_name: str):
    """Matcher of nodes by their full name."""
    full_name = node_name if node_name.startswith("/") else f"/{node_name}"
    return lambda action: action.node_name == full_name
