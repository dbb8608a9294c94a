# SPDX-License-Identifier: Apache-2.0
# Source this file to work in the workspace: it puts ROS 2 (installed, or the virtual environment made by `make`), the
# underlay and the built workspace on the paths. `make shell` does it for you.
_workspace="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

if [ -z "${ROS_DISTRO:-}" ] || [ -n "${HUMANOID_VENV:-}" ]; then
    export HUMANOID_VENV="${HUMANOID_VENV:-$_workspace/.venv}"
    export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
    export VIRTUAL_ENV="$HUMANOID_VENV"
    case ":$PATH:" in *":$HUMANOID_VENV/bin:"*) ;; *) export PATH="$HUMANOID_VENV/bin:$PATH" ;; esac
    export AMENT_PREFIX_PATH="$HUMANOID_VENV" CMAKE_PREFIX_PATH="$HUMANOID_VENV"
    # The wheels re-execute each Python once to set this path; doing it here halves the start of every node.
    LD_LIBRARY_PATH="$HUMANOID_VENV/lib:$(printf '%s:' "$HUMANOID_VENV"/lib/python3.*/site-packages/ros_*.libs)${LD_LIBRARY_PATH:-}"
    export LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    if [ -f "$_workspace/.underlay/install/local_setup.bash" ]; then
        . "$_workspace/.underlay/install/local_setup.bash"
    fi
fi
if [ -f "$_workspace/install/local_setup.bash" ]; then
    . "$_workspace/install/local_setup.bash"
fi
unset _workspace
