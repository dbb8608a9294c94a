# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="humanoid_console",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={"humanoid_console": ["page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_console"]),
        ("share/humanoid_console", ["package.xml"]),
        ("share/humanoid_console/config", glob("config/*.yaml")),
        ("share/humanoid_console/launch", glob("launch/*.py")),
        ("share/humanoid_console/web", glob("web/*.html")),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="What people see of a robot, and collect with: console, Foxglove view, joint sliders.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "console = humanoid_console.console_node:main",
            "foxglove_view = humanoid_console.foxglove_view_node:main",
            "joint_sliders = humanoid_console.joint_sliders_node:main",
        ],
    },
)
