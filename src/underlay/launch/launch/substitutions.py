# SPDX-License-Identifier: Apache-2.0
"""Substitutions."""

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

from . import logging
from ._left_out import left_out
from .substitution import Substitution, TextSubstitution  # noqa: F401
from .utilities import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions
from .utilities.type_utils import is_substitution, perform_typed_substitution

__getattr__ = left_out(__name__, "FileContent")


class SubstitutionFailure(RuntimeError):
    """A substitution could not be performed."""


def _describe(subs) -> str:
    return " + ".join(sub.describe() for sub in subs)


class _Named(Substitution):
    """Base of what is worked out from one text, under whatever name upstream has that text as an attribute."""

    label = attribute = ""

    def __init__(self, text):
        setattr(self, self.attribute, normalize_to_list_of_substitutions(text))

    def describe(self) -> str:
        return f"{self.label}({_describe(getattr(self, self.attribute))})"

    def text(self, context) -> str:
        return perform_substitutions(context, getattr(self, self.attribute))


class LaunchConfiguration(_Named):
    """Value of a launch configuration (launch argument)."""

    label, attribute = "LaunchConfig", "variable_name"

    def __init__(self, variable_name, *, default=None):
        super().__init__(variable_name)
        self.__default = None
        if default is not None:
            items = default if isinstance(default, Iterable) else (default,)
            texts = [item if isinstance(item, (str, Substitution)) else str(item) for item in items]
            self.__default = normalize_to_list_of_substitutions(texts)

    def perform(self, context) -> str:
        name = self.text(context)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self.__default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform_substitutions(context, self.__default)


class EnvironmentVariable(_Named):
    """Value of an environment variable."""

    label, attribute = "EnvVar", "name"

    def __init__(self, name, *, default_value=None):
        super().__init__(name)
        self.default_value = None if default_value is None else normalize_to_list_of_substitutions(default_value)

    def perform(self, context) -> str:
        name = self.text(context)
        if name in context.environment:
            return context.environment[name]
        if self.default_value is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform_substitutions(context, self.default_value)


class Command(_Named):
    """Output of a command; output on stderr makes it fail unless `on_stderr` is ignore, warn or capture."""

    label, attribute = "Command", "command"

    def __init__(self, command, *, on_stderr="fail"):
        super().__init__(command)
        self.on_stderr = normalize_to_list_of_substitutions(on_stderr)

    def perform(self, context) -> str:
        command, on_stderr = self.text(context), perform_substitutions(context, self.on_stderr)
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
            logging.get_logger().warning(f"executed command showed stderr output. {captured}")
        return result.stdout


class FindExecutable(_Named):
    """Path of an executable on the PATH."""

    label, attribute = "FindExec", "name"

    def __init__(self, *, name):
        super().__init__(name)

    def perform(self, context) -> str:
        result = shutil.which(self.text(context))
        if result is None:
            raise SubstitutionFailure(f"executable '{self.text(context)}' not found on the PATH")
        return result


class AnonName(_Named):
    """The name given, made unique: the same whenever it is performed in one launch."""

    label, attribute = "AnonName", "name"

    def __init__(self, name):
        super().__init__(name)

    def perform(self, context) -> str:
        name = self.text(context)
        return context.launch_configurations.setdefault("anon" + name, self.compute_name(name))

    def compute_name(self, id_value: str) -> str:
        name = f"{id_value}_{socket.gethostname()}_{os.getpid()}_{random.randint(0, sys.maxsize)}"
        return name.translate(str.maketrans(".-:", "___"))


class PathJoinSubstitution(Substitution):
    """Parts of a path, joined."""

    def __init__(self, substitutions):
        self.substitutions = normalize_to_list_of_substitutions(substitutions)

    def describe(self) -> str:
        return f"PathJoin('{_describe(self.substitutions)}')"

    def perform(self, context) -> str:
        return os.path.join(*[sub.perform(context) for sub in self.substitutions])


