"""What is installed is what is in the tree, under the project's import names alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("agents", "analysis", "market", "scenarios")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def packages_on_disk(root: Path) -> dict[str, str]:
    """Map the import name of each folder with an `__init__.py` to the folder."""
    found = {}
    for top in ("walras", *LAYERS):
        for folder, children, files in os.walk(root / top):  # follows no symlinks
            if "__init__.py" not in files:
                children.clear()
                continue
            parts = Path(folder).relative_to(root).parts
            found[".".join(parts if top == "walras" else ("walras", *parts))] = "/".join(parts)
    return found


def test_listed_packages_are_those_on_disk() -> None:
    assert SETUPTOOLS["packages"] == sorted(packages_on_disk(ROOT))


def test_package_folders_are_mapped() -> None:
    roots = {"walras": "walras"} | {f"walras.{layer}": layer for layer in LAYERS}
    assert SETUPTOOLS["package-dir"] == roots


def test_an_unlisted_package_is_noticed(tmp_path: Path) -> None:
    for name in ("market", "market/extra", "market/scripts/deep"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("market", "market/extra", "market/scripts/deep"):
        (tmp_path / name / "__init__.py").touch()
    found = packages_on_disk(tmp_path)
    assert found == {"walras.market": "market", "walras.market.extra": "market/extra"}


@pytest.mark.parametrize("layer", LAYERS)
def test_symlinks_are_relative(layer: str) -> None:
    link = ROOT / "walras" / layer
    assert link.is_symlink(), "clone with symlinks: git config core.symlinks true"
    assert link.readlink() == Path("..") / layer


def test_versions_agree() -> None:
    version = PROJECT["project"]["version"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    logged = re.search(r"^## \[(\d\S*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    named = re.search(
        r'^__version__ = "(\S+)"$', (ROOT / "walras/__init__.py").read_text("utf-8"), re.M
    )
    assert [m and m[1] for m in (cited, logged, named)] == [version] * 3


def expected_files() -> set[str]:
    """Return all that a wheel must hold: each file in the layers, scripts and notes aside.

    Data in a folder of its own needs a pattern under `package-data`, which this notices.
    """
    found = set()
    for top in ("walras", *LAYERS):
        for folder, children, files in os.walk(ROOT / top):  # follows no symlinks
            children[:] = [name for name in children if name not in {"__pycache__", "scripts"}]
            place = Path(folder).relative_to(ROOT)
            place = place if top == "walras" else "walras" / place
            found |= {str(place / name) for name in files if not name.endswith(".md")}
    return found


def build(source: Path, out: Path, *flags: str) -> Path:
    """Build a wheel with the tools at hand, without network, and return it."""
    command = [sys.executable, "-m", "build", "--no-isolation", *flags, "-o", str(out)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def contents(wheel: Path) -> set[str]:
    """Return the files of a wheel, its metadata aside."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    return {name for name in names if ".dist-info/" not in name}


def test_wheels_hold_the_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a copy: builds leave files beside the sources
    source.mkdir()
    for name in ("walras", *LAYERS):
        shutil.copytree(
            ROOT / name,
            source / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__", "scripts"),
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)

    assert contents(build(source, tmp_path / "direct", "--wheel")) == expected_files()
    through_sdist = build(source, tmp_path / "through_sdist")
    assert contents(through_sdist) == expected_files()
