# SPDX-License-Identifier: Apache-2.0
"""`ros2 run`."""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess

from .pkg import executables


def _run(args) -> int | str:
    paths = [path for path in executables(args.package_name) if os.path.basename(path) == args.executable_name]
    if not paths:
        return "No executable found"
    if len(paths) > 1:
        raise RuntimeError("\n- ".join(["Multiple executables found:", *paths]))
    process = subprocess.Popen([*shlex.split(args.prefix or ""), paths[0], *args.argv])
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
    parser.add_argument(
        "--prefix",
        help="Prefix command, which should go before the executable. Command must be wrapped in quotes if it "
        "contains spaces (e.g. --prefix 'gdb -ex run --args').",
    )
    parser.add_argument("package_name", help="Name of the ROS package")
    parser.add_argument("executable_name", help="Name of the executable")
    parser.add_argument("argv", nargs=argparse.REMAINDER, help="Pass arbitrary arguments to the executable")
    parser.set_defaults(main=_run)
