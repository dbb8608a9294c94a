# SPDX-License-Identifier: Apache-2.0
"""`ros2 run`."""

import argparse
import contextlib
import os
import signal
import subprocess

from ament_index_python.packages import PackageNotFoundError, get_package_prefix


def _executables(package: str, name: str) -> list[str]:
    """Paths of a package's executables of this name; RuntimeError if there is no such package."""
    try:
        prefix = get_package_prefix(package)
    except PackageNotFoundError as exc:
        raise RuntimeError(f"Package '{package}' not found") from exc
    folders = os.walk(os.path.join(prefix, "lib", package))
    paths = [os.path.join(folder, name) for folder, _, names in folders if name in names]
    return sorted(path for path in paths if os.access(path, os.X_OK))


def _run(args) -> int | str:
    paths = _executables(args.package_name, args.executable_name)
    if not paths:
        return "No executable found"
    if len(paths) > 1:
        raise RuntimeError("\n- ".join(["Multiple executables found:", *paths]))
    process = subprocess.Popen([paths[0], *args.argv])
    while process.returncode is None:
        with contextlib.suppress(KeyboardInterrupt):  # the terminal has sent it to the process as well
            process.wait()
    if process.returncode < 0:
        print("[ros2run]:", signal.strsignal(-process.returncode))
    elif process.returncode > 0:
        print(f"[ros2run]: Process exited with failure {process.returncode}")
    return process.returncode


def add_arguments(parser):
    """Declare the arguments."""
    parser.add_argument("package_name", help="Name of the ROS package")
    parser.add_argument("executable_name", help="Name of the executable")
    parser.add_argument("argv", nargs=argparse.REMAINDER, help="Pass arbitrary arguments to the executable")
    parser.set_defaults(main=_run)
