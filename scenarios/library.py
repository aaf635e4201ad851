"""The scenarios that come with the package, one TOML file each."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "library"


def files() -> list[Path]:
    """Return the files of all scenarios of the library, sorted."""
    return sorted(_FOLDER.glob("*.toml"))


def names() -> list[str]:
    """Return the names of all scenarios of the library, sorted."""
    return [file.stem for file in files()]


def path_of(name: str) -> Path | None:
    """Return the file of a scenario of the library; None if there is none of that name."""
    return _FOLDER / f"{name}.toml" if name in names() else None
