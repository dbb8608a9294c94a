# SPDX-License-Identifier: Apache-2.0
"""Node `joint_sliders`: a page of sliders in the browser that move the joints of a robot that is only looked at."""

from __future__ import annotations

from ament_index_python.packages import get_package_share_path
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState

import humanoid_description
from humanoid_console.joint_sliders import Positions, sliders_of
from humanoid_console.slider_server import Painter, SliderServer, png
from humanoid_core import endpoints, ros
from humanoid_description import DescriptionError, Robot, pictures

WIDTH, HEIGHT = 420, 560  # of the picture [px]


class JointSlidersNode(Node):
    """Publishes what the sliders say, and keeps still where somebody else publishes joint states: a robot at work."""

    def __init__(self) -> None:
        super().__init__("joint_sliders")
        # Parameters
        config = ros.required(self, "robot_config", "Robot configuration (YAML)", kind=str)
        urdf = ros.optional(self, "urdf", "", "URDF or xacro in place of the configuration's")
        host = ros.required(self, "host", "Address to listen on; 0.0.0.0 lets other computers in", kind=str)
        port = ros.required(self, "port", "Port to listen on; 0 takes a free one", 0, 65535, kind=int)
        rate = ros.required(self, "rate", "Joint states per second [Hz]", 1.0, 200.0, kind=float)
        # State
        robot = humanoid_description.load(config, urdf)
        self._positions = Positions(sliders_of(robot))
        self._warning = ""
        self._wall = Clock(clock_type=ClockType.SYSTEM_TIME)  # no simulation runs beside the sliders
        # Outputs
        self._states = ros.publisher(self, endpoints.JOINT_STATES)
        self._diagnostics = ros.Diagnostics(self, self.get_namespace().strip("/"))
        page = get_package_share_path("humanoid_console") / "web" / "joint_sliders.html"
        self._server = SliderServer(
            robot.config.title,
            page.read_text(encoding="utf-8"),
            self._positions,
            lambda: self._warning,
            self._painter(robot),
            host,
            port,
        )
        self.get_logger().info(f"Sliders: open http://{host}:{self._server.port}")
        self._timer = self.create_timer(1.0 / rate, self._tick, clock=ros.steady_clock())

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def destroy_node(self) -> None:
        """Close the page, then the node."""
        self._server.stop()
        super().destroy_node()

    def _tick(self) -> None:
        others = self.count_publishers(self._states.topic_name) - 1
        self._warning = (
            f"{others} other publisher of {self._states.topic_name}: the sliders keep still" if others else ""
        )
        if others:
            self._diagnostics.update(self._diagnostics.WARN, self._warning)
            return
        self._diagnostics.update(self._diagnostics.OK, "publishing")
        positions = self._positions.now()
        message = JointState(name=list(positions), position=list(positions.values()))
        message.header.stamp = self._wall.now().to_msg()
        self._states.publish(message)

    def _painter(self, robot: Robot) -> Painter | None:
        try:
            scene = pictures.Scene(robot)
        except DescriptionError as reason:  # a maker's meshes, as a rule: the page works without
            self.get_logger().warning(f"no picture on the page: {reason}")
            return None

        def paint(positions: dict[str, float], azimuth: float, elevation: float) -> bytes:
            view = pictures.View(azimuth=azimuth, elevation=elevation)
            return png(scene.picture(robot.q(positions), WIDTH, HEIGHT, view, smoothing=1))

        return paint


def main() -> None:
    """Run the node."""
    ros.run(JointSlidersNode)


if __name__ == "__main__":
    main()
