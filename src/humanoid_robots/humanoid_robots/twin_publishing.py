# SPDX-License-Identifier: Apache-2.0
"""Readings of the twin as messages on its topics."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from geometry_msgs.msg import Point32, TransformStamped, Vector3, WrenchStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Imu, JointState, PointCloud2, PointField
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from humanoid_core import convert, endpoints, ros, rotations
from humanoid_description.sensors import Imager
from humanoid_interfaces.msg import AudioChunk, RobotStatus, SceneEvent, SceneObject, SceneObjects, TactileArray
from humanoid_robots import readings
from humanoid_robots.servo import Mode
from humanoid_robots.tactile import taxel_positions
from humanoid_robots.twin import Twin

ODOM = "odom"
_LITTLE_ENDIAN = False
# compressed_depth_image_transport: an enum (0: depth in its own unit) and two parameters that 16-bit depth does not
# use.
_DEPTH_HEADER = struct.pack("<iff", 0, 0.0, 0.0)


class TwinPublisher:
    """Publishes what the twin measures.

    Args:
        node: The node.
        twin: The twin.
    """

    def __init__(self, node: Node, twin: Twin) -> None:
        config = twin.robot.config
        self._config = config
        self._twin = twin
        self._bridge = CvBridge()
        self._jpeg = [cv2.IMWRITE_JPEG_QUALITY, twin.settings.jpeg_quality]
        # Run lengths: on noisy depth a quarter faster and a tenth smaller than zlib's own strategy (bench-recorder).
        self._png = [cv2.IMWRITE_PNG_COMPRESSION, twin.settings.png_level]
        self._png += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]

        def at(endpoint: endpoints.Endpoint, **parts: str) -> Any:
            return ros.publisher(node, endpoint.at(**parts))

        self._clock = ros.publisher(node, endpoints.CLOCK)
        self._joints = ros.publisher(node, endpoints.JOINT_STATES)
        self._odometry = ros.publisher(node, endpoints.ODOMETRY)
        self._tf = ros.publisher(node, endpoints.TF)
        self._status = ros.publisher(node, endpoints.ROBOT_STATUS)
        self._objects = ros.publisher(node, endpoints.SCENE_OBJECTS)
        self._events = ros.publisher(node, endpoints.SCENE_EVENTS)
        self._imus = {place: at(endpoints.IMU, place=place) for place in config.imus}
        self._wrenches = {place: at(endpoints.WRENCH, place=place) for place in config.wrenches}
        self._tactile = {place: at(endpoints.TACTILE, place=place) for place in config.tactile}
        self._points = ros.publisher(node, endpoints.LIDAR_POINTS) if config.lidar is not None else None
        self._audio = ros.publisher(node, endpoints.AUDIO) if config.microphone is not None else None
        self._images: dict[tuple[str, str], tuple[Any, Any, Any]] = {}
        self._infos: dict[tuple[str, str], CameraInfo] = {}
        for view in twin.views:
            raw, compressed, info = (
                (endpoints.CAMERA_COLOR, endpoints.CAMERA_COLOR_COMPRESSED, endpoints.CAMERA_COLOR_INFO)
                if view.stream == "color"
                else (endpoints.CAMERA_DEPTH, endpoints.CAMERA_DEPTH_COMPRESSED, endpoints.CAMERA_DEPTH_INFO)
            )
            key = (view.camera, view.stream)
            self._images[key] = tuple(at(endpoint, camera=view.camera) for endpoint in (raw, compressed, info))  # type: ignore[assignment]
            self._infos[key] = camera_info(view.imager)
        # Messages that are filled anew and sent again: names and layouts do not change.
        self._joint_message = JointState(name=list(twin.joints))
        self._tactile_messages = {place: _tactile_message(pad) for place, pad in config.tactile.items()}
        self._by_kind = {
            readings.JointReading: self._joint_state,
            readings.ImuReading: self._imu,
            readings.WrenchReading: self._wrench,
            readings.TactileReading: self._pressure,
            readings.CloudReading: self._cloud,
            readings.SoundReading: self._heard,
            readings.ObjectsReading: self._scene,
            readings.BaseReading: self._base,
            readings.EventReading: self._event,
            readings.ImageReading: self.image,
        }

    def clock(self, stamp: int) -> None:
        """Publish simulated time [ns]."""
        self._clock.publish(Clock(clock=convert.to_stamp(stamp)))

    def publish(self, reading: readings.Reading) -> None:
        """Publish one reading."""
        self._by_kind[type(reading)](reading)  # type: ignore[operator]

    def status(self, stamp: int, mode: Mode, message: str) -> None:
        """Publish what the robot is about. The twin knows no currents: makers publish no torque constants."""
        names = list(self._twin.joints)
        status = RobotStatus(mode=int(mode), message=message, joint_names=names)
        status.temperatures = array("f", self._twin.windings.temperature.tolist())
        status.currents = array("f", [float("nan")] * len(names))
        status.header.stamp = convert.to_stamp(stamp)
        status.header.frame_id = self._config.base_frame
        self._status.publish(status)

    def image(self, reading: readings.ImageReading) -> None:
        """Publish an image: compressed always, raw while somebody listens, with its calibration."""
        self.encoded(reading)()

    def encoded(self, reading: readings.ImageReading) -> Callable[[], None]:
        """Encode an image, in any thread; what is returned publishes it."""
        key = (reading.camera, reading.stream)
        raw, compressed, info = self._images[key]
        header = Header(stamp=convert.to_stamp(reading.stamp), frame_id=self._infos[key].header.frame_id)
        message = CompressedImage(header=header)
        if reading.stream == "color":
            message.format = "rgb8; jpeg compressed bgr8"
            encoded = cv2.imencode(".jpg", cv2.cvtColor(reading.image, cv2.COLOR_RGB2BGR), self._jpeg)[1].tobytes()
        else:
            message.format = "16UC1; compressedDepth png"
            encoded = _DEPTH_HEADER + cv2.imencode(".png", reading.image, self._png)[1].tobytes()
        message.data = array("B", encoded)
        uncompressed = (
            self._bridge.cv2_to_imgmsg(reading.image, "rgb8" if reading.stream == "color" else "16UC1", header)
            if raw.get_subscription_count()
            else None
        )

        def publish() -> None:
            compressed.publish(message)
            if uncompressed is not None:
                raw.publish(uncompressed)
            calibration = self._infos[key]
            calibration.header.stamp = header.stamp
            info.publish(calibration)

        return publish

    def _joint_state(self, reading: readings.JointReading) -> None:
        message = self._joint_message
        message.header.stamp = convert.to_stamp(reading.stamp)
        message.position = array("d", reading.position.tobytes())
        message.velocity = array("d", reading.velocity.tobytes())
        message.effort = array("d", reading.effort.tobytes())
        self._joints.publish(message)

    def _imu(self, reading: readings.ImuReading) -> None:
        message = Imu()
        message.header.stamp = convert.to_stamp(reading.stamp)
        message.header.frame_id = self._config.imus[reading.place].frame
        q = message.orientation
        q.x, q.y, q.z, q.w = reading.orientation.tolist()
        _fill(message.angular_velocity, reading.angular_velocity)
        _fill(message.linear_acceleration, reading.linear_acceleration)
        self._imus[reading.place].publish(message)

    def _wrench(self, reading: readings.WrenchReading) -> None:
        message = WrenchStamped()
        message.header.stamp = convert.to_stamp(reading.stamp)
        message.header.frame_id = self._config.wrenches[reading.place].frame
        _fill(message.wrench.force, reading.force)
        _fill(message.wrench.torque, reading.torque)
        self._wrenches[reading.place].publish(message)

    def _pressure(self, reading: readings.TactileReading) -> None:
        message = self._tactile_messages[reading.place]
        message.header.stamp = convert.to_stamp(reading.stamp)
        message.values = array("f", reading.pressure.astype(np.float32).tobytes())
        self._tactile[reading.place].publish(message)

    def _cloud(self, reading: readings.CloudReading) -> None:
        assert self._points is not None
        assert self._config.lidar is not None
        message = point_cloud(reading, self._config.lidar.frame)
        self._points.publish(message)

    def _heard(self, reading: readings.SoundReading) -> None:
        microphone = self._config.microphone
        assert self._audio is not None
        assert microphone is not None
        message = AudioChunk(sample_rate=microphone.samples_per_second, channels=1, encoding="pcm_s16le")
        message.first_sample = reading.first
        message.header.stamp = convert.to_stamp(reading.stamp)
        message.header.frame_id = microphone.frame
        message.data = array("B", (32767.0 * np.clip(reading.samples, -1.0, 1.0)).astype("<i2").tobytes())
        self._audio.publish(message)

    def _scene(self, reading: readings.ObjectsReading) -> None:
        layout = self._twin.plant.layout
        message = SceneObjects(scene=layout.scene.name, seed=layout.seed)
        message.header.stamp = convert.to_stamp(reading.stamp)
        message.header.frame_id = ODOM
        for item in reading.objects:
            size = Vector3()
            _fill(size, item.size)
            pose = convert.to_pose(item.position, item.orientation)
            message.objects.append(
                SceneObject(name=item.name, category=item.category, pose=pose, size=size, goal=item.goal)
            )
        self._objects.publish(message)

    def _base(self, reading: readings.BaseReading) -> None:
        base = self._config.base_frame
        odometry = Odometry(child_frame_id=base)
        odometry.header.stamp = convert.to_stamp(reading.stamp)
        odometry.header.frame_id = ODOM
        odometry.pose.pose = convert.to_pose(reading.position, reading.orientation)
        _fill(odometry.twist.twist.linear, reading.linear)
        _fill(odometry.twist.twist.angular, reading.angular)
        self._odometry.publish(odometry)
        here = _transform(odometry.header.stamp, ODOM, base, reading.position, reading.orientation)
        below = _transform(odometry.header.stamp, base, "base_footprint", *_footprint(reading))
        self._tf.publish(TFMessage(transforms=[here, below]))

    def _event(self, reading: readings.EventReading) -> None:
        event = SceneEvent(kind=reading.kind, object=reading.object, target=reading.target, detail=reading.detail)
        event.header.stamp = convert.to_stamp(reading.stamp)
        event.header.frame_id = ODOM
        self._events.publish(event)


def camera_info(imager: Imager) -> CameraInfo:
    """Calibration of an ideal pinhole: pixel centres at whole numbers, so the middle of the image is at (width - 1) /
    2."""
    f, cx, cy = imager.focal_length, 0.5 * (imager.width - 1), 0.5 * (imager.height - 1)
    info = CameraInfo(width=imager.width, height=imager.height, distortion_model="plumb_bob")
    info.header.frame_id = imager.frame
    info.d = [0.0] * 5
    info.k = [f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def point_cloud(reading: readings.CloudReading, frame: str) -> PointCloud2:
    """A cloud with x, y, z [m], intensity, and t: nanoseconds after the header's stamp."""
    rows = np.empty(len(reading.points), dtype=[("xyz", "<f4", 3), ("intensity", "<f4"), ("t", "<u4")])
    rows["xyz"], rows["intensity"], rows["t"] = reading.points, reading.intensity, reading.offsets
    names = (("x", 0, "f"), ("y", 4, "f"), ("z", 8, "f"), ("intensity", 12, "f"), ("t", 16, "u"))
    kinds = {"f": PointField.FLOAT32, "u": PointField.UINT32}
    cloud = PointCloud2(height=1, width=len(rows), is_bigendian=_LITTLE_ENDIAN, is_dense=True)
    cloud.header.stamp = convert.to_stamp(reading.stamp)
    cloud.header.frame_id = frame
    cloud.fields = [PointField(name=name, offset=at, datatype=kinds[kind], count=1) for name, at, kind in names]
    cloud.point_step, cloud.row_step = rows.itemsize, rows.itemsize * len(rows)
    cloud.data = array("B", rows.tobytes())
    return cloud


