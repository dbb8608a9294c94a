# SPDX-License-Identifier: Apache-2.0
"""Launch's own log: screen and files, with a folder for each run.

The folder lies in $ROS_LOG_DIR, $ROS_HOME/log or ~/.ros/log and is named by date, host and process; `latest` links to
it.
"""

import datetime
import logging
import os
import socket
import sys
import warnings

from ._left_out import left_out

__getattr__ = left_out(__name__, "handlers")

_FORMATS = {
    "default": "[{levelname}] [{name}]: {msg}",
    "default_with_timestamp": "{created:.7f} [{levelname}] [{name}]: {msg}",
}


class _PerLoggerFormat(logging.Handler):
    """A handler that can format records of some loggers in their own way."""

    def setFormatterFor(self, logger, formatter):  # upstream's name
        self.__dict__.setdefault("formatters", {})[logger.name] = formatter

    def format(self, record):
        own = self.__dict__.get("formatters", {}).get(record.name)
        return super().format(record) if own is None else own.format(record)


class _ScreenHandler(_PerLoggerFormat, logging.StreamHandler):
    pass


class _FileHandler(_PerLoggerFormat, logging.FileHandler):
    pass


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
    """Levels, formats and handlers."""

    def __init__(self):
        self.reset()

    def reset(self):
        """Back to the defaults: level INFO, a new folder."""
        self._log_dir = None
        self.file_handlers: dict[str, _FileHandler] = {}
        self.screen_handler: _ScreenHandler | None = None
        self.level = logging.INFO
        self.set_screen_format("default")
        self.set_log_format("default")

    @property
    def level(self) -> int:
        return logging.root.getEffectiveLevel()

    @level.setter
    def level(self, new_level):
        logging.root.setLevel(new_level)

    @property
    def log_dir(self) -> str:
        """Folder of this run, made when first asked for."""
        if self._log_dir is None:
            self._log_dir = _make_run_folder()
        return self._log_dir

    @log_dir.setter
    def log_dir(self, new_log_dir):
        if new_log_dir is not None and not os.path.isdir(new_log_dir):
            raise ValueError(f"{new_log_dir} is not a directory")
        self._log_dir = new_log_dir

    def set_screen_format(self, screen_format: str, *, screen_style=None):
        """Set the format on the screen: 'default', 'default_with_timestamp' or one of `logging.Formatter`."""
        if screen_format in _FORMATS and screen_style is not None:
            raise ValueError(f'Cannot set a custom format style for the "{screen_format}" screen format.')
        self.screen_formatter = logging.Formatter(_FORMATS.get(screen_format, screen_format), style=screen_style or "{")
        if self.screen_handler is not None:
            self.screen_handler.setFormatter(self.screen_formatter)

    def set_log_format(self, log_format: str, *, log_style=None):
        """Set the format in launch.log: 'default' (with stamps) or one of `logging.Formatter`."""
        if log_format == "default":
            if log_style is not None:
                raise ValueError('Cannot set a custom format style for the "default" log format.')
            log_format = _FORMATS["default_with_timestamp"]
        self.file_formatter = logging.Formatter(log_format, style=log_style or "{")
        for handler in self.file_handlers.values():
            handler.setFormatter(self.file_formatter)

    def get_screen_handler(self):
        """The one handler for the screen."""
        if self.screen_handler is None:
            self.screen_handler = _ScreenHandler(sys.stdout)
            self.screen_handler.setFormatter(self.screen_formatter)
        return self.screen_handler

    def get_log_file_path(self, file_name: str = "launch.log") -> str:
        return os.path.join(self.log_dir, file_name)

    def get_log_file_handler(self, file_name: str = "launch.log"):
        """The one handler for a file in the run's folder."""
        if file_name not in self.file_handlers:
            self.file_handlers[file_name] = _FileHandler(self.get_log_file_path(file_name), encoding="utf-8")
            self.file_handlers[file_name].setFormatter(self.file_formatter)
        return self.file_handlers[file_name]


launch_config = LaunchConfig()
_own_loggers: set[logging.Logger] = set()


def _own(name) -> logging.Logger:
    """A logger of launch's own: what it logs goes to no other handlers than those added here."""
    logger = logging.getLogger(name)
    logger.propagate = False
    _own_loggers.add(logger)
    return logger


def reset():
    """Forget all handlers and settings."""
    for logger in _own_loggers:
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()
    launch_config.reset()


def log_launch_config(*, logger=logging.root):
    """Log where the log files are."""
    if launch_config.file_handlers:
        logger.info(f"All log files can be found below {launch_config.log_dir}")
    logger.info(f"Default logging verbosity is set to {logging.getLevelName(launch_config.level)}")


def get_logger(name=None) -> logging.Logger:
    """Logger that writes to the screen and to launch.log."""
    logger = _own(name)
    logger.addHandler(launch_config.get_screen_handler())
    logger.addHandler(launch_config.get_log_file_handler())
    return logger


_OUTPUTS = {
    "screen": {"both": "screen"},
    "log": {"both": "log", "stderr": "screen"},
    "both": {"both": ("log", "screen")},
    "own_log": {"both": "own_log", "stdout": "own_log", "stderr": "own_log"},
    "full": {"both": ("screen", "log", "own_log"), "stdout": "own_log", "stderr": "own_log"},
}


def _destinations(config) -> dict[str, set]:
    """Destinations (screen, log, own_log) of stdout, stderr and of both."""
    config = _OUTPUTS.get(config, config) if isinstance(config, str) else config
    if not isinstance(config, dict):
        raise ValueError(f'{config} is not a valid standard output config i.e. "screen", "log" or "both"')
    result: dict[str, set] = {"both": set(), "stdout": set(), "stderr": set()}
    for source, names in config.items():
        names = {names} if isinstance(names, str) else set(names)
        if source not in result or not names <= {"screen", "log", "own_log"}:
            raise ValueError(f"{source}: {names} is not a valid output source with destinations")
        result[source] = names
    return result


def get_output_loggers(process_name: str, output_config) -> tuple[logging.Logger, logging.Logger]:
    """Loggers for a process's stdout and stderr.

    The configuration is 'screen', 'log' (stderr to the screen as well), 'both', 'own_log' (files of the process's own),
    'full', or a dictionary from stdout, stderr and both to any of screen, log and own_log.
    """
    config = _destinations(output_config)
    loggers = []
    for source in ("stdout", "stderr"):
        logger = _own(f"{process_name}-{source}")
        if "screen" in config["both"] | config[source]:
            launch_config.get_screen_handler().setFormatterFor(logger, logging.Formatter("{msg}", style="{"))
            logger.addHandler(launch_config.get_screen_handler())
        if "log" in config["both"] | config[source]:
            stamped = logging.Formatter("{created:.7f} {msg}", style="{")
            launch_config.get_log_file_handler().setFormatterFor(logger, stamped)
            logger.addHandler(launch_config.get_log_file_handler())
        for key, file_name in ((source, f"{process_name}-{source}.log"), ("both", f"{process_name}.log")):
            if "own_log" in config[key]:
                own = launch_config.get_log_file_handler(file_name)
                own.setFormatter(logging.Formatter("{msg}", style="{"))
                logger.addHandler(own)
        loggers.append(logger)
    return loggers[0], loggers[1]
