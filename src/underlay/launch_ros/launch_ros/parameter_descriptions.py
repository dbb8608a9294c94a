# SPDX-License-Identifier: Apache-2.0
"""Parameters of nodes: values with a type, and files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from launch.launch_context import LaunchContext
from launch.some_substitutions_type import SomeSubstitutionsType, SomeSubstitutionsType_types_tuple
from launch.substitution import Substitution
from launch.utilities import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import normalize_typed_substitution, perform_typed_substitution


class ParameterValue:
    """A value of a given type; with str it is not taken as YAML.

    Args:
        value: Scalar, list or substitutions.
        value_type: int, float, bool, str, `List[...]` of one of these, or None for what YAML makes of it.
    """

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.value = normalize_typed_substitution(value, value_type)
        self.value_type = value_type

    def __str__(self) -> str:
        return f"launch_ros.description.ParameterValue(value={self.value}, value_type={self.value_type})"

    def evaluate(self, context: LaunchContext) -> Any:
        """The value."""
        self.value = perform_typed_substitution(context, self.value, self.value_type)
        return self.value


class Parameter:
    """A parameter with name and value, handed to the node as `-p name:=value`."""

    def __init__(self, name: SomeSubstitutionsType, value: Any, *, value_type: Any = None) -> None:
        ensure_argument_type(name, SomeSubstitutionsType_types_tuple, "name")
        self.name: Any = normalize_to_list_of_substitutions(name)
        self.__value = ParameterValue(value, value_type=value_type)
        self.__evaluated: tuple[str, Any] | None = None

    @property
    def value(self) -> Any:
        """The value, evaluated if `evaluate` was called."""
        return self.__value.value

    @property
    def value_type(self) -> Any:
        """The type asked for."""
        return self.__value.value_type

    def __str__(self) -> str:
        return (
            f"launch_ros.description.Parameter(name={self.name}, value={self.value}, value_type={self.value_type})"
        )

    def evaluate(self, context: LaunchContext) -> tuple[str, Any]:
        """Name and value."""
        if self.__evaluated is None:
            self.name = perform_substitutions(context, self.name)
            self.__evaluated = (self.name, self.__value.evaluate(context))
        return self.__evaluated


class ParameterFile:
    """A YAML file of parameters.

    Raises:
        NotImplementedError: `allow_substs`, which this stand-in leaves out.
    """

    def __init__(
        self, param_file: os.PathLike | bytes | SomeSubstitutionsType, *, allow_substs: bool = False
    ) -> None:
        types = (*SomeSubstitutionsType_types_tuple, os.PathLike, bytes)
        ensure_argument_type(param_file, types, "param_file", "ParameterFile()")
        ensure_argument_type(allow_substs, bool, "allow_subst", "ParameterFile()")
        if allow_substs:
            raise NotImplementedError("ParameterFile(allow_substs=True) is left out of this stand-in")
        self.allow_substs = allow_substs
        self.param_file: Path | list[Substitution]
        if isinstance(param_file, (os.PathLike, bytes)):
            self.param_file = Path(os.fsdecode(param_file))
        else:
            assert isinstance(param_file, Iterable) or isinstance(param_file, Substitution)
            self.param_file = normalize_to_list_of_substitutions(param_file)

    def __str__(self) -> str:
        return f"launch_ros.description.ParameterFile(param_file={self.param_file}, allow_substs={self.allow_substs})"

    def evaluate(self, context: LaunchContext) -> Path:
        """Path of the file."""
        if not isinstance(self.param_file, Path):
            self.param_file = Path(perform_substitutions(context, self.param_file))
        return self.param_file

    def cleanup(self) -> None:
        """Nothing is left behind."""
