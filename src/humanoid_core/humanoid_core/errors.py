# SPDX-License-Identifier: Apache-2.0
"""Errors of the workspace. Each says what was found, where, and what was expected."""


class HumanoidError(Exception):
    """Base of every error that this workspace raises on purpose."""


class ConfigError(HumanoidError):
    """A configuration value is missing, unknown or wrong.

    Args:
        file: Path of the file, or the name of the node for a parameter.
        key: Full dotted key, or "" for the file as a whole.
        found: What is there.
        expected: What should be there.
    """

    def __init__(self, file: object, key: str, found: object, expected: str) -> None:
        self.file = str(file)
        self.key = key
        self.found = found
        self.expected = expected
        where = f"{self.file}: {key}" if key else self.file
        super().__init__(f"{where}: found {found}, expected {expected}")


class MessageError(HumanoidError):
    """A message cannot be used: names, sizes or values do not fit.

    Args:
        topic: Topic or kind of the message.
        found: What it carries.
        expected: What it should carry.
    """

    def __init__(self, topic: str, found: object, expected: str) -> None:
        self.topic = topic
        self.found = found
        self.expected = expected
        super().__init__(f"{topic}: found {found}, expected {expected}")
