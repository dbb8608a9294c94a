# SPDX-License-Identifier: Apache-2.0
"""Every topic and service of the workspace: name, type and quality of service, once.

Names are relative, so that a robot lives in its own namespace; only `/clock` and `/diagnostics` are global. Depths hold
at least half a second of the stream at its usual rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Qos:
    """Quality of service of an endpoint.

    Attributes:
        depth: Messages kept.
        reliable: Publisher's offer, and what a subscription asks for.
        latched: Transient local: late joiners get the last `depth` messages.
    """

    depth: int
    reliable: bool = True
    latched: bool = False


@dataclass(frozen=True)
class Endpoint:
    """A topic or service.

    Attributes:
        name: Relative name; `{word}` marks a part that `at` fills in.
        type: "package/msg/Name" or "package/srv/Name".
        qos: Of a topic; services use ROS 2's default.
    """

    name: str
    type: str
    qos: Qos = Qos(depth=10)

    def at(self, **parts: str) -> Endpoint:
        """The endpoint with the marked parts of its name filled in."""
        return replace(self, name=self.name.format(**parts))


def _stream(rate: float) -> Qos:
    """Half a second of a stream at `rate` [Hz], reliable, so that a reader may choose either."""
    return Qos(depth=max(10, round(0.5 * rate)))


_LATCHED = Qos(depth=1, latched=True)

# Operator
OPERATOR_FRAME = Endpoint("operator/frame", "humanoid_interfaces/msg/OperatorFrame", _stream(250))
OPERATOR_START = Endpoint("operator/start", "std_srvs/srv/Trigger")
OPERATOR_STOP = Endpoint("operator/stop", "std_srvs/srv/Trigger")
OPERATOR_CALIBRATE = Endpoint("operator/calibrate", "std_srvs/srv/Trigger")
OPERATOR_PEDAL = Endpoint("operator/pedal", "sensor_msgs/msg/Joy", _stream(100))
OPERATOR_JOY = Endpoint("operator/joy", "sensor_msgs/msg/Joy", _stream(100))
LEADER_STATES = Endpoint("operator/leader/joint_states", "sensor_msgs/msg/JointState", _stream(500))
HANDHELD_POSE = Endpoint("operator/handheld/{part}/pose", "geometry_msgs/msg/PoseStamped", _stream(250))
HANDHELD_JOY = Endpoint("operator/handheld/{part}/joy", "sensor_msgs/msg/Joy", _stream(250))
POLICY_ACTIONS = Endpoint("policy/actions", "trajectory_msgs/msg/JointTrajectory")
TELEOP_STATUS = Endpoint("teleop/status", "humanoid_interfaces/msg/TeleopStatus")

# Commands
JOINT_TARGETS = Endpoint("joint_targets/{source}", "sensor_msgs/msg/JointState", _stream(500))
JOINT_COMMANDS = Endpoint("joint_commands", "sensor_msgs/msg/JointState", _stream(500))
CMD_VEL_TARGETS = Endpoint("cmd_vel_targets/{source}", "geometry_msgs/msg/TwistStamped", _stream(50))
CMD_VEL = Endpoint("cmd_vel", "geometry_msgs/msg/TwistStamped", _stream(50))
COMMAND_SELECT = Endpoint("command/select", "humanoid_interfaces/srv/SelectSource")
COMMAND_STATUS = Endpoint("command/status", "humanoid_interfaces/msg/CommandStatus", _LATCHED)

# Safety
SAFETY_STATUS = Endpoint("safety/status", "humanoid_interfaces/msg/SafetyStatus", _LATCHED)
SAFETY_ENGAGE = Endpoint("safety/engage", "std_srvs/srv/SetBool")
SAFETY_STOP = Endpoint("safety/stop", "std_srvs/srv/Trigger")
SAFETY_RESET = Endpoint("safety/reset", "std_srvs/srv/Trigger")
SAFETY_HEARTBEAT = Endpoint("safety/heartbeat", "std_msgs/msg/Empty")
SAFETY_MARKERS = Endpoint("safety/markers", "visualization_msgs/msg/MarkerArray")

# Robot
JOINT_STATES = Endpoint("joint_states", "sensor_msgs/msg/JointState", _stream(500))
IMU = Endpoint("imu/{place}", "sensor_msgs/msg/Imu", _stream(200))
ODOMETRY = Endpoint("odom", "nav_msgs/msg/Odometry", _stream(100))
WRENCH = Endpoint("wrench/{place}", "geometry_msgs/msg/WrenchStamped", _stream(200))
TACTILE = Endpoint("tactile/{place}", "humanoid_interfaces/msg/TactileArray", _stream(100))
ROBOT_STATUS = Endpoint("robot/status", "humanoid_interfaces/msg/RobotStatus")
ROBOT_DESCRIPTION = Endpoint("robot_description", "std_msgs/msg/String", _LATCHED)
TF = Endpoint("tf", "tf2_msgs/msg/TFMessage", Qos(depth=100))
TF_STATIC = Endpoint("tf_static", "tf2_msgs/msg/TFMessage", _LATCHED)

# Sensors
CAMERA_COLOR = Endpoint("camera/{camera}/color/image_raw", "sensor_msgs/msg/Image", _stream(30))
CAMERA_COLOR_COMPRESSED = Endpoint(
    "camera/{camera}/color/image_raw/compressed", "sensor_msgs/msg/CompressedImage", _stream(30)
)
CAMERA_COLOR_INFO = Endpoint("camera/{camera}/color/camera_info", "sensor_msgs/msg/CameraInfo", _stream(30))
CAMERA_DEPTH = Endpoint("camera/{camera}/depth/image_rect_raw", "sensor_msgs/msg/Image", _stream(30))
CAMERA_DEPTH_COMPRESSED = Endpoint(
    "camera/{camera}/depth/image_rect_raw/compressedDepth", "sensor_msgs/msg/CompressedImage", _stream(30)
)
CAMERA_DEPTH_INFO = Endpoint("camera/{camera}/depth/camera_info", "sensor_msgs/msg/CameraInfo", _stream(30))
LIDAR_POINTS = Endpoint("lidar/points", "sensor_msgs/msg/PointCloud2", _stream(10))
AUDIO = Endpoint("audio", "humanoid_interfaces/msg/AudioChunk", _stream(50))
CLOCK_SAMPLE = Endpoint("{stream}/clock", "humanoid_interfaces/msg/ClockSample", _stream(30))

# Twin
CLOCK = Endpoint("/clock", "rosgraph_msgs/msg/Clock", Qos(depth=1, reliable=False))
TIME_SCALE = Endpoint("time_scale", "std_msgs/msg/Float64", _LATCHED)
SCENE_OBJECTS = Endpoint("scene/objects", "humanoid_interfaces/msg/SceneObjects", _stream(30))
SCENE_EVENTS = Endpoint("scene/events", "humanoid_interfaces/msg/SceneEvent")
SCENE_RESET = Endpoint("scene/reset", "humanoid_interfaces/srv/ResetScene")

# Synchronisation
SYNC_FRAME = Endpoint("sync/frame", "humanoid_interfaces/msg/SyncedFrame", _stream(30))
SYNC_STATUS = Endpoint("sync/status", "humanoid_interfaces/msg/SyncStatus")

# Recorder
RECORDER_START = Endpoint("recorder/start", "humanoid_interfaces/srv/StartEpisode")
RECORDER_STOP = Endpoint("recorder/stop", "humanoid_interfaces/srv/StopEpisode")
RECORDER_DISCARD = Endpoint("recorder/discard", "humanoid_interfaces/srv/DiscardEpisode")
RECORDER_ANNOTATE = Endpoint("recorder/annotate", "humanoid_interfaces/srv/AnnotateEpisode")
RECORDER_STATUS = Endpoint("recorder/status", "humanoid_interfaces/msg/EpisodeStatus", _LATCHED)
ANNOTATIONS = Endpoint("annotations", "humanoid_interfaces/msg/Annotation", Qos(depth=10, latched=True))

# Console
CONSOLE_START = Endpoint("console/start", "humanoid_interfaces/srv/StartEpisode")
CONSOLE_VERDICT = Endpoint("console/verdict", "diagnostic_msgs/msg/DiagnosticStatus", _LATCHED)

# Everywhere
DIAGNOSTICS = Endpoint("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray")
TRACE = Endpoint("trace", "humanoid_interfaces/msg/StageTrace", _stream(1000))
