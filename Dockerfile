# SPDX-License-Identifier: Apache-2.0
# The workspace on the official ROS 2 image, which has colcon, rosdep, git and a compiler (docs/install.md).
FROM ros:jazzy
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Ubuntu 24.04 keeps pip out of the system's Python unless told; in a container there is no other one to spoil.
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1
WORKDIR /workspace
COPY . .

RUN apt-get update \
    && export DEBIAN_FRONTEND=noninteractive \
    && apt-get install -y --no-install-recommends python3-pip libportaudio2 \
    && rosdep update --rosdistro jazzy \
    && rosdep install --from-paths src --ignore-src --rosdistro jazzy -y \
    && python3 -m pip install -r requirements/ros2.txt \
    && rm -rf /var/lib/apt/lists/*

RUN . /opt/ros/jazzy/setup.bash && make build

ENTRYPOINT ["/bin/bash", "-c", ". /opt/ros/jazzy/setup.bash && . /workspace/scripts/environment.bash && exec \"$@\"", "--"]
CMD ["bash"]
