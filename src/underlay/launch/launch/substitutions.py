# SPDX-License-Identifier: Apache-2.0
"""Substitutions."""

import math
import os
import shlex
import subprocess
from collections.abc import Iterable

from . import logging
from ._left_out import left_out
from .substitution import Substitution, TextSubstitution  # noqa: F401
from .utilities import normalize_to_list_of_substitutions, perform_substitutions
from .utilities.type_utils import is_substitution

__getattr__ = left_out(__name__)


class SubstitutionFailure(RuntimeError):
    """A substitution could not be performed."""


def describe(subs) -> str:
    """Text of several substitutions for people."""
    return " + ".join(sub.describe() for sub in subs)


class LaunchConfiguration(Substitution):
    """Value of a launch configuration (launch argument)."""

    def __init__(self, variable_name, *, default=None):
        self.variable_name = normalize_to_list_of_substitutions(variable_name)
        self.__default = None
        if default is not None:
            items = default if isinstance(default, Iterable) else (default,)
            texts = [item if isinstance(item, (str, Substitution)) else str(item) for item in items]
            self.__default = normalize_to_list_of_substitutions(texts)

    def describe(self) -> str:
        return f"LaunchConfig({describe(self.variable_name)})"

    def perform(self, context) -> str:
        name = perform_substitutions(context, self.variable_name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self.__default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform_substitutions(context, self.__default)


class Command(Substitution):
    """Output of a command; what becomes of its stderr is one of fail, ignore, warn and capture."""

    def __init__(self, command, *, on_stderr="fail"):
        self.command = normalize_to_list_of_substitutions(command)
        self.on_stderr = normalize_to_list_of_substitutions(on_stderr)

    def describe(self) -> str:
        return f"Command({describe(self.command)})"

    def perform(self, context) -> str:
        command, on_stderr = (perform_substitutions(context, subs) for subs in (self.command, self.on_stderr))
        if on_stderr not in ("fail", "ignore", "warn", "capture"):
            raise SubstitutionFailure("expected 'on_stderr' to be one of: 'fail', 'ignore', 'warn' or 'capture'")
        stderr = subprocess.STDOUT if on_stderr == "capture" else subprocess.PIPE
        try:
            result = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)
        except FileNotFoundError as exc:
            raise SubstitutionFailure(f"file not found: {exc}") from exc
        captured = f"Command: {command}" + (f"\nCaptured stderr output:\n{result.stderr}" if result.stderr else "")
        if result.returncode != 0:
            raise SubstitutionFailure(f"executed command failed. {captured}")
        if result.stderr and on_stderr == "fail":
            raise SubstitutionFailure(f"executed command showed stderr output. {captured}")
        if result.stderr and on_stderr == "warn":
            logging.get_logger("launch").warning(f"executed command showed stderr output. {captured}")
        return result.stdout


class PathJoinSubstitution(Substitution):
    """Parts of a path, joined."""

    def __init__(self, substitutions):
        self.substitutions = normalize_to_list_of_substitutions(substitutions)

    def describe(self) -> str:
        return f"PathJoin('{describe(self.substitutions)}')"

    def perform(self, context) -> str:
        return os.path.join(*[sub.perform(context) for sub in self.substitutions])


class LocalSubstitution(Substitution):
    """Value of an expression on the members of `context.locals`."""

    def __init__(self, expression: str, description: str | None = None):
        self.expression = expression
        self.description = description

    def describe(self) -> str:
        return f"LocalVar('{self.expression if self.description is None else self.description}')"

    def perform(self, context) -> str:
        return eval("context.locals." + self.expression)


class EqualsSubstitution(Substitution):
    """'true' if two values are equal, as booleans or numbers where both are such."""

    def __init__(self, left, right):
        self.left, self.right = (self.__normalize(value) for value in (left, right))

    @staticmethod
    def __normalize(value):
        if not is_substitution(value):
            value = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return normalize_to_list_of_substitutions(value)

    def describe(self) -> str:
        return f"{type(self).__name__}({self.left} {self.right})"

    def _equal(self, context) -> bool:
        left, right = (perform_substitutions(context, side) for side in (self.left, self.right))
        booleans = {"true": True, "1": True, "false": False, "0": False}
        if left.lower() in booleans and right.lower() in booleans:
            return booleans[left.lower()] == booleans[right.lower()]
        try:
            return math.isclose(float(left), float(right))
        except ValueError:
            return left == right

    def perform(self, context) -> str:
        return str(self._equal(context)).lower()


class NotEqualsSubstitution(EqualsSubstitution):
    """'true' if EqualsSubstitution says false."""

    def perform(self, context) -> str:
        return str(not self._equal(context)).lower()
