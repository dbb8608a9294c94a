# SPDX-License-Identifier: Apache-2.0
"""Meshes of a maker's URDF: names that everybody finds, whoever reads the URDF from wherever."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

from humanoid_description.sources import PACKAGE_SCHEME, find_file

FILE_SCHEME = "file://"


def anchored(urdf: str, folder: Path) -> str:
    """URDF text whose mesh names, where they are relative to the URDF's folder, are file URIs (as RViz wants them)."""

    def anchor(name: str) -> str:
        return name if "://" in name else FILE_SCHEME + str((folder / name).resolve())

    return _renamed(urdf, anchor)


def on_disk(urdf: str) -> str:
    """URDF text whose mesh names are plain paths, as MuJoCo wants them.

    Raises:
        DescriptionError: a mesh lies in a package that is not installed.
    """

    def locate(name: str) -> str:
        return str(find_file(name)) if name.startswith(PACKAGE_SCHEME) else name.removeprefix(FILE_SCHEME)

    return _renamed(urdf, locate)


def _renamed(urdf: str, rename: Callable[[str], str]) -> str:
    if "<mesh" not in urdf:
        return urdf
    root = ElementTree.fromstring(urdf)
    for mesh in root.iter("mesh"):
        mesh.set("filename", rename(mesh.attrib["filename"]))
    return ElementTree.tostring(root, encoding="unicode")
