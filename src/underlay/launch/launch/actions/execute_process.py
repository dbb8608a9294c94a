# SPDX-License-Identifier: Apache-2.0
"""Processes from a command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..descriptions import Executable
from ..some_substitutions_type import SomeSubstitutionsType
from .execute_local import ExecuteLocal


class ExecuteProcess(ExecuteLocal):
    """Run a command; see `launch.descriptions.Executable` and `ExecuteLocal` for the arguments."""

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        prefix: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        additional_env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        executable = Executable(cmd=cmd, prefix=prefix, name=name, cwd=cwd, env=env, additional_env=additional_env)
        super().__init__(process_description=executable, **kwargs)

    def _final_or_given(self, key: str) -> Any:
        final = getattr(self.process_description, f"final_{key}")
        return getattr(self.process_description, key) if final is None else final

    @property
    def name(self) -> Any:
        """Label, as substitutions before execution."""
        return self._final_or_given("name")

    @property
    def cmd(self) -> Any:
        """Command, as lists of substitutions before execution."""
        return self._final_or_given("cmd")

    @property
    def cwd(self) -> Any:
        """Working directory, as substitutions before execution."""
        return self._final_or_given("cwd")

    @property
    def env(self) -> Any:
        """Environment, as pairs of substitutions before execution."""
        return self._final_or_given("env")

    @property
    def additional_env(self) -> Any:
        """What is added to the environment, as pairs of substitutions."""
        return self.process_description.additional_env
