# SPDX-License-Identifier: Apache-2.0
"""Substitutions by packages."""

import os
import shutil

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch._left_out import left_out
from launch.substitution import Substitution
from launch.substitutions import SubstitutionFailure, describe
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

__getattr__ = left_out(__name__)


class FindPackageShare(Substitution):
    """A package's share folder."""

    def __init__(self, package):
        self.package = normalize_to_list_of_substitutions(package)

    def describe(self) -> str:
        return f"FindPackageShare(pkg={describe(self.package)})"

    def perform(self, context) -> str:
        return get_package_share_directory(perform_substitutions(context, self.package))


class ExecutableInPackage(Substitution):
    """Path of a package's executable."""

    def __init__(self, executable, package):
        self.package = normalize_to_list_of_substitutions(package)
        self.executable = normalize_to_list_of_substitutions(executable)

    def describe(self) -> str:
        return f"ExecInPkg(pkg={describe(self.package)}, exec={describe(self.executable)})"

    def perform(self, context) -> str:
        executable = perform_substitutions(context, self.executable)
        package = perform_substitutions(context, self.package)
        prefix = get_package_prefix(package)
        folder = os.path.join(prefix, "lib", package)
        if not os.path.exists(folder):
            raise SubstitutionFailure(
                f"package '{package}' found at '{prefix}', but libexec directory '{folder}' does not exist"
            )
        result = shutil.which(executable, path=folder)
        if result is None:
            raise SubstitutionFailure(f"executable '{executable}' not found on the libexec directory '{folder}' ")
        return result
