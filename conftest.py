# SPDX-License-Identifier: Apache-2.0
"""For every test of the workspace: a ROS domain of its own, this machine only, one thread per numeric library."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("workspace", deadline=None)
settings.load_profile("workspace")

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

# Two test runs on one machine should not meet: each starts its count elsewhere.
_domains = itertools.count(os.getpid() % 200)


@pytest.fixture(scope="module", autouse=True)
def ros_domain() -> int:
    """The ROS domain of this test module; also in the environment of the processes it starts."""
    domain = 1 + next(_domains) % 200
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    return domain


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings to run against, where they are: $HUMANOID_SHARED_DATA, or shared/data beside the repository."""
    place = os.environ.get("HUMANOID_SHARED_DATA", str(Path(__file__).parent.parent / "shared" / "data"))
    if not Path(place).is_dir():
        pytest.skip("real recordings are not here: set HUMANOID_SHARED_DATA to their folder")
    return Path(place)
