# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import Extension, find_packages, setup

# Plain C, loaded with ctypes. No fused operations, so that all machines agree to the bit.
native = Extension(
    "humanoid_safety._native",
    ["humanoid_safety/csrc/kernel.c"],
    depends=glob("humanoid_safety/csrc/*.h"),
    extra_compile_args=["-O3", "-std=c99", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    libraries=["m"],
)

setup(
    name="humanoid_safety",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_safety"]),
        ("share/humanoid_safety", ["package.xml"]),
        ("share/humanoid_safety/config", glob("config/*.yaml")),
        ("share/humanoid_safety/launch", glob("launch/*.py")),
    ],
    ext_modules=[native],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Arbiter of joint-target sources, watchdogs and joint limiter.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "safety = humanoid_safety.safety_node:main",
            "heartbeat = humanoid_safety.heartbeat_node:main",
        ]
    },
)
