"""Each layer imports only those below it, by relative imports, and no modules import each other.

The sources are parsed, not run, so that imports inside functions and under
`TYPE_CHECKING` count too. Folders without an `__init__.py` hold scripts, which
use the public names as any user would; they are no part of a layer.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("market", "agents", "scenarios", "analysis", "walras")  # from the bottom up


def find_modules(root: Path) -> dict[str, Path]:
    """Map import names to files: `market/rng.py` is `walras.market.rng`."""
    found = {}
    for layer in LAYERS:
        for folder, children, files in os.walk(root / layer):  # follows no symlinks
            if "__init__.py" not in files:
                children.clear()
                continue
            parts = Path(folder).relative_to(root).parts
            package = parts if layer == "walras" else ("walras", *parts)
            for file in files:
                if file.endswith(".py"):
                    stem = file.removesuffix(".py")
                    name = package if stem == "__init__" else (*package, stem)
                    found[".".join(name)] = Path(folder) / file
    return found


def layer_of(module: str) -> int:
    """Return the rank of a module's layer; what is in no folder below is the front door."""
    second = module.split(".")[1:2]
    return LAYERS.index(second[0]) if second and second[0] in LAYERS else len(LAYERS) - 1


def imports(module: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of each import of ours; names of absolute ones start with `!`."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            stem = ".".join(base)
            for alias in node.names:  # `from . import rng` names a module, if there is one
                name = f"{stem}.{alias.name}"
                yield node.lineno, name if name in known else stem
            continue
        else:
            continue
        yield from ((node.lineno, f"!{name}") for name in names if name.split(".")[0] in LAYERS)


def violations(root: Path) -> list[str]:
    """Return one line per broken rule in the tree at `root`."""
    known = find_modules(root)
    graph: dict[str, set[str]] = {module: set() for module in known}
    broken = []
    for module, path in known.items():
        for line, name in imports(module, path, known):
            where = f"{path.relative_to(root)}:{line}"
            if name.startswith("!"):
                broken.append(f"{where}: absolute import of {name[1:]}")
            elif name not in known:
                broken.append(f"{where}: no such module {name}")
            elif layer_of(name) > layer_of(module):
                broken.append(f"{where}: {module} imports {name}, which is above it")
            else:
                graph[module].add(name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        broken.append("cycle: " + " <- ".join(error.args[1]))
    return broken


def test_layers_hold() -> None:
    assert violations(ROOT) == []


def test_every_layer_is_seen() -> None:
    assert {layer_of(module) for module in find_modules(ROOT)} == set(range(len(LAYERS)))


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write a small tree that keeps the rules, with `files` laid over it."""
    sound = {
        "market/__init__.py": "",
        "market/rng.py": "import math\n",
        "market/rules.py": "from . import rng\nfrom .rng import draw\n",
        "agents/__init__.py": "from ..market import rules\n",
        "agents/strategies/__init__.py": "",
        "agents/strategies/fixed.py": "from ...market.rules import score\n",
        "scenarios/__init__.py": "from .. import agents, market\n",
        "scenarios/scripts/tour.py": "import walras as w\n",
        "analysis/__init__.py": "from ..scenarios import load\n",
        "walras/__init__.py": "",
        "walras/cli.py": "from . import __version__\nfrom .analysis import report\n",
    }
    for name, text in (sound | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def test_a_sound_tree_passes(tmp_path: Path) -> None:
    assert violations(plant(tmp_path, {})) == []


MUTANTS = {
    "upward": ({"market/rng.py": "from ..agents import strategies\n"}, "which is above it"),
    "upward in a function": (
        {"market/rng.py": "def f():\n    from ..analysis import welfare\n"},
        "which is above it",
    ),
    "upward for types": (
        {"agents/x.py": "if TYPE_CHECKING:\n    from .. import scenarios\n"},
        "which is above it",
    ),
    "to the front door": ({"market/rng.py": "from .. import __version__\n"}, "which is above it"),
    "absolute": ({"agents/x.py": "import walras.market.rng\n"}, "absolute import"),
    "absolute from": ({"agents/x.py": "from walras.market import rng\n"}, "absolute import"),
    "by the folder's name": ({"agents/x.py": "from market.rng import draw\n"}, "absolute import"),
    "to nowhere": ({"agents/x.py": "from ..market.gone import draw\n"}, "no such module"),
    "cycle": ({"market/rng.py": "from .rules import score\n"}, "cycle"),
    "cycle through a package": ({"market/__init__.py": "from .a import x\n",
                                 "market/a.py": "from . import y\n"}, "cycle"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_fails(tmp_path: Path, name: str) -> None:
    files, complaint = MUTANTS[name]
    found = violations(plant(tmp_path, files))
    assert len(found) == 1
    assert complaint in found[0]
