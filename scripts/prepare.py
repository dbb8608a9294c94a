# SPDX-License-Identifier: Apache-2.0
"""Make this machine ready for the workspace: system libraries, ROS 2, the build. Every `make` target calls it.

With ROS 2 Jazzy sourced it uses that and says what is still missing. Without ROS 2 it makes a virtual environment from
requirements/environment.lock, builds src/underlay, then the workspace. It is quick where all that is done, and uses the
standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("HUMANOID_VENV", ROOT / ".venv"))
LOCK = ROOT / "requirements" / "environment.lock"
UNDERLAY = ROOT / ".underlay"
PYTHONS = ((3, 10), (3, 13))

# What a machine with ROS 2 needs besides rosdep's packages: module -> how to get it.
ROS_MACHINE = {
    "pinocchio": "apt: ros-jazzy-pinocchio, or pip: pin",
    "coal": "apt: ros-jazzy-coal, or pip: coal",
    "mujoco": "pip: mujoco",
    "daqp": "pip: daqp",
    "mcap": "pip: mcap",
    "foxglove": "pip: foxglove-sdk",
    "av": "pip: av",
}


class Missing(Exception):
    """Something the user has to install; the message is one line."""


def say(text: str) -> None:
    print(f"[prepare] {text}", flush=True)


def main() -> None:
    try:
        rendering_libraries()
        if os.environ.get("ROS_DISTRO") and "HUMANOID_VENV" not in os.environ:
            installed_ros()
        else:
            environment()
            build("underlay", ROOT / "src" / "underlay", UNDERLAY / "build", UNDERLAY / "install")
        build("workspace", ROOT / "src", ROOT / "build", ROOT / "install")
    except Missing as missing:
        sys.exit(f"[prepare] {missing}")


def rendering_libraries() -> None:
    """One of OSMesa and EGL (with a software driver), for headless rendering."""
    if ctypes.util.find_library("OSMesa") or ctypes.util.find_library("EGL"):
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        say("installing libosmesa6 for headless rendering")
        subprocess.run(["apt-get", "update"], check=False, capture_output=True)
        command = ["apt-get", "install", "-y", "--no-install-recommends", "libosmesa6"]
        if subprocess.run(
            command, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True
        ).returncode:
            raise Missing("rendering needs OSMesa and apt-get could not install it: apt-get install libosmesa6")
        return
    raise Missing(
        "rendering needs OSMesa or EGL: sudo apt-get install libosmesa6 (Fedora: mesa-libOSMesa), then run make again"
    )


def installed_ros() -> None:
    """ROS 2 is sourced: check that it is Jazzy and say what rosdep and pip still have to bring."""
    distribution = os.environ["ROS_DISTRO"]
    if distribution != "jazzy":
        raise Missing(f"ROS 2 {distribution} is sourced, this workspace is for jazzy: source /opt/ros/jazzy/setup.bash")
    if not shutil.which("colcon"):
        raise Missing("colcon is missing: sudo apt-get install python3-colcon-common-extensions")
    if shutil.which("rosdep"):
        rosdep = ["rosdep", "check", "--from-paths", "src", "--ignore-src", "--rosdistro", "jazzy"]
        if subprocess.run(rosdep, cwd=ROOT, check=False, capture_output=True).returncode:
            raise Missing("packages are missing: rosdep install --from-paths src --ignore-src -y, then run make again")
    code = "import importlib.util as u, sys; print(*[m for m in sys.argv[1:] if not u.find_spec(m)])"
    absent = subprocess.run(
        ["python3", "-c", code, *ROS_MACHINE], check=True, capture_output=True, text=True
    ).stdout.split()
    if absent:
        raise Missing("Python modules are missing: " + "; ".join(f"{name} ({ROS_MACHINE[name]})" for name in absent))


def environment() -> None:
    """The virtual environment, exactly as the lock file says."""
    stamp = VENV / "lock.sha256"
    wanted = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    python = build_tools()
    packages = sum(line[0].isalpha() for line in LOCK.read_text().splitlines() if line)
    say(f"making {VENV.name} with {python} and {packages} packages (first run: some minutes, 2 GB)")
    if not (VENV / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", str(VENV)], check=True)
    pip = [
        str(VENV / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--no-deps",
        "-r",
        str(LOCK),
    ]
    result = subprocess.run([*pip, "--quiet", "--progress-bar", "off"], check=False, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()] or ["no message"]
        raise Missing(f"pip could not install the packages of {LOCK.relative_to(ROOT)} (network?): {lines[-1]}")
    own_paths_in_exported_cmake()
    stamp.write_text(wanted)


def build_tools() -> str:
    """A fit Python, and the compiler that interface packages need.

    Returns:
        The interpreter to make the environment with.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        found = f"{platform.system()} {platform.machine()}"
        raise Missing(f"ROS 2 wheels exist for x86-64 Linux only, this is {found}: install ROS 2 Jazzy")
    for tool, package in (("cc", "gcc"), ("c++", "g++"), ("make", "make")):
        if not shutil.which(tool):
            raise Missing(f"no {tool}: sudo apt-get install {package}")
    probe = (
        "import sys, sysconfig, os; import venv, ensurepip; "
        "print(*sys.version_info[:2], os.path.exists(sysconfig.get_path('include') + '/Python.h'))"
    )
    wanted = (
        [os.environ["PYTHON"]]
        if "PYTHON" in os.environ
        else ["python3", "python3.12", "python3.11", "python3.13", "python3.10"]
    )
    lowest, highest = (".".join(map(str, version)) for version in PYTHONS)
    trouble = f"no Python {lowest} to {highest}: sudo apt-get install python3 python3-venv python3-dev"
    for name in wanted:
        if not shutil.which(name):
            continue
        answer = subprocess.run([name, "-c", probe], check=False, capture_output=True, text=True)
        if answer.returncode:
            trouble = f"{name} has no venv: sudo apt-get install {name}-venv"
            continue
        major, minor, headers = answer.stdout.split()
        if not PYTHONS[0] <= (int(major), int(minor)) <= PYTHONS[1]:
            continue
        if headers != "True":
            trouble = f"{name} has no headers: sudo apt-get install {name}-dev"
            continue
        return name
    raise Missing(trouble)


