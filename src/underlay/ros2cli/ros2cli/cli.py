# SPDX-License-Identifier: Apache-2.0
"""The `ros2` command: finds the command's module and hands it the arguments."""

import argparse
import importlib
import signal
import sys

_COMMANDS = {
    "bag": "Various rosbag related sub-commands",
    "launch": "Run a launch file",
    "lifecycle": "Various lifecycle related sub-commands",
    "node": "Various node related sub-commands",
    "run": "Run a package specific executable",
    "service": "Various service related sub-commands",
    "topic": "Various topic related sub-commands",
}
_LEFT_OUT = ("action", "component", "daemon", "doctor", "interface", "multicast", "param", "pkg", "wtf")


def main(*, argv: list[str] | None = None) -> int | str | None:
    """Run a command; a text returned is the error message (the console script then ends with status 1).

    Raises:
        NotImplementedError: A command that this stand-in leaves out.
    """
    argv = sys.argv[1:] if argv is None else argv
    sys.stdout.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    if argv and argv[0] in _LEFT_OUT:
        raise NotImplementedError(f"'ros2 {argv[0]}' exists in ROS 2 but is left out of this stand-in")
    parser = argparse.ArgumentParser(
        prog="ros2", description="ros2 is an extensible command-line tool for ROS 2 (stand-in)."
    )
    commands = parser.add_subparsers(title="Commands", metavar="<command>", dest="command")
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for name, text in _COMMANDS.items():
        subparser = commands.add_parser(name, help=text, description=text)
        if name == wanted:  # the others need not be imported
            importlib.import_module(f"ros2cli.{name}").add_arguments(subparser)
    args = parser.parse_args(argv)
    if getattr(args, "main", None) is None:  # a command or verb is missing
        (parser if args.command is None else commands.choices[args.command]).print_help()
        return 0
    try:
        return args.main(args)
    except KeyboardInterrupt:
        return int(signal.SIGINT)
    except Exception as exc:
        if type(exc).__name__ == "ExternalShutdownException":  # of rclpy, which not every command imports
            return int(signal.SIGTERM)
        if not isinstance(exc, RuntimeError) or isinstance(exc, NotImplementedError):
            raise
        return str(exc)
