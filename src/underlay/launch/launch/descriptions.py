# SPDX-License-Identifier: Apache-2.0
"""What is executed by an action."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Iterable, Mapping

from .action import Action
from .launch_context import LaunchContext
from .some_substitutions_type import SomeSubstitutionsType
from .substitution import Substitution
from .substitutions import LaunchConfiguration
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

_counter = itertools.count(1)  # of processes, over the whole launch

_Environment = Mapping[SomeSubstitutionsType, SomeSubstitutionsType]


def _pairs(env: _Environment | None) -> list[tuple[list[Substitution], list[Substitution]]] | None:
    if env is None:
        return None
    normalize = normalize_to_list_of_substitutions
    return [(normalize(key), normalize(value)) for key, value in env.items()]


class Executable:
    """A command with its surroundings.

    Args:
        cmd: The executable and its arguments.
        prefix: What comes before it; by default the configuration 'launch-prefix', for executables whose name
            matches the regular expression in the configuration 'launch-prefix-filter'.
        name: Label; by default the name of the executable.
        cwd: Working directory.
        env: The whole environment, instead of the context's.
        additional_env: Added to the environment.
        arguments: Further arguments.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        prefix: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: _Environment | None = None,
        additional_env: _Environment | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
    ) -> None:
        normalize = normalize_to_list_of_substitutions
        self.arguments = None if arguments is None else list(arguments)
        self.cmd = [normalize(part) for part in [*cmd, *(self.arguments or [])]]
        self.__filtered = prefix is None
        self.prefix = normalize(LaunchConfiguration("launch-prefix", default="") if prefix is None else prefix)
        self.name = None if name is None else normalize(name)
        self.cwd = None if cwd is None else normalize(cwd)
        self.env = _pairs(env)
        self.additional_env = _pairs(additional_env)
        self.final_name: str | None = None
        self.final_cmd: list[str] | None = None
        self.final_cwd: str | None = None
        self.final_env: dict[str, str] | None = None

    def prepare(self, context: LaunchContext, action: Action) -> None:
        """Work out the final command, label, directory and environment."""
        cmd = [perform_substitutions(context, part) for part in self.cmd]
        wanted = perform_substitutions(context, [LaunchConfiguration("launch-prefix-filter", default="")])
        if not self.__filtered or re.match(wanted, os.path.basename(cmd[0])):
            cmd = shlex.split(perform_substitutions(context, self.prefix)) + cmd
        name = os.path.basename(cmd[0]) if self.name is None else perform_substitutions(context, self.name)
        env = dict(context.environment) if self.env is None else {}
        for key, value in [*(self.env or []), *(self.additional_env or [])]:
            env[perform_substitutions(context, key)] = perform_substitutions(context, value)
        self.final_cmd = cmd
        self.final_name = f"{name}-{next(_counter)}"
        self.final_cwd = None if self.cwd is None else perform_substitutions(context, self.cwd)
        self.final_env = env
