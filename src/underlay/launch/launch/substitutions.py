# SPDX-License-Identifier: Apache-2.0
"""Substitutions."""

from __future__ import annotations

import importlib
import math
import os
import random
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from . import logging
from ._left_out import left_out
from .launch_context import LaunchContext
from .some_substitutions_type import SomeSubstitutionsType
from .substitution import Substitution, TextSubstitution
from .utilities import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions
from .utilities.type_utils import is_substitution, perform_typed_substitution

__all__ = [
    "AllSubstitution",
    "AndSubstitution",
    "AnonName",
    "AnySubstitution",
    "Command",
    "EnvironmentVariable",
    "EqualsSubstitution",
    "FindExecutable",
    "IfElseSubstitution",
    "LaunchConfiguration",
    "LaunchLogDir",
    "LocalSubstitution",
    "NotEqualsSubstitution",
    "NotSubstitution",
    "OrSubstitution",
    "PathJoinSubstitution",
    "PythonExpression",
    "SubstitutionFailure",
    "TextSubstitution",
    "ThisLaunchFile",
    "ThisLaunchFileDir",
]

__getattr__ = left_out(__name__, "FileContent")


class SubstitutionFailure(RuntimeError):
    """A substitution could not be performed."""


def _describe(subs: Iterable[Substitution]) -> str:
    return " + ".join(sub.describe() for sub in subs)


def _texts(value: Any) -> list[Substitution]:
    """Substitutions from a default value, which may be or contain any objects."""
    items = value if isinstance(value, Iterable) else (value,)
    return normalize_to_list_of_substitutions(
        [item if isinstance(item, (str, Substitution)) else str(item) for item in items]
    )


