# SPDX-License-Identifier: Apache-2.0
"""What `ros2 launch --print` shows."""

from .actions import EmitEvent, ExecuteProcess, LogInfo, RegisterEventHandler
from .substitutions import describe


def _format(entity):
    """One line about an entity, and the entities to be shown below it."""
    if isinstance(entity, LogInfo):
        return f"LogInfo({describe(entity.msg)})", ()
    if isinstance(entity, EmitEvent):
        return f"EmitEvent(event='{entity.event.name}')", ()
    if isinstance(entity, ExecuteProcess):
        cwd = None if entity.cwd is None else f"'{describe(entity.cwd)}'"
        cmd = ", ".join(describe(part) for part in entity.cmd)
        return f"ExecuteProcess(cmd=[{cmd}], cwd={cwd}, env={entity.env}, shell={entity.shell})", ()
    if isinstance(entity, RegisterEventHandler):
        return f"RegisterEventHandler('{entity.event_handler}'):", (entity.event_handler,)
    if hasattr(entity, "handler_description"):
        return entity.describe()
    return f"Action('{entity}')", ()


def _tree(entities, indent: str) -> list[str]:
    lines = []
    for left, entity in zip(range(len(entities) - 1, -1, -1), entities):
        line, below = _format(entity)
        lines.append(indent + ("├── " if left else "└── ") + line)
        lines += _tree(below, indent + ("│   " if left else "    "))
    return lines


class LaunchIntrospector:
    """Turns launch descriptions into text."""

    def format_launch_description(self, launch_description) -> str:
        return "\n".join([str(launch_description), *_tree(launch_description.entities, "")])
