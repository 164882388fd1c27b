"""Who installs one side's extra has all that this side imports: `pip install classbox[gateway]` runs a gateway."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_IMPORT_ALL = """
import importlib.machinery, pkgutil, sys

blocked = set(sys.argv[2].split(","))

find_spec = importlib.machinery.PathFinder.find_spec

def find_others(name, path=None, target=None):
    return None if name.partition(".")[0] in blocked else find_spec(name, path, target)

importlib.machinery.PathFinder.find_spec = find_others
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if ".migrations" not in module.name:
        importlib.import_module(module.name)
"""


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]).lower()


def installed_with(extra: str) -> set[str]:
    """The distributions that come with an extra, and what they need in turn."""
    found: set[str] = set()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    todo = [name_of(line) for line in (*project["dependencies"], *project["optional-dependencies"][extra])]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            try:
                todo += [name_of(line) for line in requires(name) or [] if "extra ==" not in line or "asyncio" in line]
            except PackageNotFoundError:  # not for this platform
                continue
    return found


@pytest.mark.parametrize(("package", "extra"), [("gateway", "gateway"), ("edge", "edge")])
def test_a_side_imports_nothing_that_its_extra_does_not_bring(package: str, extra: str):
    mine = installed_with(extra)
    ours = {"classbox", "pip", "setuptools"}
    blocked = sorted(
        module
        for module, names in packages_distributions().items()
        if not {name_of(name) for name in names} & (mine | ours) and module.isidentifier()
    )
    assert ("cv2" in blocked) == (extra == "gateway")
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, package, ",".join(blocked)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
