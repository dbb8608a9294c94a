# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="humanoid_teleop",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={"humanoid_teleop": ["webxr/page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_teleop"]),
        ("share/humanoid_teleop", ["package.xml"]),
        ("share/humanoid_teleop/config", glob("config/*.yaml")),
        ("share/humanoid_teleop/launch", glob("launch/*.py")),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Operator devices, and the retargeting of what a person does onto a robot's joints.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "motion_player = humanoid_teleop.motion_player_node:main",
            "dynamixel = humanoid_teleop.dynamixel_node:main",
            "handheld = humanoid_teleop.handheld_node:main",
            "joystick = humanoid_teleop.joystick_node:main",
            "keyboard = humanoid_teleop.keyboard_node:main",
            "leader = humanoid_teleop.leader_node:main",
            "mocap = humanoid_teleop.mocap_node:main",
            "replay_motion = humanoid_teleop.replay.command:main",
            "policy = humanoid_teleop.policy_node:main",
            "quality = humanoid_teleop.quality_node:main",
            "retargeting = humanoid_teleop.retargeting_node:main",
            "scripted_operator = humanoid_teleop.scripted_operator_node:main",
            "webxr = humanoid_teleop.webxr_node:main",
        ]
    },
)
