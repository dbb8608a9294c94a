# SPDX-License-Identifier: Apache-2.0
"""Launch's own log: screen and files, with a folder for each run.

The folder lies in $ROS_LOG_DIR, $ROS_HOME/log or ~/.ros/log and is named by date, host and process; `latest` links to it.
"""

from __future__ import annotations

import datetime
import logging
import os
import socket
import sys
import warnings
from typing import Any

from ._left_out import left_out

__getattr__ = left_out(__name__, "handlers")


class _PerLoggerFormat(logging.Handler):
    """A handler that can format records of some loggers in their own way."""

    def setFormatterFor(self, logger: logging.Logger, formatter: logging.Formatter) -> None:
        """Use the formatter for this logger's records."""
        self.__dict__.setdefault("formatters", {})[logger.name] = formatter

    def unsetFormatterFor(self, logger: logging.Logger) -> None:
        """Go back to the common format for this logger's records."""
        self.__dict__.get("formatters", {}).pop(logger.name, None)

    def format(self, record: logging.LogRecord) -> str:
        own = self.__dict__.get("formatters", {}).get(record.name)
        return super().format(record) if own is None else own.format(record)


class _ScreenHandler(_PerLoggerFormat, logging.StreamHandler):
    pass


class _FileHandler(_PerLoggerFormat, logging.FileHandler):
    pass


def _base_folder() -> str:
    folder = os.environ.get("ROS_LOG_DIR")
    if not folder:
        folder = os.path.join(os.environ.get("ROS_HOME") or os.path.join("~", ".ros"), "log")
    return os.path.normpath(os.path.expanduser(folder))


def _make_run_folder() -> str:
    base = _base_folder()
    while True:
        stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
        folder = os.path.join(base, f"{stamp}-{socket.gethostname()}-{os.getpid()}")
        try:
            os.makedirs(folder)
            break
        except FileExistsError:
            continue
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

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Back to the defaults: level INFO, a new folder."""
        self._log_dir: str | None = None
        self.file_handlers: dict[str, _FileHandler] = {}
        self.screen_handler: _ScreenHandler | None = None
        self.level = logging.INFO
        self.set_screen_format("default")
        self.set_log_format("default")

    @property
    def level(self) -> int:
        """Level of all loggers that have none of their own."""
        return logging.root.getEffectiveLevel()

    @level.setter
    def level(self, new_level: int) -> None:
        logging.root.setLevel(new_level)

    @property
    def log_dir(self) -> str:
        """Folder of this run, made when first asked for."""
        if self._log_dir is None:
            self._log_dir = _make_run_folder()
        return self._log_dir

    @log_dir.setter
    def log_dir(self, new_log_dir: str | None) -> None:
        if new_log_dir is not None and not os.path.isdir(new_log_dir):
            raise ValueError(f"{new_log_dir} is not a directory")
        if new_log_dir is not None and self.file_handlers:
            warnings.warn(
                f"Loggers have been already configured to output to log files below {self._log_dir}. "
                "Proceed at your own risk.",
                stacklevel=2,
            )
        self._log_dir = new_log_dir

    @property
    def log_handler_factory(self) -> Any:
        """Left out.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("launch.logging's log_handler_factory is left out of this stand-in")

    @log_handler_factory.setter
    def log_handler_factory(self, new_log_handler_factory: Any) -> None:
        return self.log_handler_factory

    def _formatter(self, variable: str, text: str, style: str | None, aliases: dict[str, str]) -> logging.Formatter:
        override = os.environ.get(variable)
        if override:
            return logging.Formatter(override.encode("latin1").decode("unicode_escape"), style="{")
        if text in aliases and style is not None:
            raise ValueError(f'Cannot set a custom format style for the "{text}" format.')
        return logging.Formatter(aliases.get(text, text), style=style or "{")  # type: ignore[arg-type]

    def set_screen_format(self, screen_format: str, *, screen_style: str | None = None) -> None:
        """Set the format on the screen: 'default', 'default_with_timestamp' or one of `logging.Formatter`."""
        plain = "[{levelname}] [{name}]: {msg}"
        aliases = {"default": plain, "default_with_timestamp": "{created:.7f} " + plain}
        self.screen_formatter = self._formatter("OVERRIDE_LAUNCH_SCREEN_FORMAT", screen_format, screen_style, aliases)
        if self.screen_handler is not None:
            self.screen_handler.setFormatter(self.screen_formatter)

    def set_log_format(self, log_format: str, *, log_style: str | None = None) -> None:
        """Set the format in launch.log: 'default' or one of `logging.Formatter`."""
        aliases = {"default": "{created:.7f} [{levelname}] [{name}]: {msg}"}
        self.file_formatter = self._formatter("OVERRIDE_LAUNCH_LOG_FORMAT", log_format, log_style, aliases)
        for handler in self.file_handlers.values():
            handler.setFormatter(self.file_formatter)

    def get_screen_handler(self) -> _ScreenHandler:
        """The one handler for the screen."""
        if self.screen_handler is None:
            self.screen_handler = _ScreenHandler(sys.stdout)
            self.screen_handler.setFormatter(self.screen_formatter)
        return self.screen_handler

    def get_log_file_path(self, file_name: str = "launch.log") -> str:
        """Path of a file in the run's folder."""
        return os.path.join(self.log_dir, file_name)

    def get_log_file_handler(self, file_name: str = "launch.log") -> _FileHandler:
        """The one handler for a file in the run's folder."""
        if file_name not in self.file_handlers:
            handler = _FileHandler(self.get_log_file_path(file_name), encoding="utf-8")
            handler.setFormatter(self.file_formatter)
            self.file_handlers[file_name] = handler
        return self.file_handlers[file_name]


