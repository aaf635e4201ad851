"""What a folder of results holds: a run, a comparison, an equilibrium or a sweep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...market.schema.errors import BadInputError, Problem, plain
from ...scenarios.sweep.store import FORMAT

MANIFEST = "manifest.json"
_NEEDED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "run": {
        "scenario": str, "seed": int, "reps": int, "record": str, "digest": str,
        "versions": dict, "files": dict, "seconds": (int, float), "memory_mb": (int, float),
    },
    "comparison": {
        "scenario": str, "mechanisms": list, "seed": int, "reps": int, "digest": str,
        "versions": dict, "files": dict,
    },
    "equilibrium": {"solved": dict, "files": dict},
    "sweep": {
        "format": int, "key": str, "parts": dict, "name": str, "total": int, "seeds": int,
        "seed": int, "paths": dict, "constants": dict, "versions": dict,
    },
}  # fmt: skip
"""What the manifest of each kind must tell, and its type."""


@dataclass(frozen=True)
class Folder:
    """A folder of results.

    Attributes:
        path: where it is.
        kind: "run", "comparison", "equilibrium" or "sweep".
        manifest: what it tells of itself.
    """

    path: Path
    kind: str
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the scenario or the sweep."""
        told = self.manifest.get("name") or self.manifest.get("scenario")
        return str(told) if told else self.path.resolve().name.partition("-")[0]

    @property
    def command(self) -> str:
        """What made it; empty if it does not tell."""
        told = self.manifest.get("command", "")
        return told if isinstance(told, str) else ""

    @property
    def runs(self) -> list[Folder]:
        """The runs of a comparison; a run itself; nothing otherwise."""
        if self.kind == "comparison":
            return [of_kind(self.path / name, "run") for name in self.manifest["mechanisms"]]
        return [self] if self.kind == "run" else []

    @property
    def market_file(self) -> Path:
        """The scenario with which it was made."""
        if self.kind == "comparison":
            return self.runs[0].market_file
        return self.path / ("scenario.toml" if self.kind == "sweep" else "resolved.toml")


def opened(path: Path) -> Folder:
    """Return what a folder holds.

    Raises:
        BadInputError: it is no folder, or none of ours, or its manifest is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise _wrong(f"there is no folder {plain(str(path), 200)}")
    if not path.is_dir():
        raise _wrong(f"{plain(str(path), 200)} is a file, not a folder")
    manifest = _manifest(path)
    kind = _kind(path, manifest)
    for name, type_ in _NEEDED[kind].items():
        value = manifest.get(name)
        if not isinstance(value, type_) or isinstance(value, bool) or value == []:
            raise _wrong(f"{path / MANIFEST} is damaged: `{name}` is missing or wrong")
    if not all(isinstance(v, str) for v in manifest.get("versions", {}).values()):
        raise _wrong(f"{path / MANIFEST} is damaged: `versions` is wrong")
    if not all(_inside(name) for name in _named(kind, manifest)):
        raise _wrong(f"{path / MANIFEST} is damaged: it names a file that is not in the folder")
    if kind == "sweep" and manifest["format"] != FORMAT:
        raise _wrong(f"{path} was written in format {manifest['format']}, this version of walras "
                     f"reads format {FORMAT}")  # fmt: skip
    return Folder(path, kind, manifest)


def of_kind(path: Path, *kinds: str) -> Folder:
    """Return what a folder holds if it is of one of some kinds.

    Raises:
        BadInputError: it is not.
    """
    found = opened(path)
    if found.kind not in kinds:
        a = "an" if found.kind[0] in "aeiou" else "a"
        raise _wrong(f"{path} holds {a} {found.kind}, not a {' or '.join(kinds)}")
    return found


def _named(kind: str, manifest: dict[str, Any]) -> list[Any]:
    """Return what a manifest names as files and folders beside it."""
    return [*manifest.get("files", {}), *(manifest["mechanisms"] if kind == "comparison" else ())]


def _inside(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and Path(name).name == name


def _manifest(path: Path) -> dict[str, Any]:
    try:
        told = json.loads((path / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise _wrong(f"{path} holds nothing that walras wrote: it has no {MANIFEST}") from None
    except OSError as error:
        raise _wrong(f"{path / MANIFEST} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise _wrong(f"{path / MANIFEST} is damaged: it is no JSON") from None
    if not isinstance(told, dict):
        raise _wrong(f"{path / MANIFEST} is damaged: it holds no table")
    return told


def _kind(path: Path, manifest: dict[str, Any]) -> str:
    """Return what a manifest is of, by what no other kind tells."""
    if "key" in manifest and "parts" in manifest:
        return "sweep"
    if "mechanisms" in manifest:
        return "comparison"
    if "solved" in manifest or (path / "equilibrium.json").is_file():
        return "equilibrium"
    if "digest" in manifest and "record" in manifest:
        return "run"
    raise _wrong(f"{path} holds nothing that walras wrote: its {MANIFEST} is of something else")


def _wrong(message: str) -> BadInputError:
    hint = "give a folder that `walras run`, `equilibrium` or `sweep` wrote"
    return BadInputError([Problem("W100", message, hint=hint)])
