# SPDX-License-Identifier: Apache-2.0
"""What the node reports, as messages."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from builtin_interfaces.msg import Time

from humanoid_interfaces.msg import CommandStatus, SafetyStatus, SourceStatus
from humanoid_safety.gate import Report, SourceReport
from humanoid_safety.self_distance import Near


def safety_status(stamp: Time, report: Report, joints: Sequence[str], near: Near) -> SafetyStatus:
    """The message of safety/status."""
    status = SafetyStatus(state=int(report.state), reasons=report.causes, joint_names=joints)
    status.header.stamp = stamp
    status.joint_reasons = array("I", report.joint_reasons.tobytes())
    status.interference = array("d", report.interference.tobytes())
    status.closest_distance, status.closest_link_a, status.closest_link_b = near.distance, near.link_a, near.link_b
    status.operator_age, status.robot_age = report.operator_age, report.robot_age
    return status


def command_status(stamp: Time, active: str, sources: Sequence[SourceReport]) -> CommandStatus:
    """The message of command/status."""
    status = CommandStatus(active=active, sources=[SourceStatus(**vars(source)) for source in sources])
    status.header.stamp = stamp
    return status
