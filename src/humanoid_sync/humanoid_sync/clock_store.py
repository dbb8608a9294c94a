# SPDX-License-Identifier: Apache-2.0
"""Clock models on disk, so that a restarted node knows its devices' clocks at once."""

from __future__ import annotations

import json
import os
from pathlib import Path

from humanoid_core.errors import HumanoidError
from humanoid_sync.clock_model import ClockModel

_FORMAT = 1


class ClockStoreError(HumanoidError):
    """The file cannot be read or written."""


def save(path: Path, clocks: dict[str, ClockModel]) -> None:
    """Write all models; the file is replaced as a whole.

    Raises:
        ClockStoreError: it cannot be written.
    """
    content = {"format": _FORMAT, "clocks": {name: model.save() for name, model in clocks.items()}}
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(content), encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise ClockStoreError(f"{path}: {error.strerror}; clocks are not kept over a restart") from error


def restore(path: Path, clocks: dict[str, ClockModel]) -> list[str]:
    """Let models go on where they were saved; gives their names. Clocks that the file does not have stay fresh.

    Raises:
        ClockStoreError: the file is there, but is not what `save` writes; all models stay fresh.
    """
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}")
        known = [name for name in clocks if name in content["clocks"]]
        for name in known:
            clocks[name].restore(content["clocks"][name])
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ClockStoreError(f"{path}: found {error!r}, expected saved clocks; they are learnt anew") from error
    return known
