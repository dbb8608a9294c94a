# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="humanoid_sensors",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_sensors"]),
        ("share/humanoid_sensors", ["package.xml"]),
        ("share/humanoid_sensors/config", glob("config/*")),
        ("share/humanoid_sensors/launch", glob("launch/*.py")),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Drivers of cameras, LiDARs, tactile arrays, force sensors, IMUs and microphones.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            f"{kind} = humanoid_sensors.{kind}_node:main"
            for kind in ("camera", "imu", "lidar", "microphone", "tactile", "wrench")
        ]
    },
)