def own_paths_in_exported_cmake() -> None:
    """The wheels' CMake files name the Python of the machine that built them; put this environment's there."""
    python = str(VENV / "bin" / "python")
    code = "import sysconfig, numpy; print(sysconfig.get_path('include')); print(sysconfig.get_path('platlib'))"
    include, packages = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    prefix = r"/opt/python/cp3\d+-cp3\d+"
    for file in VENV.glob("share/**/*.cmake"):
        text = file.read_text(encoding="utf-8")
        new = re.sub(prefix + r"/include/python3\.\d+", include, text)
        new = re.sub(prefix + r"/lib/python3\.\d+/site-packages", packages, new)
        if new != text:
            file.write_text(new, encoding="utf-8")


def build(what: str, source: Path, build_base: Path, install_base: Path) -> None:
    """colcon build, unless nothing that needs a build has changed (Python files are linked, so edits do not)."""
    stamp = build_base / "sources.sha256"
    wanted = sources_hash(source)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"building the {what}")
    packages = sorted(path.parent for path in source.glob("*/package.xml"))
    colcon = [
        "colcon", "--log-base", str(build_base / "log"), "build", "--paths", *map(str, packages),
        "--build-base", str(build_base), "--install-base", str(install_base), "--merge-install", "--symlink-install",
        "--event-handlers", "console_cohesion-", "--cmake-args", "-DBUILD_TESTING=OFF", "-Wno-dev",
    ]  # fmt: skip
    build_base.mkdir(parents=True, exist_ok=True)
    for link in (*build_base.rglob("*"), *install_base.rglob("*")):
        if link.is_symlink() and not link.exists():  # of a source file that is gone: setuptools would stumble over it
            link.unlink()
    with (build_base / "build.log").open("w") as log:
        script = f'. "{ROOT}/scripts/environment.bash" && exec "$@"'
        result = subprocess.run(["bash", "-c", script, "bash", *colcon], cwd=ROOT, check=False, stdout=log, stderr=log)
    if result.returncode:
        tail = (build_base / "build.log").read_text().splitlines()[-15:]
        raise Missing(
            "\n".join(
                [*tail, f"[prepare] building the {what} failed: see {(build_base / 'build.log').relative_to(ROOT)}"]
            )
        )
    stamp.write_text(wanted)


def sources_hash(source: Path) -> str:
    """Which files there are, and what stands in those that a build reads."""
    read = {".msg", ".srv", ".action", ".xml", ".cfg", ".txt", ".cmake", ".c", ".h"}
    digest = hashlib.sha256()
    folders = [source] if source.name == "underlay" else [source, ROOT / "launch", ROOT / "config", ROOT / "urdf"]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if (
                (source.name != "underlay" and "underlay" in path.parts)
                or "__pycache__" in path.parts
                or not path.is_file()
            ):
                continue
            if ".egg-info" in str(path) or path.suffix == ".so":  # what a build leaves in the source folders
                continue
            digest.update(str(path.relative_to(ROOT)).encode())
            if path.suffix in read or path.name == "setup.py":
                digest.update(path.read_bytes())
    digest.update((VENV / "lock.sha256").read_bytes() if (VENV / "lock.sha256").exists() else b"")
    return digest.hexdigest()


if __name__ == "__main__":
    main()
