# SPDX-License-Identifier: Apache-2.0
"""Events of nodes."""

from . import lifecycle as lifecycle
from .matchers import matches_node_name as matches_node_name
