# SPDX-License-Identifier: Apache-2.0
"""Launch's own log: screen and launch.log, in a folder for each run.

The folder lies in $ROS_LOG_DIR, $ROS_HOME/log or ~/.ros/log and is named by date, host and process; `latest` links to
it.
"""

import datetime
import logging
import os
import socket
import sys
import warnings

_LINE = logging.Formatter("[{levelname}] [{name}]: {msg}", style="{")
_STAMPED_LINE = logging.Formatter("{created:.7f} [{levelname}] [{name}]: {msg}", style="{")
# What processes print goes without level and name.
_OUTPUT = logging.Formatter("{msg}", style="{")
_STAMPED_OUTPUT = logging.Formatter("{created:.7f} {msg}", style="{")
_DESTINATIONS = {  # of stdout and stderr
    "screen": ({"screen"}, {"screen"}),
    "log": ({"log"}, {"log", "screen"}),
    "both": ({"log", "screen"}, {"log", "screen"}),
}


def _make_run_folder() -> str:
    home = os.environ.get("ROS_HOME") or os.path.join("~", ".ros")
    base = os.path.normpath(os.path.expanduser(os.environ.get("ROS_LOG_DIR") or os.path.join(home, "log")))
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
    folder = os.path.join(base, f"{stamp}-{socket.gethostname()}-{os.getpid()}")
    os.makedirs(folder, exist_ok=True)
    latest = os.path.join(base, "latest")
    try:
        if os.path.islink(latest):
            os.unlink(latest)
        os.symlink(folder, latest, target_is_directory=True)
    except OSError as exc:
        warnings.warn(f"Cannot create a symlink to latest log directory: {exc}", stacklevel=2)
    return folder


class LaunchConfig:
    """Level, folder and handlers, made when first asked for."""

    def __init__(self):
        self._log_dir = None
        self._handlers: dict[tuple, logging.Handler] = {}
        self.level = logging.INFO

    @property
    def level(self) -> int:
        return logging.root.getEffectiveLevel()

    @level.setter
    def level(self, new_level):
        logging.root.setLevel(new_level)

    @property
    def log_dir(self) -> str:
        """Folder of this run."""
        if self._log_dir is None:
            self._log_dir = _make_run_folder()
        return self._log_dir

    def handler(self, destination: str, formatter: logging.Formatter) -> logging.Handler:
        """The one handler for a destination ("screen" or "log") and format."""
        key = (destination, formatter)
        if key not in self._handlers:
            if destination == "screen":
                made: logging.Handler = logging.StreamHandler(sys.stdout)
            else:
                made = logging.FileHandler(os.path.join(self.log_dir, "launch.log"), encoding="utf-8")
            made.setFormatter(formatter)
            self._handlers[key] = made
        return self._handlers[key]


launch_config = LaunchConfig()


def log_launch_config(*, logger):
    """Log where the log files are."""
    logger.info(f"All log files can be found below {launch_config.log_dir}")
    logger.info(f"Default logging verbosity is set to {logging.getLevelName(launch_config.level)}")


def get_logger(name=None) -> logging.Logger:
    """Logger that writes to the screen and to launch.log, and hands nothing on to other handlers."""
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.addHandler(launch_config.handler("screen", _LINE))
    logger.addHandler(launch_config.handler("log", _STAMPED_LINE))
    return logger


def get_output_loggers(process_name: str, output_config: str) -> dict[int, logging.Logger]:
    """Loggers of a process's stdout (1) and stderr (2).

    The configuration is 'screen', 'log' (stderr on the screen as well) or 'both'.
    """
    if output_config not in _DESTINATIONS:
        raise ValueError(f'{output_config} is not a valid standard output config i.e. "screen", "log" or "both"')
    loggers = {}
    for fd, destinations in enumerate(_DESTINATIONS[output_config], start=1):
        loggers[fd] = logging.getLogger(f"{process_name}-{'stdout' if fd == 1 else 'stderr'}")
        loggers[fd].propagate = False
        for name in destinations:
            formatter = _OUTPUT if name == "screen" else _STAMPED_OUTPUT
            loggers[fd].addHandler(launch_config.handler(name, formatter))
    return loggers