launch_config = LaunchConfig()
_own_loggers: set[logging.Logger] = set()


def _own(name: str | None) -> logging.Logger:
    """A logger of launch's own: what it logs goes to no other handlers than those added here."""
    logger = logging.getLogger(name)
    logger.propagate = False
    _own_loggers.add(logger)
    return logger


def reset() -> None:
    """Forget all handlers and settings."""
    for logger in _own_loggers:
        logger.setLevel(logging.NOTSET)
        logger.handlers.clear()
    launch_config.reset()


def log_launch_config(*, logger: logging.Logger = logging.root) -> None:
    """Log where the log files are."""
    if launch_config.file_handlers:
        logger.info(f"All log files can be found below {launch_config.log_dir}")
    logger.info(f"Default logging verbosity is set to {logging.getLevelName(launch_config.level)}")


def get_logger(name: str | None = None) -> logging.Logger:
    """Logger that writes to the screen and to launch.log."""
    logger = _own(name)
    logger.addHandler(launch_config.get_screen_handler())
    logger.addHandler(launch_config.get_log_file_handler())
    return logger


_OUTPUTS: dict[str, dict[str, set[str]]] = {
    "screen": {"both": {"screen"}},
    "log": {"both": {"log"}, "stderr": {"screen"}},
    "both": {"both": {"log", "screen"}},
    "own_log": {"both": {"own_log"}, "stdout": {"own_log"}, "stderr": {"own_log"}},
    "full": {"both": {"screen", "log", "own_log"}, "stdout": {"own_log"}, "stderr": {"own_log"}},
}


def _normalize_output_configuration(config: Any) -> dict[str, set[str]]:
    """Destinations (screen, log, own_log) of stdout, stderr and of both."""
    result: dict[str, set[str]] = {"both": set(), "stdout": set(), "stderr": set()}
    if isinstance(config, str):
        if config not in _OUTPUTS:
            raise ValueError(f'{config} is not a valid standard output config i.e. "screen", "log" or "both"')
        return {**result, **_OUTPUTS[config]}
    if not isinstance(config, dict):
        raise ValueError(f"{config} is not a valid output configuration")
    for source, destinations in config.items():
        if source not in result:
            raise ValueError(f'{source} is not a valid output source i.e. "stdout", "stderr" or "both"')
        result[source] = {destinations} if isinstance(destinations, str) else set(destinations)
        for destination in result[source] - {"screen", "log", "own_log"}:
            raise ValueError(
                f'{destination} is not a valid output destination i.e. "screen", "log" or "own_log"'
            )
    return result


def get_output_loggers(process_name: str, output_config: Any) -> tuple[logging.Logger, logging.Logger]:
    """Loggers for a process's stdout and stderr.

    Args:
        process_name: Label of the process.
        output_config: 'screen', 'log' (stderr to the screen as well), 'both', 'own_log' (files of the process's own),
            'full', or a dictionary from stdout, stderr and both to any of screen, log and own_log.

    Raises:
        ValueError: Any other configuration.
    """
    config = _normalize_output_configuration(output_config)
    loggers = []
    for source in ("stdout", "stderr"):
        logger = _own(f"{process_name}-{source}")
        if "screen" in config["both"] | config[source]:
            screen = launch_config.get_screen_handler()
            screen.setFormatterFor(logger, logging.Formatter("{msg}", style="{"))
            logger.addHandler(screen)
        if "log" in config["both"] | config[source]:
            log = launch_config.get_log_file_handler()
            log.setFormatterFor(logger, logging.Formatter("{created:.7f} {msg}", style="{"))
            logger.addHandler(log)
        for key, file_name in ((source, f"{process_name}-{source}.log"), ("both", f"{process_name}.log")):
            if "own_log" in config[key]:
                own = launch_config.get_log_file_handler(file_name)
                own.setFormatter(logging.Formatter("{msg}", style="{"))
                logger.addHandler(own)
        loggers.append(logger)
    return loggers[0], loggers[1]