def _tactile_message(pad: Any) -> TactileArray:
    message = TactileArray(quantity=TactileArray.PRESSURE, rows=pad.rows, columns=pad.columns)
    message.header.frame_id = pad.frame
    message.positions = [Point32(x=x, y=y, z=z) for x, y, z in taxel_positions(pad).tolist()]
    return message


def _footprint(base: readings.BaseReading) -> tuple[np.ndarray, np.ndarray]:
    """base_footprint in the base: on the floor under it, upright, turned as the base is."""
    x, y, z, w = base.orientation
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    upright = np.array((0.0, 0.0, np.sin(0.5 * yaw), np.cos(0.5 * yaw)))
    base_from_odom = np.array((-x, -y, -z, w))
    down = np.array((0.0, 0.0, -base.position[2]))
    return rotations.matrix(base_from_odom) @ down, rotations.multiply(base_from_odom, upright)


def _transform(stamp: Time, parent: str, child: str, position: np.ndarray, orientation: np.ndarray) -> TransformStamped:
    transform = TransformStamped(child_frame_id=child)
    transform.header.stamp = stamp
    transform.header.frame_id = parent
    _fill(transform.transform.translation, position)
    q = transform.transform.rotation
    q.x, q.y, q.z, q.w = orientation.tolist()
    return transform


def _fill(vector: Any, values: np.ndarray) -> None:
    vector.x, vector.y, vector.z = values.tolist()
