# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="humanoid_core",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_core"]),
        ("share/humanoid_core", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="What every package of the workspace shares.",
    license="Apache-2.0",
)
