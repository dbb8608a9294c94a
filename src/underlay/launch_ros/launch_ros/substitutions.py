# SPDX-License-Identifier: Apache-2.0
"""Substitutions by packages and parameters."""

import os
import shutil

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.substitution import Substitution
from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions


def _describe(subs) -> str:
    return " + ".join(sub.describe() for sub in subs)


class FindPackage(Substitution):
    """Base of the substitutions that find a package."""

    def __init__(self, package):
        self.package = normalize_to_list_of_substitutions(package)

    def find(self, package_name: str) -> str:
        raise NotImplementedError

    def describe(self) -> str:
        return f"{type(self).__name__}(pkg={_describe(self.package)})"

    def perform(self, context) -> str:
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

    def __init__(self, executable, package):
        super().__init__(package)
        self.executable = normalize_to_list_of_substitutions(executable)

    def describe(self) -> str:
        return f"ExecInPkg(pkg={_describe(self.package)}, exec={_describe(self.executable)})"

    def perform(self, context) -> str:
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

    def __init__(self, name, *, default=None):
        self.name = normalize_to_list_of_substitutions(name)
        default = default if isinstance(default, Substitution) or default is None else str(default)
        self.__default = None if default is None else normalize_to_list_of_substitutions(default)

    def describe(self) -> str:
        return f"Parameter(name={_describe(self.name)})"

    def perform(self, context) -> str:
        name = perform_substitutions(context, self.name)
        for item in context.launch_configurations.get("global_params", []):
            if isinstance(item, tuple) and item[0] == name:
                return str(item[1])
        if self.__default is None:
            raise SubstitutionFailure(f"parameter '{name}' not found")
        return perform_substitutions(context, self.__default)
