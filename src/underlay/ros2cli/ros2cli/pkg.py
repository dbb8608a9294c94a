# SPDX-License-Identifier: Apache-2.0
"""`ros2 pkg`, and how packages' executables are found."""

import os

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
    get_packages_with_prefixes,
)


def executables(package: str) -> list[str]:
    """Paths of a package's executables; RuntimeError if there is no such package."""
    try:
        prefix = get_package_prefix(package)
    except PackageNotFoundError as exc:
        raise RuntimeError(f"Package '{package}' not found") from exc
    paths = []
    for folder, subfolders, names in os.walk(os.path.join(prefix, "lib", package)):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        paths += [os.path.join(folder, name) for name in sorted(names)]
    return [path for path in paths if os.access(path, os.X_OK)]


def _list(args):
    for name in sorted(get_packages_with_prefixes()):
        print(name)


def _prefix(args) -> str | None:
    try:
        find = get_package_share_directory if args.share else get_package_prefix
        print(find(args.package_name))
    except PackageNotFoundError:
        return "Package not found"
    return None


def _executables(args):
    packages = [args.package_name] if args.package_name else sorted(get_packages_with_prefixes())
    for package in packages:
        for path in executables(package):
            print(path if args.full_path else f"{package} {os.path.basename(path)}")


def add_arguments(parser):
    """Declare the verbs."""
    verbs = parser.add_subparsers(title="Commands", metavar="<verb>")
    verbs.add_parser("list", help="Output a list of available packages").set_defaults(main=_list)
    verb = verbs.add_parser("prefix", help="Output the prefix path of a package")
    verb.add_argument("package_name", help="The package name")
    verb.add_argument("--share", action="store_true", help="Show share directory for the package")
    verb.set_defaults(main=_prefix)
    verb = verbs.add_parser("executables", help="Output a list of package specific executables")
    verb.add_argument("--full-path", action="store_true", help="Show the full path of each executable")
    verb.add_argument("package_name", nargs="?", help="Name of the package to list executables for")
    verb.set_defaults(main=_executables)