class LaunchConfiguration(Substitution):
    """Value of a launch configuration (launch argument)."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        super().__init__()
        self.variable_name = normalize_to_list_of_substitutions(variable_name)
        self.__default = None if default is None else _texts(default)

    def describe(self) -> str:
        return f"LaunchConfig({_describe(self.variable_name)})"

    def perform(self, context: LaunchContext) -> str:
        name = perform_substitutions(context, self.variable_name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self.__default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform_substitutions(context, self.__default)


class EnvironmentVariable(Substitution):
    """Value of an environment variable."""

    def __init__(self, name: SomeSubstitutionsType, *, default_value: SomeSubstitutionsType | None = None) -> None:
        super().__init__()
        self.name = normalize_to_list_of_substitutions(name)
        self.default_value = None if default_value is None else normalize_to_list_of_substitutions(default_value)

    def describe(self) -> str:
        return f"EnvVar({_describe(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        name = perform_substitutions(context, self.name)
        if name in context.environment:
            return context.environment[name]
        if self.default_value is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform_substitutions(context, self.default_value)


class PathJoinSubstitution(Substitution):
    """Parts of a path, joined."""

    def __init__(self, substitutions: Iterable[str | Substitution]) -> None:
        self.substitutions = normalize_to_list_of_substitutions(substitutions)

    def describe(self) -> str:
        return f"PathJoin('{_describe(self.substitutions)}')"

    def perform(self, context: LaunchContext) -> str:
        return os.path.join(*[sub.perform(context) for sub in self.substitutions])


class PythonExpression(Substitution):
    """Value of a Python expression, in which the members of math and the modules named are known."""

    def __init__(
        self, expression: SomeSubstitutionsType, python_modules: SomeSubstitutionsType = ("math",)
    ) -> None:
        super().__init__()
        ensure_argument_type(expression, (str, Substitution, Iterable), "expression", "PythonExpression")
        ensure_argument_type(python_modules, (str, Substitution, Iterable), "python_modules", "PythonExpression")
        self.expression = normalize_to_list_of_substitutions(expression)
        self.python_modules = normalize_to_list_of_substitutions(python_modules)

    def describe(self) -> str:
        modules = ", ".join(sub.describe() for sub in self.python_modules)
        return f"PythonExpr({_describe(self.expression)}, [{modules}])"

    def perform(self, context: LaunchContext) -> str:
        names: dict[str, Any] = {}
        for module in [importlib.import_module(sub.perform(context)) for sub in self.python_modules]:
            if module is math:
                names.update(vars(math))
            names[module.__name__] = module
        return str(eval(perform_substitutions(context, self.expression), {}, names))


class LocalSubstitution(Substitution):
    """Value of an expression on the members of `context.locals`."""

    def __init__(self, expression: str, description: str | None = None) -> None:
        super().__init__()
        ensure_argument_type(expression, str, "expression", "LocalSubstitution")
        self.expression = expression
        self.description = description

    def describe(self) -> str:
        return f"LocalVar('{self.expression if self.description is None else self.description}')"

    def perform(self, context: LaunchContext) -> str:
        return eval("context.locals." + self.expression)


class Command(Substitution):
    """Output of a command; output on stderr makes it fail unless `on_stderr` is ignore, warn or capture."""

    def __init__(self, command: SomeSubstitutionsType, *, on_stderr: SomeSubstitutionsType = "fail") -> None:
        super().__init__()
        self.command = normalize_to_list_of_substitutions(command)
        self.on_stderr = normalize_to_list_of_substitutions(on_stderr)

    def describe(self) -> str:
        return f"Command({_describe(self.command)})"

    def perform(self, context: LaunchContext) -> str:
        command = perform_substitutions(context, self.command)
        on_stderr = perform_substitutions(context, self.on_stderr)
        if on_stderr not in ("fail", "ignore", "warn", "capture"):
            raise SubstitutionFailure("expected 'on_stderr' to be one of: 'fail', 'ignore', 'warn' or 'capture'")
        stderr = subprocess.STDOUT if on_stderr == "capture" else subprocess.PIPE
        try:
            result = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)
        except FileNotFoundError as exc:
            raise SubstitutionFailure(f"file not found: {exc}") from exc
        if result.returncode != 0:
            message = f"executed command failed. Command: {command}"
            if result.stderr:
                message += f"\nCaptured stderr output: {result.stderr}"
            raise SubstitutionFailure(message)
        if result.stderr and on_stderr in ("fail", "warn"):
            message = (
                f"executed command showed stderr output. Command: {command}\nCaptured stderr output:\n{result.stderr}"
            )
            if on_stderr == "fail":
                raise SubstitutionFailure(message)
            logging.get_logger().warning(message)
        return result.stdout


class FindExecutable(Substitution):
    """Path of an executable on the PATH."""

    def __init__(self, *, name: SomeSubstitutionsType) -> None:
        super().__init__()
        self.name = normalize_to_list_of_substitutions(name)

    def describe(self) -> str:
        return f"FindExec({_describe(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        result = shutil.which(perform_substitutions(context, self.name))
        if result is None:
            raise SubstitutionFailure(f"executable '{self.name}' not found on the PATH")
        return result


class AnonName(Substitution):
    """The name given, made unique: the same whenever it is performed in one launch."""

    def __init__(self, name: SomeSubstitutionsType) -> None:
        super().__init__()
        self.name = normalize_to_list_of_substitutions(name)

    def describe(self) -> str:
        return f"AnonName({_describe(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        name = perform_substitutions(context, self.name)
        return context.launch_configurations.setdefault("anon" + name, self.compute_name(name))

    def compute_name(self, id_value: str) -> str:
        """A unique name that is valid as a ROS name."""
        name = f"{id_value}_{socket.gethostname()}_{os.getpid()}_{random.randint(0, sys.maxsize)}"
        return name.translate(str.maketrans(".-:", "___"))


class LaunchLogDir(Substitution):
    """Folder of this launch's log files."""

    def describe(self) -> str:
        return "LaunchLogDir()"

    def perform(self, context: LaunchContext) -> str:
        return logging.launch_config.log_dir


class ThisLaunchFile(Substitution):
    """Path of the launch file in which this stands."""

    def describe(self) -> str:
        return "ThisLaunchFile()"

    def perform(self, context: LaunchContext) -> str:
        if "current_launch_file_path" not in context.get_locals_as_dict():
            raise SubstitutionFailure("ThisLaunchFile used outside of a launch file (in a script)")
        return context.locals.current_launch_file_path


