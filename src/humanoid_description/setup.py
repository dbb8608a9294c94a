# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

from setuptools import find_packages, setup

# The models lie at the top of the workspace, beside launch/ and config/. colcon runs this file in the package's
# folder, or through a link in its build folder.
PACKAGE = Path(__file__).resolve().parent
MODELS = PACKAGE.parents[1] / "urdf"


def model_files() -> list[tuple[str, list[str]]]:
    """Every file under urdf/, for the share folder, by paths relative to where setuptools runs."""
    return [
        (
            f"share/humanoid_description/urdf/{folder.relative_to(MODELS)}",
            [os.path.relpath(file, Path.cwd()) for file in sorted(folder.iterdir()) if file.is_file()],
        )
        for folder in sorted(path for path in MODELS.rglob("*") if path.is_dir())
    ]


setup(
    name="humanoid_description",
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/humanoid_description"]),
        ("share/humanoid_description", ["package.xml"]),
        *model_files(),
    ],
    install_requires=["setuptools"],
    zip_safe=True,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Robot models of the workspace.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "check = humanoid_description.check:main",
            "make_srdf = humanoid_description.make_srdf:main",
            "pictures = humanoid_description.pictures:main",
            "urdf = humanoid_description.urdf:main",
        ],
    },
)
