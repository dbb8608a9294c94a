# SPDX-License-Identifier: Apache-2.0
"""The workspace as a whole: packages say what they need, and the underlay has what we use and stays small."""

from __future__ import annotations

import ast
import hashlib
import importlib
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from humanoid_core import endpoints
from scripts.underlay_names import names_used, our_files, packages

ROOT = Path(__file__).parent.parent
UNDERLAY = ROOT / "src" / "underlay"
PACKAGES = sorted(path.parent for path in (ROOT / "src").glob("humanoid_*/package.xml"))

# Module of a Python file -> key in package.xml, where they differ. The keys are rosdep's for Ubuntu 24.04, or released
# packages of Jazzy. None: rosdep has no key, so requirements/ros2.txt lists it for pip.
KEYS = {
    "av": None,
    "pymodbus": None,
    "pyrealsense2": None,
    "serial": "python3-serial",
    "sounddevice": None,
    "aiohttp": "python3-aiohttp",
    "cryptography": "python3-cryptography",
    "segno": "python3-segno",
    "cv2": "python3-opencv",
    "daqp": None,
    "foxglove": None,
    "h5py": "python3-h5py",
    "hypothesis": "python3-hypothesis",
    "jinja2": "python3-jinja2",
    "lz4": "mcap-ros2-support",  # brings it
    "markupsafe": "python3-jinja2",
    "matplotlib": "python3-matplotlib",
    "mcap": "mcap-ros2-support",  # brings it
    "mcap_ros2": "mcap-ros2-support",
    "moveit": "moveit_py",
    "mujoco": "python3-mujoco-pip",
    "numba": "python3-numba",
    "numpy": "python3-numpy",
    "PIL": "python3-pil",
    "psutil": "python3-psutil",
    "pyarrow": None,
    "rosbags": "python3-rosbags-pip",
    "scipy": "python3-scipy",
    "websockets": "python3-websockets",
    "yaml": "python3-yaml",
    "zstandard": "mcap-ros2-support",  # brings it
}


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def test_everything_we_use_of_upstream_is_in_the_underlay():
    used = names_used(packages())
    assert used, "the scan found nothing: is it looking in the right place?"
    absent = []
    for (module, name), places in sorted(used.items()):
        try:
            there = hasattr(importlib.import_module(module), name) or importlib.import_module(f"{module}.{name}")
        except ImportError:
            there = False
        if not there:
            absent.append(f"{module}.{name} (used in {places[0].relative_to(ROOT)})")
    print(f"{len(used)} names of upstream packages are used:", *sorted(f"{m}.{n}" for m, n in used), sep="\n  ")
    assert not absent, absent


WRITTEN = {
    ".py",
    ".xacro",
    ".yaml",
    ".msg",
    ".srv",
    ".xml",
    ".md",
    ".bash",
    ".html",
    ".css",
    ".ts",
    ".txt",
    ".in",
    ".cfg",
}


def lines(folder: Path) -> int:
    """Lines that people wrote: code, models, configuration, documents; tests included, generated files left out."""
    built = {".venv", ".underlay", "build", "install", "log", "out", "page", "node_modules"}
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix in WRITTEN and not built & set(path.relative_to(ROOT).parts) and path.is_file()
    ]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files if ".egg-info" not in str(path))


def test_the_underlay_stays_small():
    underlay, everything = lines(UNDERLAY), lines(ROOT)
    print(f"{underlay} of {everything} lines are underlay: {underlay / everything:.1%}")
    assert underlay < 0.15 * everything, f"{underlay} of {everything} lines are underlay"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_declares_what_it_imports(package):
    manifest = ElementTree.parse(package / "package.xml").getroot()
    declared = {element.text for element in manifest if element.tag.endswith("depend")}
    imported: dict[str, Path] = {}
    for path in python_files(package / package.name, package / "launch"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found = [node.module]
            else:
                continue
            imported.update({name.split(".")[0]: path for name in found})
    foreign = {name for name in imported if name not in sys.stdlib_module_names and name != package.name}
    by_pip = (ROOT / "requirements" / "ros2.txt").read_text(encoding="utf-8")
    absent = {}
    for name in foreign:
        key = KEYS.get(name, name)
        if key not in declared and not (key is None and name.replace("_", "-") in by_pip):
            absent[name] = str(imported[name].relative_to(ROOT))
    assert not absent, f"{package.name}/package.xml lacks {absent}"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_complete(package):
    manifest = ElementTree.parse(package / "package.xml").getroot()
    assert manifest.findtext("license") == "Apache-2.0"
    assert manifest.findtext("name") == package.name
    assert (package / "README.md").is_file()
    assert "REP-2004" in (package / "README.md").read_text(encoding="utf-8")


def test_dependencies_point_one_way():
    order = ["humanoid_interfaces", "humanoid_core", "humanoid_description"]
    for package in PACKAGES:
        manifest = ElementTree.parse(package / "package.xml").getroot()
        needs = {element.text for element in manifest if element.tag in ("depend", "exec_depend")}
        ours = {name for name in needs if name.startswith("humanoid_")}
        if package.name in order:
            assert ours <= set(order[: order.index(package.name)]), package.name
        elif package.name != "humanoid_bringup":
            assert "humanoid_bringup" not in ours, package.name
            nodes = [
                name
                for name in ours - set(order)
                if name not in ("humanoid_sync", "humanoid_recorder", "humanoid_dataset")
            ]
            assert not nodes, f"{package.name} imports {nodes}: packages meet on topics"


def test_every_file_carries_its_licence():
    without = [
        str(path.relative_to(ROOT))
        for path in [*our_files(), *python_files(UNDERLAY)]
        if path.stat().st_size and "SPDX-License-Identifier: Apache-2.0" not in path.read_text(encoding="utf-8")[:300]
    ]
    assert not without


def test_no_machine_is_named():
    pattern = re.compile(r"(?<![\w.])/(root|work|home/\w+)/")
    for path in [*our_files(), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "Makefile"]:
        assert not pattern.search(path.read_text(encoding="utf-8")) or path == Path(__file__), path


def test_the_topic_table_is_complete():
    names = {
        value.name.replace("{", "<").replace("}", ">")
        for value in vars(endpoints).values()
        if isinstance(value, endpoints.Endpoint)
    }
    table = (ROOT / "docs" / "topics.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == names


def test_links_in_the_documents_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("README.md")]:
        if "node_modules" in page.parts:
            continue
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


@pytest.mark.parametrize(
    "page", ["humanoid_teleop/humanoid_teleop/webxr/page", "humanoid_console/humanoid_console/page"]
)
def test_a_page_was_built_from_its_sources(page):
    web = ROOT / "src" / page.split("/")[0] / "web"
    sources = sorted(f"src/{path.name}" for path in (web / "src").iterdir())
    digest = hashlib.sha256()
    for file in ["index.html", "package-lock.json", "../../humanoid_core/web/connection.ts", *sources]:
        digest.update(f"{file}\n".encode() + (web / file).read_bytes())
    built = (ROOT / "src" / page / "sources.sha256").read_text().strip()
    assert built == digest.hexdigest(), f"the page is older than its sources: npm run build in {web.relative_to(ROOT)}"
