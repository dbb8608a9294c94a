# SPDX-License-Identifier: Apache-2.0
"""Substitutions by packages."""

from __future__ import annotations

import os
import shutil
from typing import Any

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.launch_context import LaunchContext
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

__all__ = ["ExecutableInPackage", "FindPackage", "FindPackagePrefix", "FindPackageShare", "Parameter"]


def _describe(subs: list[Substitution]) -> str:
    return " + ".join(sub.describe() for sub in subs)


class FindPackage(Substitution):
    """Base of the substitutions that find a package."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        super().__init__()
        self.package = normalize_to_list_of_substitutions(package)

    def find(self, package_name: str) -> str:
        """Path asked for."""
        raise NotImplementedError

    def describe(self) -> str:
        return f"{type(self).__name__}(pkg={_describe(self.package)})"

    def perform(self, context: LaunchContext) -> str:
        return self.find(perform_substitutions(context, self.package))


class FindPackagePrefix(FindPackage):
    """Prefix under which a package is installed."""

    def find(self, package_name: str) -> str:
        return get_package_prefix(package_name)


class FindPackageShare(FindPackage):
    """A package's share folder."""

    def find(self, package_name: str) -> str:
        return get_package_share_directory(package_name)


class ExecutableInPackage(FindPackagePrefix):
    """Path of a package's executable."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        super().__init__(package)
        self.executable = normalize_to_list_of_substitutions(executable)

    def describe(self) -> str:
        return f"ExecInPkg(pkg={_describe(self.package)}, exec={_describe(self.executable)})"

    def perform(self, context: LaunchContext) -> str:
        executable = perform_substitutions(context, self.executable)
        package = perform_substitutions(context, self.package)
        prefix = super().perform(context)
        folder = os.path.join(prefix, "lib", package)
        if not os.path.exists(folder):
            raise SubstitutionFailure(
                f"package '{package}' found at '{prefix}', but libexec directory '{folder}' does not exist"
            )
        result = shutil.which(executable, path=folder)
        if result is None:
            raise SubstitutionFailure(f"executable '{executable}' not found on the libexec directory '{folder}' ")
        return result


class Parameter(Substitution):
    """Value of a parameter that SetParameter has set."""

    def __init__(self, name: SomeSubstitutionsType, *, default: Any = None) -> None:
        super().__init__()
        self.name = normalize_to_list_of_substitutions(name)
        self.__default = None if default is None else str(default) if not isinstance(default, Substitution) else default

    def describe(self) -> str:
        return f"Parameter(name={_describe(self.name)})"

    def perform(self, context: LaunchContext) -> str:
        name = perform_substitutions(context, self.name)
        for item in context.launch_configurations.get("global_params", []):
            if isinstance(item, tuple) and item[0] == name:
                return str(item[1])
        if self.__default is None:
            raise SubstitutionFailure(f"parameter '{name}' not found")
        return perform_substitutions(context, normalize_to_list_of_substitutions(self.__default))
