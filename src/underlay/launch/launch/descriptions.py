# SPDX-License-Identifier: Apache-2.0
"""What is executed by an action."""

import itertools
import os
import re
import shlex

from .substitutions import LaunchConfiguration
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

_counter = itertools.count(1)  # of processes, over the whole launch


def _pairs(env):
    normalize = normalize_to_list_of_substitutions
    return None if env is None else [(normalize(key), normalize(value)) for key, value in env.items()]


class Executable:
    """A command with its surroundings.

    The prefix is by default the configuration 'launch-prefix', for executables whose name matches the regular
    expression in the configuration 'launch-prefix-filter'.
    """

    def __init__(self, *, cmd, prefix=None, name=None, cwd=None, env=None, additional_env=None, arguments=None):
        normalize = normalize_to_list_of_substitutions
        self.arguments = None if arguments is None else list(arguments)
        self.cmd = [normalize(part) for part in [*cmd, *(self.arguments or [])]]
        self.__filtered = prefix is None
        self.prefix = normalize(LaunchConfiguration("launch-prefix", default="") if prefix is None else prefix)
        self.name = None if name is None else normalize(name)
        self.cwd = None if cwd is None else normalize(cwd)
        self.env = _pairs(env)
        self.additional_env = _pairs(additional_env)
        self.final_name = self.final_cmd = self.final_cwd = self.final_env = None

    def prepare(self, context, action):
        """Work out the final command, label, directory and environment."""
        cmd = [perform_substitutions(context, part) for part in self.cmd]
        wanted = LaunchConfiguration("launch-prefix-filter", default="").perform(context)
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
