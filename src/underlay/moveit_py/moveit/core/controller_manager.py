# SPDX-License-Identifier: Apache-2.0
"""How the execution of a trajectory ended."""


class ExecutionStatus:
    """status: SUCCEEDED, PREEMPTED, TIMED_OUT, ABORTED or FAILED; true where it succeeded."""

    def __init__(self, status: str) -> None:
        self.status = status

    def __bool__(self) -> bool:
        return self.status == "SUCCEEDED"
