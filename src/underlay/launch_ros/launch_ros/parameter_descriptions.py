# SPDX-License-Identifier: Apache-2.0
"""Parameters of nodes: values with a type, and files."""

import os
from collections.abc import Sequence
from pathlib import Path

from launch._left_out import left_out
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch.utilities.type_utils import coerce_to_type, extract_type, is_instance_of, is_substitution

__getattr__ = left_out(__name__)


class ParameterValue:
    """A value of a given type (see `launch.utilities.type_utils`); with str it is not taken as YAML."""

    def __init__(self, value, *, value_type=None):
        self.__texts = isinstance(value, Sequence) and any(is_substitution(item) for item in value)
        if is_substitution(value):
            value = normalize_to_list_of_substitutions(value)
        elif self.__texts and not any(isinstance(item, Substitution) for item in value):
            value = [normalize_to_list_of_substitutions(item) for item in value]
        elif value_type is not None and not is_instance_of(value, value_type):
            raise TypeError(f"value='{value}' is not an instance of {value_type}")
        self.value = value
        self.value_type = value_type
        self.__evaluated = False

    def evaluate(self, context):
        if not self.__evaluated and is_substitution(self.value):
            self.value = coerce_to_type(perform_substitutions(context, self.value), self.value_type)
        elif not self.__evaluated and self.__texts:
            item_type = None if self.value_type is None else extract_type(self.value_type)[0]
            self.value = [coerce_to_type(perform_substitutions(context, item), item_type) for item in self.value]
        self.__evaluated = True
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
