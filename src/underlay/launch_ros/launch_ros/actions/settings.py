# SPDX-License-Identifier: Apache-2.0
"""Settings for all nodes that follow in the same scope."""

from launch.action import Action
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from rclpy.validate_namespace import validate_namespace

from ..utilities import evaluate_parameter_dict, make_namespace_absolute, normalize_parameter_dict, prefix_namespace


class PushROSNamespace(Action):
    """Put nodes into a namespace, below the one that holds already unless it is absolute."""

    def __init__(self, namespace, **kwargs):
        super().__init__(**kwargs)
        self.namespace = normalize_to_list_of_substitutions(namespace)

    def execute(self, context):
        pushed = perform_substitutions(context, self.namespace)
        previous = context.launch_configurations.get("ros_namespace", None)
        namespace = make_namespace_absolute(prefix_namespace(previous, pushed))
        validate_namespace(namespace or "")
        context.launch_configurations["ros_namespace"] = namespace


class SetParameter(Action):
    """Give nodes a parameter."""

    def __init__(self, name, value, **kwargs):
        super().__init__(**kwargs)
        self.name = normalize_to_list_of_substitutions(name)
        self.value = normalize_parameter_dict({tuple(self.name): value})

    def execute(self, context):
        # The list itself is extended, as upstream does: one begun outside a group is not restored by the group.
        settings = context.launch_configurations.setdefault("global_params", [])
        settings.extend(evaluate_parameter_dict(context, self.value).items())


class SetRemap(Action):
    """Remap a name for nodes."""

    def __init__(self, src, dst, **kwargs):
        super().__init__(**kwargs)
        self.src = normalize_to_list_of_substitutions(src)
        self.dst = normalize_to_list_of_substitutions(dst)

    def execute(self, context):
        rule = (perform_substitutions(context, self.src), perform_substitutions(context, self.dst))
        context.launch_configurations.setdefault("ros_remaps", []).append(rule)
