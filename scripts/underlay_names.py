# SPDX-License-Identifier: Apache-2.0
"""Names of ROS 2's packages that the workspace uses of `src/underlay`, and upstream's tests that ask for no others.

    python3 scripts/underlay_names.py                    names of each package, and `ros2` commands
    python3 scripts/underlay_names.py --tests FOLDER...  upstream's tests of those names (-v: of others too)

A test asks for the names that it, its fixtures, its class and the helpers they call take from a package. Names are told
apart by package, not by module: upstream offers most in several (`launch.Action`, `launch.action.Action`).
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNDERLAY = ROOT / "src" / "underlay"
COMMAND = re.compile(
    r"\bros2[\"', ]+(?:(launch|run)\b|(action|bag|interface|lifecycle|node|param|pkg|service|topic)[\"', ]+([a-z]+))"
)
Name = tuple[str, str]  # package, name in it

# Nobody imports these here, but `ros2 launch` and every launch file run on them.
IMPLIED: set[Name] = {
    ("launch", "LaunchService"),
    ("launch", "LaunchDescriptionSource"),
    ("launch", "InvalidLaunchFileError"),
    ("launch", "SetLaunchConfiguration"),  # an argument with a value
    ("launch", "TextSubstitution"),  # a string
    ("launch", "normalize_to_list_of_substitutions"),
    ("launch", "perform_substitutions"),
    ("launch", "EventHandler"),
    ("launch", "Event"),
    ("launch_ros", "normalize_parameters"),
    ("launch_ros", "evaluate_parameters"),
    ("launch_ros", "normalize_remap_rule"),
    ("launch_ros", "normalize_remap_rules"),
    ("launch_ros", "ParameterFile"),
}


def packages() -> set[str]:
    """Modules of the underlay, and those that tests of upstream's reach for beside them."""
    return {path.parent.name for path in UNDERLAY.glob("*/*/__init__.py")} | {"tf2_msgs"}


def our_files() -> list[Path]:
    """Python files of the workspace outside the underlay."""
    folders = (ROOT / name for name in ("src", "launch", "tests", "bench", "scripts"))
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return [path for path in files if UNDERLAY not in path.parents and "node_modules" not in path.parts]


def names_used(modules: set[str]) -> dict[Name, list[Path]]:
    """Every (module, name) that our code takes from the given top-level modules, and where."""
    used: dict[Name, list[Path]] = {}
    for path in our_files():
        source = Source(path)
        for dotted in set().union(*(source.dotted(node) for node in source.tree.body), source.imported.values()):
            if dotted.split(".")[0] in modules and "." in dotted:
                module, name = split(dotted)
                used.setdefault((module, name), []).append(path)
    return used


def commands_used() -> set[str]:
    """`ros2` commands in code, documents and recipes."""
    pages = [
        ROOT / "Makefile",
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "src").glob("humanoid_*/*.md"),
    ]
    found = set()
    for path in [*our_files(), *pages]:
        found |= {" ".join(filter(None, match)) for match in COMMAND.findall(path.read_text(encoding="utf-8"))}
    return found


def split(dotted: str) -> Name:
    """Module and name: `launch.actions.Node.cmd` is Node of launch.actions."""
    parts = dotted.split(".")
    at = next((i for i, part in enumerate(parts) if part[0].isupper()), len(parts) - 1)
    return ".".join(parts[:at]), parts[at]


@dataclass
class Source:
    """A parsed file: what its names are bound to."""

    path: Path
    tree: ast.Module = field(init=False)
    imported: dict[str, str] = field(init=False, default_factory=dict)  # local name -> dotted name
    bound: dict[str, list[ast.stmt]] = field(init=False, default_factory=dict)  # module-level name -> statements

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.split(".")[0]
                    self.imported[alias.asname or top] = alias.name if alias.asname else top
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.bound.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name):
                            self.bound.setdefault(name.id, []).append(node)

    def dotted(self, node: ast.AST) -> set[str]:
        """Full names of what a statement takes from imported modules."""
        found: set[str] = set()
        inner: set[ast.AST] = set()
        for part in ast.walk(node):
            if not isinstance(part, ast.Attribute | ast.Name) or part in inner:
                continue
            chain: list[str] = []
            root: ast.expr = part
            while isinstance(root, ast.Attribute):
                inner.add(root.value)
                chain.insert(0, root.attr)
                root = root.value
            if isinstance(root, ast.Name) and root.id in self.imported:
                found.add(".".join([self.imported[root.id], *chain]))
        return found


@dataclass(frozen=True)
class Test:
    """One test function of upstream's and the names it asks for."""

    place: str  # as pytest calls it
    needs: frozenset[Name]


def tests_in(folder: Path) -> Iterator[Test]:
    """Every test function below a folder (or of a file)."""
    for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]:
        source = Source(path)
        everywhere = [node for nodes in source.bound.values() for node in nodes if "autouse=True" in ast.unparse(node)]
        for node in source.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                yield Test(f"{path}::{node.name}", needs(source, node, *everywhere))
            elif isinstance(node, ast.ClassDef):
                methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
                shared = [part for part in node.body if part not in methods or not part.name.startswith("test")]
                for method in methods:
                    if method.name.startswith("test"):
                        found = needs(source, method, *node.bases, *node.decorator_list, *shared, *everywhere)
                        yield Test(f"{path}::{node.name}::{method.name}", found)


def needs(source: Source, *start: ast.AST) -> frozenset[Name]:
    """Names of packages that are no part of Python or PyPI's, in these nodes and in what of the file they refer to."""
    found: set[Name] = set()
    seen: set[ast.AST] = set()
    open_: list[ast.AST] = [*start]
    while open_:
        node = open_.pop()
        if node in seen:
            continue
        seen.add(node)
        local = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        local |= {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}  # fixtures
        open_ += [bound for name in local for bound in source.bound.get(name, [])]
        for dotted in source.dotted(node):
            package = dotted.split(".")[0]
            helpers = [folder / f"{package}.py" for folder in source.path.parents[:5]]  # beside the test or above
            helper = next((path for path in helpers if path.is_file()), None)
            if helper:
                other = Source(helper)
                for bound in other.bound.get(split(dotted)[1], []):
                    found |= needs(other, bound)
            elif package in packages() or foreign(package):
                found.add((package, split(dotted)[1]))
    return frozenset(found)


@cache
def foreign(package: str) -> bool:
    return package not in sys.stdlib_module_names and importlib.util.find_spec(package) is None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--tests", nargs="+", type=Path, default=[], metavar="FOLDER", help="folders of upstream's tests"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="also the tests of other names, and which")
    arguments = parser.parse_args()
    used = {(module.split(".")[0], name) for module, name in names_used(packages())} | IMPLIED
    if not arguments.tests:
        for package in sorted(packages()):
            print(f"{package}: {', '.join(sorted(name for of, name in used if of == package)) or 'nothing'}")
        print("ros2:", ", ".join(sorted(commands_used())))
        return
    for folder in arguments.tests:
        for test in tests_in(folder):
            other = test.needs - used
            if not other:
                print(test.place)
            elif arguments.verbose:
                print(f"# {test.place} needs {', '.join(sorted('.'.join(name) for name in other))}")


if __name__ == "__main__":
    main()
