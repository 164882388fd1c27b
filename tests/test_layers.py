"""Who may import whom, as `docs/architecture.md` draws it: a breach or a cycle fails here."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "homework": set(),
    "sync": {"homework"},
    "models": {"homework"},
    "ui": {"homework"},
    "provisioning": {"homework", "sync"},
    "edge": {"homework", "sync", "models", "ui", "provisioning"},
    "gateway": {"homework", "sync", "models", "ui", "provisioning"},
}
FILES = sorted(path.relative_to(ROOT) for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; we write whole names"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_package_imports_only_what_it_may(path: Path) -> None:
    package = path.parts[0]
    ours = {name.split(".")[0] for name in imports_of(path)} & (MAY_IMPORT.keys() | {"tests", "benchmarks"})
    assert ours <= MAY_IMPORT[package] | {package}


def test_nothing_imports_in_a_circle() -> None:
    names = {str(path.with_suffix("")).replace("/", "."): path for path in FILES}
    modules = {name.removesuffix(".__init__"): path for name, path in names.items()}
    edges = {
        module: {
            target
            for name in imports_of(path)
            for target in (name, name.rpartition(".")[0])
            if target in modules and target != module
        }
        for module, path in modules.items()
    }
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join([*trail[trail.index(module) :], module])
        if module in done:
            return
        for target in edges[module]:
            walk(target, (*trail, module))
        done.add(module)

    for module in modules:
        walk(module, ())
