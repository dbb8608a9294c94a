# SPDX-License-Identifier: Apache-2.0
"""Parameters of nodes: values with a type, and files."""

import os
from pathlib import Path
from typing import Any

from launch.some_substitutions_type import SomeSubstitutionsType_types_tuple
from launch.utilities import ensure_argument_type, normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import normalize_typed_substitution, perform_typed_substitution


class ParameterValue:
    """A value of a given type (see `launch.utilities.type_utils`); with str it is not taken as YAML."""

    def __init__(self, value, *, value_type=None):
        self.value = normalize_typed_substitution(value, value_type)
        self.value_type = value_type

    def evaluate(self, context):
        self.value = perform_typed_substitution(context, self.value, self.value_type)
        return self.value


class Parameter:
    """A parameter with name and value, handed to the node as `-p name:=value`."""

    def __init__(self, name, value, *, value_type=None):
        ensure_argument_type(name, SomeSubstitutionsType_types_tuple, "name")
        self.name: Any = normalize_to_list_of_substitutions(name)
        self.__value = ParameterValue(value, value_type=value_type)
        self.value_type = value_type

    @property
    def value(self):
        return self.__value.value

    def evaluate(self, context) -> tuple:
        """Name and value."""
        if not isinstance(self.name, str):
            self.name = perform_substitutions(context, self.name)
        return self.name, self.__value.evaluate(context)


class ParameterFile:
    """A YAML file of parameters."""

    def __init__(self, param_file, *, allow_substs: bool = False):
        types = (*SomeSubstitutionsType_types_tuple, os.PathLike, bytes)
        ensure_argument_type(param_file, types, "param_file", "ParameterFile()")
        ensure_argument_type(allow_substs, bool, "allow_subst", "ParameterFile()")
        if allow_substs:
            raise NotImplementedError("launch_ros's ParameterFile(allow_substs=True) is left out of this stand-in")
        is_path = isinstance(param_file, (os.PathLike, bytes))
        self.param_file = Path(os.fsdecode(param_file)) if is_path else normalize_to_list_of_substitutions(param_file)

    def evaluate(self, context) -> Path:
        """Path of the file."""
        if not isinstance(self.param_file, Path):
            self.param_file = Path(perform_substitutions(context, self.param_file))
        return self.param_file
