# SPDX-License-Identifier: Apache-2.0
"""Message definitions, as every part of the workspace looks them up."""

from humanoid_core.definitions import DefinitionError, full_text, type_hash

__all__ = ["DefinitionError", "full_text", "type_hash"]
