# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

package_name = "humanoid_dataset"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["templates/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    maintainer="Humanoid workspace maintainers",
    maintainer_email="maintainers@example.org",
    description="Checks recorded episodes and writes reports about them.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "catalogue = humanoid_dataset.catalogue_cli:main",
            "check = humanoid_dataset.check:main",
            "export = humanoid_dataset.export:main",
            "propose_labels = humanoid_dataset.propose_labels:main",
            "report = humanoid_dataset.report:main",
        ]
    },
)
