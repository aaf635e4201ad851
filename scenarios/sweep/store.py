"""The folder of a sweep: its design, a file for each finished piece, and what they add up to.

A piece is written under another name, synced and renamed, and its name holds the digest of its
bytes: it is finished if it is there and has that digest. Pieces are never changed. Which runs are
left is the difference of two sets, so that any command may be killed at any time and repeated.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .job import Piece

FORMAT = 1
"""Of the folder; a later one cannot be read by this code, nor an earlier one be added to."""
_PIECE = re.compile(r"(?P<first>[0-9]{7,})-(?P<count>[0-9]+)-(?P<digest>[0-9a-f]{32})\.parquet")


class SweepFolderError(Exception):
    """A sweep's folder cannot be used: the message says why, and what to do."""


@dataclass(frozen=True)
class Held:
    """What a piece's file tells of itself: its path, and runs, failures and seconds of each.

    And the peak of its worker's memory, MB: 0 where it is not known.
    """

    path: Path
    runs: list[int]
    failures: list[tuple[int, str, str]]
    seconds: list[float]
    memory: float = 0.0


def digest_of(content: bytes) -> str:
    """Return the digest of a file's bytes, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def create(folder: Path, files: dict[str, bytes], manifest: dict[str, Any]) -> dict[str, Any]:
    """Make the folder of a sweep, or open it if it is there; return its manifest.

    Args:
        folder: of the sweep.
        files: what it holds besides pieces.
        manifest: what is told of it; `key` tells sweeps apart.

    Raises:
        SweepFolderError: there is another sweep, or none, in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "manifest.json").exists():
        if any(p for p in folder.iterdir() if not p.name.startswith(".")):
            raise SweepFolderError(f"{folder} holds something else; name another folder")
        write_whole(folder / "manifest.json", _json({"format": FORMAT, **manifest}))
    found = manifest_of(folder)
    if found["key"] != manifest["key"]:
        raise SweepFolderError(
            f"{folder} holds a sweep of another {_differs(found, manifest)}; "
            "name another folder with --out, so that results don't mix"
        )
    for name, content in files.items():
        if not (folder / name).exists():  # whoever made the folder may have been killed
            write_whole(folder / name, content)
    return found