class ThisLaunchFileDir(Substitution):
    """Folder of the launch file in which this stands."""

    def describe(self) -> str:
        return "ThisLaunchFileDir()"

    def perform(self, context: LaunchContext) -> str:
        if "current_launch_file_directory" not in context.get_locals_as_dict():
            raise SubstitutionFailure("ThisLaunchFileDir used outside of a launch file (in a script)")
        return context.locals.current_launch_file_directory


def _boolean(context: LaunchContext, subs: list[Substitution]) -> bool:
    try:
        return perform_typed_substitution(context, subs, bool)
    except (TypeError, ValueError) as exc:
        raise SubstitutionFailure(exc) from exc


class NotSubstitution(Substitution):
    """'true' or 'false': the opposite of a value."""

    def __init__(self, value: SomeSubstitutionsType) -> None:
        super().__init__()
        self.value = normalize_to_list_of_substitutions(value)

    def describe(self) -> str:
        return f"NotSubstitution({self.value})"

    def perform(self, context: LaunchContext) -> str:
        return str(not _boolean(context, self.value)).lower()


class AnySubstitution(Substitution):
    """'true' if any of the values is true."""

    _reduce = staticmethod(any)

    def __init__(self, *args: SomeSubstitutionsType) -> None:
        super().__init__()
        self.args = [normalize_to_list_of_substitutions(arg) for arg in args]

    def describe(self) -> str:
        return f"{type(self).__name__}({' '.join(str(arg) for arg in self.args)})"

    def perform(self, context: LaunchContext) -> str:
        return str(self._reduce([_boolean(context, arg) for arg in self.args])).lower()


class AllSubstitution(AnySubstitution):
    """'true' if all of the values are true."""

    _reduce = staticmethod(all)


class OrSubstitution(AnySubstitution):
    """'true' if either value is true."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        super().__init__(left, right)
        self.left, self.right = self.args


class AndSubstitution(AllSubstitution):
    """'true' if both values are true."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        super().__init__(left, right)
        self.left, self.right = self.args


class EqualsSubstitution(Substitution):
    """'true' if two values are equal, as booleans or numbers where both are such."""

    def __init__(self, left: Any, right: Any) -> None:
        super().__init__()
        self.left, self.right = (self.__normalize(value) for value in (left, right))

    @staticmethod
    def __normalize(value: Any) -> list[Substitution]:
        if is_substitution(value):
            return normalize_to_list_of_substitutions(value)
        if value is None:
            return normalize_to_list_of_substitutions("")
        return normalize_to_list_of_substitutions(str(value).lower() if isinstance(value, bool) else str(value))

    def describe(self) -> str:
        return f"{type(self).__name__}({self.left} {self.right})"

    def _equal(self, context: LaunchContext) -> bool:
        left, right = (perform_substitutions(context, side) for side in (self.left, self.right))
        booleans = {"true": True, "1": True, "false": False, "0": False}
        if left.lower() in booleans and right.lower() in booleans:
            return booleans[left.lower()] == booleans[right.lower()]
        try:
            return math.isclose(float(left), float(right))
        except ValueError:
            return left == right

    def perform(self, context: LaunchContext) -> str:
        return str(self._equal(context)).lower()


class NotEqualsSubstitution(EqualsSubstitution):
    """'true' if EqualsSubstitution says false."""

    def perform(self, context: LaunchContext) -> str:
        return str(not self._equal(context)).lower()


class IfElseSubstitution(Substitution):
    """One of two values, by a condition."""

    def __init__(
        self,
        condition: SomeSubstitutionsType,
        if_value: SomeSubstitutionsType = "",
        else_value: SomeSubstitutionsType = "",
    ) -> None:
        super().__init__()
        if if_value == else_value == "":
            raise RuntimeError("One of if_value and else_value must be specified")
        self.condition = normalize_to_list_of_substitutions(condition)
        self.if_value = normalize_to_list_of_substitutions(if_value)
        self.else_value = normalize_to_list_of_substitutions(else_value)

    def describe(self) -> str:
        return f"IfElseSubstitution({self.condition}, {self.if_value}, {self.else_value})"

    def perform(self, context: LaunchContext) -> str:
        return perform_substitutions(context, self.if_value if _boolean(context, self.condition) else self.else_value)