class PythonExpression(Substitution):
    """Value of a Python expression, in which the members of math and the modules named are known."""

    def __init__(self, expression, python_modules=("math",)):
        ensure_argument_type(expression, (str, Substitution, Iterable), "expression", "PythonExpression")
        ensure_argument_type(python_modules, (str, Substitution, Iterable), "python_modules", "PythonExpression")
        self.expression = normalize_to_list_of_substitutions(expression)
        self.python_modules = normalize_to_list_of_substitutions(python_modules)

    def describe(self) -> str:
        modules = ", ".join(sub.describe() for sub in self.python_modules)
        return f"PythonExpr({_describe(self.expression)}, [{modules}])"

    def perform(self, context) -> str:
        wanted = [sub.perform(context) for sub in self.python_modules]
        modules = {name: importlib.import_module(name) for name in wanted}
        names = {**(vars(math) if "math" in modules else {}), **modules}
        return str(eval(perform_substitutions(context, self.expression), {}, names))


class LocalSubstitution(Substitution):
    """Value of an expression on the members of `context.locals`."""

    def __init__(self, expression: str, description: str | None = None):
        ensure_argument_type(expression, str, "expression", "LocalSubstitution")
        self.expression = expression
        self.description = description

    def describe(self) -> str:
        return f"LocalVar('{self.expression if self.description is None else self.description}')"

    def perform(self, context) -> str:
        return eval("context.locals." + self.expression)


class LaunchLogDir(Substitution):
    """Folder of this launch's log files."""

    def describe(self) -> str:
        return "LaunchLogDir()"

    def perform(self, context) -> str:
        return logging.launch_config.log_dir


class ThisLaunchFile(Substitution):
    """Path of the launch file in which this stands."""

    local = "current_launch_file_path"

    def describe(self) -> str:
        return f"{type(self).__name__}()"

    def perform(self, context) -> str:
        if self.local not in context.get_locals_as_dict():
            raise SubstitutionFailure(f"{type(self).__name__} used outside of a launch file (in a script)")
        return getattr(context.locals, self.local)


class ThisLaunchFileDir(ThisLaunchFile):
    """Folder of the launch file in which this stands."""

    local = "current_launch_file_directory"


def _boolean(context, subs) -> bool:
    try:
        return perform_typed_substitution(context, subs, bool)
    except (TypeError, ValueError) as exc:
        raise SubstitutionFailure(exc) from exc


class NotSubstitution(Substitution):
    """'true' or 'false': the opposite of a value."""

    def __init__(self, value):
        self.value = normalize_to_list_of_substitutions(value)

    def describe(self) -> str:
        return f"NotSubstitution({self.value})"

    def perform(self, context) -> str:
        return str(not _boolean(context, self.value)).lower()


class AnySubstitution(Substitution):
    """'true' if any of the values is true."""

    _reduce = staticmethod(any)

    def __init__(self, *args):
        self.args = [normalize_to_list_of_substitutions(arg) for arg in args]

    def describe(self) -> str:
        return f"{type(self).__name__}({' '.join(str(arg) for arg in self.args)})"

    def perform(self, context) -> str:
        return str(self._reduce([_boolean(context, arg) for arg in self.args])).lower()


class AllSubstitution(AnySubstitution):
    """'true' if all of the values are true."""

    _reduce = staticmethod(all)


class OrSubstitution(AnySubstitution):
    """'true' if either value is true."""

    def __init__(self, left, right):
        super().__init__(left, right)
        self.left, self.right = self.args


class AndSubstitution(AllSubstitution):
    """'true' if both values are true."""

    def __init__(self, left, right):
        super().__init__(left, right)
        self.left, self.right = self.args


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


class IfElseSubstitution(Substitution):
    """One of two values, by a condition."""

    def __init__(self, condition, if_value="", else_value=""):
        if if_value == else_value == "":
            raise RuntimeError("One of if_value and else_value must be specified")
        self.condition = normalize_to_list_of_substitutions(condition)
        self.if_value = normalize_to_list_of_substitutions(if_value)
        self.else_value = normalize_to_list_of_substitutions(else_value)

    def describe(self) -> str:
        return f"IfElseSubstitution({self.condition}, {self.if_value}, {self.else_value})"

    def perform(self, context) -> str:
        return perform_substitutions(context, self.if_value if _boolean(context, self.condition) else self.else_value)
