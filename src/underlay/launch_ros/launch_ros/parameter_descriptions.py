# SPDX-License-Identifier: Apache-2.0
"""Parameters of nodes: values with a type, and files."""

import os
from pathlib import Path

from launch._left_out import left_out
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import coerce_to_type, is_substitution

__getattr__ = left_out(__name__)


class ParameterValue:
    """A value of a given type (see `launch.utilities.type_utils`); with str it is not taken as YAML."""

    def __init__(self, value, *, value_type=None):
        if not is_substitution(value) and value_type is not None and not isinstance(value, value_type):
            raise TypeError(f"value='{value}' is not an instance of {value_type}")
        self.value = value
        self.value_type = value_type

    def evaluate(self, context):
        if is_substitution(self.value):
            text = perform_substitutions(context, normalize_to_list_of_substitutions(self.value))
            self.value = coerce_to_type(text, self.value_type)
        return self.value


class ParameterFile:
    """A YAML file of parameters."""

    def __init__(self, param_file, *, allow_substs: bool = False):
        if allow_substs:
            raise NotImplementedError("ParameterFile(allow_substs=True) is left out of this stand-in for ROS 2")
        is_path = isinstance(param_file, os.PathLike)
        self.param_file = [] if is_path else normalize_to_list_of_substitutions(param_file)
        self.__path = Path(param_file) if is_path else None

    def evaluate(self, context) -> Path:
        """Path of the file."""
        return self.__path or Path(perform_substitutions(context, self.param_file))
