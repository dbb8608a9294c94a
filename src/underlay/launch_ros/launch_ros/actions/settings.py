# SPDX-License-Identifier: Apache-2.0
"""Settings for all nodes that follow in the same scope."""

import os

from launch.action import Action
from launch.substitutions import SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from rclpy.logging import get_logging_directory
from rclpy.parameter import Parameter
from rclpy.validate_namespace import validate_namespace

from ..ros_adapters import get_ros_node
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
        try:
            validate_namespace(namespace or "")
        except Exception as exc:
            raise SubstitutionFailure(
                f"The resulting namespace is invalid: [previous_namespace='{previous}', pushed_namespace='{pushed}']"
            ) from exc
        context.launch_configurations["ros_namespace"] = namespace


class SetParameter(Action):
    """Give nodes a parameter."""

    def __init__(self, name, value, **kwargs):
        super().__init__(**kwargs)
        self.__parameters = normalize_parameter_dict({tuple(normalize_to_list_of_substitutions(name)): value})
        ((self.name, self.value),) = self.__parameters.items()

    def execute(self, context):
        # The list itself is extended, as upstream does: one begun outside a group is not restored by the group.
        settings = context.launch_configurations.setdefault("global_params", [])
        settings.extend(evaluate_parameter_dict(context, self.__parameters).items())


class SetParametersFromFile(Action):
    """Give nodes the parameters in a file."""

    def __init__(self, filename, **kwargs):
        super().__init__(**kwargs)
        self._input_file = normalize_to_list_of_substitutions(filename)

    def execute(self, context):
        settings = context.launch_configurations.setdefault("global_params", [])
        settings.append(perform_substitutions(context, self._input_file))


class SetRemap(Action):
    """Remap a name for nodes."""

    def __init__(self, src, dst, **kwargs):
        super().__init__(**kwargs)
        self.src = normalize_to_list_of_substitutions(src)
        self.dst = normalize_to_list_of_substitutions(dst)

    def execute(self, context):
        rule = (perform_substitutions(context, self.src), perform_substitutions(context, self.dst))
        context.launch_configurations.setdefault("ros_remaps", []).append(rule)


class SetROSLogDir(Action):
    """Have nodes log into a folder, below the present one unless it is absolute."""

    def __init__(self, new_log_dir, **kwargs):
        super().__init__(**kwargs)
        self.log_dir = normalize_to_list_of_substitutions(new_log_dir)

    def execute(self, context):
        current = os.environ.get("ROS_LOG_DIR", str(get_logging_directory()))
        os.environ["ROS_LOG_DIR"] = os.path.join(current, perform_substitutions(context, self.log_dir))


class SetUseSimTime(Action):
    """Have launch's own node (not the nodes launched) use simulated time."""

    def __init__(self, value: bool, **kwargs):
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context):
        get_ros_node(context).set_parameters([Parameter("use_sim_time", Parameter.Type.BOOL, self.value)])