def _differs(found: dict[str, Any], manifest: dict[str, Any]) -> str:
    named = {"code": "version of the code", "scenario": "scenario", "design": "design"}
    differ = [
        told for part, told in named.items() if found["parts"][part] != manifest["parts"][part]
    ]
    return " and another ".join(differ) or "kind"


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of a sweep's folder.

    Raises:
        SweepFolderError: it is no sweep's, or one of another format.
    """
    try:
        found: Any = json.loads((folder / "manifest.json").read_text("utf-8"))
    except FileNotFoundError:
        raise SweepFolderError(f"{folder} holds no sweep") from None
    except ValueError:
        raise SweepFolderError(f"{folder / 'manifest.json'} is damaged") from None
    if not isinstance(found, dict) or not {"format", "key", "versions"} <= set(found):
        raise SweepFolderError(f"{folder} holds no sweep")
    if found["format"] != FORMAT:
        raise SweepFolderError(
            f"{folder} was written in format {found['format']}, this version of walras writes "
            f"format {FORMAT}; read it with walras {found['versions']['walras']}"
        )
    if not {"parts", "name", "total", "paths"} <= set(found):
        raise SweepFolderError(f"{folder / 'manifest.json'} is damaged")
    return found


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there: under another name, synced, renamed.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    with whole(path) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield another name to write a file under, which then takes its place, or is removed."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield unfinished
        _sync(unfinished)
        unfinished.rename(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def add(folder: Path, piece: Piece) -> Path:
    """Write a piece."""
    name = f"{piece.runs[0]:07d}-{len(piece.runs)}-{digest_of(piece.content)}.parquet"
    path = folder / "pieces" / name
    path.parent.mkdir(exist_ok=True)
    write_whole(path, piece.content)
    return path


def held(folder: Path) -> Iterator[Held]:
    """Yield all pieces, checked, in the order of their first runs.

    A damaged one is moved to the folder `damaged`: its runs are then left to do.
    """
    pieces = folder / "pieces"
    for path in sorted(pieces.iterdir()) if pieces.is_dir() else ():
        name = _PIECE.fullmatch(path.name)
        if name is None:
            continue
        content = path.read_bytes()
        if digest_of(content) != name["digest"]:
            (folder / "damaged").mkdir(exist_ok=True)
            path.rename(folder / "damaged" / path.name)
            continue
        yield told_by(path, content)


def told_by(path: Path, content: bytes) -> Held:
    """Return what a piece tells of itself."""
    told = json.loads(pq.read_schema(pa.BufferReader(content)).metadata[b"walras"])
    failures = [(int(run), str(kind), str(why)) for run, kind, why in told["failures"]]
    return Held(path, told["runs"], failures, told["seconds"], told.get("memory", 0.0))


def note_memory(folder: Path, parent: float) -> dict[str, Any]:
    """Note in the manifest what memory the sweep took at most, MB; return the manifest.

    Of the commands that came to their end the largest, and of the workers.
    """
    manifest = manifest_of(folder)
    before = manifest.get("memory_mb", {})
    worker = max((piece.memory for piece in held(folder)), default=0.0)
    peaks = {"parent": max(parent, before.get("parent", 0.0)), "worker": worker}
    if peaks != before:
        manifest["memory_mb"] = peaks
        write_whole(folder / "manifest.json", _json(manifest))
    return manifest


def damaged(folder: Path) -> list[Path]:
    """Return the pieces that were found damaged and set aside."""
    place = folder / "damaged"
    return sorted(place.iterdir()) if place.is_dir() else []


def clean(folder: Path) -> None:
    """Remove what killed processes left half-written; for whoever has the folder to itself."""
    for path in (*folder.glob(".*.tmp"), *(folder / "pieces").glob(".*.tmp")):
        with suppress(OSError):
            path.unlink()


def left(total: int, pieces: list[Held]) -> NDArray[np.int64]:
    """Return the numbers of the runs that no piece holds."""
    missing = np.ones(total, dtype=bool)
    for piece in pieces:
        missing[piece.runs] = False
    return np.flatnonzero(missing)


def failures(pieces: Iterable[Held]) -> list[tuple[int, str, str]]:
    """Return the failures of pieces by run, one a run: none of a run that finished in another."""
    found: dict[int, tuple[int, str, str]] = {}
    finished: set[int] = set()
    for piece in pieces:
        failed = {failure[0] for failure in piece.failures}
        finished.update(run for run in piece.runs if run not in failed)
        for failure in piece.failures:  # which of several is told must not hang on their order
            found[failure[0]] = min(failure, found.get(failure[0], failure))
    return [found[run] for run in sorted(found) if run not in finished]


def partitions(folder: Path, of: int) -> list[str]:
    """Return the parts of other divisions than into `of`, such as "2/3", that were begun here."""
    found = (
        re.fullmatch(r"[.]lock-([0-9]+)-of-([0-9]+)", path.name) for path in folder.glob(".l*")
    )
    parts = sorted((int(f[2]), int(f[1])) for f in found if f is not None)
    return [f"{part}/{total}" for total, part in parts if total != of]


@contextmanager
def locked(folder: Path, shard: str = "", wait: bool = False) -> Iterator[None]:
    """Have a folder to oneself: all of it, or one's shard; wait for who has that shard, or don't.

    Raises:
        SweepFolderError: another process works on it.
    """
    with (folder / ".lock").open("w") as whole, (folder / f".lock{shard}").open("w") as part:
        try:
            fcntl.flock(whole, (fcntl.LOCK_SH if shard else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if shard:
                fcntl.flock(part, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            raise SweepFolderError(
                f"another process works on {folder}; wait for it, or let each do a part with "
                "--shard i/n"
            ) from None
        yield
