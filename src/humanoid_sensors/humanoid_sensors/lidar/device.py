# SPDX-License-Identifier: Apache-2.0
"""A LiDAR as a device: a source of datagrams and the decoder of its model."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from humanoid_core.errors import ConfigError
from humanoid_sensors.lidar.cloud import Decoder, Sweep
from humanoid_sensors.lidar.hesai import PandarQt64
from humanoid_sensors.lidar.livox import ImuSample, Mid360
from humanoid_sensors.lidar.livox_control import LivoxControl
from humanoid_sensors.lidar.ouster import Ouster
from humanoid_sensors.lidar.velodyne import Vlp16
from humanoid_sensors.network import DatagramSource

PORTS = {  # of points and, where the model has one, of its IMU, as the makers set them
    "livox_mid360": (56301, 56401),
    "velodyne_vlp16": (2368,),
    "hesai_qt64": (2368,),
    "ouster": (7502,),
}


def decoder(model: str, device: str, calibration: str, rate: float) -> Decoder:
    """The decoder of a model.

    Args:
        model: One of PORTS.
        device: Name, for errors.
        calibration: The file that came with the device, or was asked of it, where the model needs one.
        rate: Sweeps per second, of models that do not turn [Hz].

    Raises:
        ConfigError: the calibration is missing or wrong.
    """
    if model == "livox_mid360":
        return Mid360(device, 1.0 / rate)
    if model == "velodyne_vlp16":
        return Vlp16(device)
    if not calibration:
        raise ConfigError(device, "calibration", "nothing", f"the file that a {model} needs")
    return PandarQt64(device, Path(calibration)) if model == "hesai_qt64" else Ouster(device, Path(calibration))


class LidarDevice:
    """Sweeps, and samples of the IMU where the LiDAR has one.

    Args:
        name: Name and address, for people.
        source: Where its datagrams come from.
        decoder: Of its model.
        imu_port: Port on which samples of its IMU come; 0: none.
        control: Sets the device up when it is opened; None: it is set up already, or recorded.
    """

    def __init__(
        self,
        name: str,
        source: DatagramSource,
        decoder: Decoder,
        imu_port: int = 0,
        control: LivoxControl | None = None,
    ) -> None:
        self.name = name
        self._source, self._decoder, self._imu_port, self._control = source, decoder, imu_port, control
        self._waiting: deque[tuple[int, bytes, int]] = deque()

    def open(self) -> None:
        self._source.open()
        if self._control is not None:
            self._control.set_up()

    def read(self) -> Iterable[Sweep | ImuSample]:
        if not self._waiting:
            try:
                self._waiting.extend(self._source.read())
            except EOFError:
                last = self._decoder.flush()
                if last is None:
                    raise
                yield last
        while self._waiting:  # one that raises is gone, those after it are taken by the next call
            port, payload, arrival = self._waiting.popleft()
            if self._imu_port and port == self._imu_port and isinstance(self._decoder, Mid360):
                yield self._decoder.imu(payload, arrival)
            else:
                sweep = self._decoder.feed(payload, arrival)
                if sweep is not None:
                    yield sweep

    def close(self) -> None:
        self._source.close()
        self._waiting.clear()
