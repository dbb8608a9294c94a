# SPDX-License-Identifier: Apache-2.0
"""Errors of this package."""

from xml.etree.ElementTree import Element

from humanoid_core.errors import HumanoidError


class DescriptionError(HumanoidError):
    """A robot model cannot be used.

    Args:
        file: The model file.
        found: What is wrong in it.
        expected: What should be there.
    """

    def __init__(self, file: object, found: object, expected: str) -> None:
        self.file = str(file)
        super().__init__(f"{file}: found {found}, expected {expected}")


def child(element: Element, tag: str) -> Element:
    """The first child of an XML element by its tag.

    Raises:
        DescriptionError: there is none.
    """
    found = element.find(tag)
    if found is None:
        raise DescriptionError(f"<{element.tag} name={element.get('name', '')!r}>", "nothing", f"a <{tag}> inside")
    return found
