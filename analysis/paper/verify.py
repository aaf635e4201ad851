"""Whether a folder still says what comes out: digests of files, and numbers simulated anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ...market.schema.errors import BadInputError
from ...scenarios.compare import Comparison
from ...scenarios.result import Result, file_digest, read_table
from ...scenarios.run import made_with, run
from ...scenarios.sweep.code import code_digest
from ...scenarios.toml import from_toml
from .checks import Check, said
from .folder import Folder
from .verify_sweep import verify_sweep

SAME = 1e-6
"""Relative difference up to which solved prices are the same."""
_SERIES = ("epochs", "sellers", "prices", "latencies", "trades", "accounts", "contracts")


def versions_differ(folder: Folder) -> list[str]:
    """Return which software has another version now than when a folder was written.

    Example:
        >>> from pathlib import Path
        >>> now = made_with()
        >>> before = {**now["versions"], "numpy": "1.0"}
        >>> folder = Folder(Path("x"), "run", {"versions": before, "python": now["python"]})
        >>> versions_differ(folder)[0].startswith("numpy 1.0 then, ")
        True
    """
    now = made_with()
    then = {**folder.manifest.get("versions", {})}
    if isinstance(folder.manifest.get("python"), str):
        then["python"] = folder.manifest["python"]
    here = {**now["versions"], "python": now["python"]}
    found = [
        f"{name} {version} then, {here.get(name, 'none')} now"
        for name, version in then.items() if here.get(name) != version
    ]  # fmt: skip
    code = folder.manifest.get("parts", {}).get("code", code_digest())
    return found + [f"code of walras {code} then, {code_digest()} now"] * (code != code_digest())


def verify(
    folder: Folder, *, runs: int | None = 5, progress: Callable[[float, float, int], None] | None
    = None,
) -> Iterator[Check]:  # fmt: skip
    """Yield what became of each part of a folder, files first, then its numbers made anew.

    Args:
        folder: what `folder.opened` returns.
        runs: of a sweep, how many runs are made anew, a sample keyed by the sweep; None: all.
        progress: as `run` has it.
    """
    files = list(files_of(folder))
    yield from files
    if folder.kind == "sweep":
        yield from verify_sweep(folder, runs)
        return
    for each in folder.runs:
        if each is not folder:
            files += (more := list(files_of(each, f"{each.path.name}/")))
            yield from more
    broken = [check for check in files if not check.same]
    if broken:
        yield Check("numbers", False, "not made anew, as files differ")
    elif folder.kind == "equilibrium":
        yield _attempt("prices", lambda: _prices(folder))
    else:
        for each in folder.runs:
            name = "" if each is folder else f"{each.path.name}: "
            yield from _run(each, name, progress)
        if folder.kind == "comparison":
            yield _attempt("differences", lambda: _differences(folder))


def files_of(folder: Folder, before: str = "") -> Iterator[Check]:
    """Yield whether the files that a manifest lists have their digests."""
    for name, digest in folder.manifest.get("files", {}).items():
        path = folder.path / name
        if not path.is_file():
            yield Check(before + name, False, "it is missing")
            continue
        try:
            same = file_digest(path) == digest
        except OSError as error:
            yield Check(before + name, False, f"it cannot be read: {error.strerror}")
            continue
        yield Check(before + name, same, "" if same else "its bytes have another digest")


def _attempt(part: str, look: Callable[[], Check]) -> Check:
    """Return what a look finds, or why it could not be taken."""
    try:
        return look()
    except BadInputError as error:
        return Check(part, False, f"it could not be made anew: {said(error)}")
    except (
        ArithmeticError,
        LookupError,
        OSError,
        RuntimeError,
        ValueError,
        pa.ArrowException,
    ) as e:
        return Check(part, False, f"it could not be made anew: {type(e).__name__}: {e}")


def _run(
    folder: Folder, name: str, progress: Callable[[float, float, int], None] | None
) -> Iterator[Check]:
    """Simulate a run anew, from its own file, and compare digest and tables."""
    again: list[Result] = []

    def digest() -> Check:
        told = folder.manifest
        market = from_toml((folder.path / "resolved.toml").read_text("utf-8"))
        again.append(run(
            market, seed=told["seed"], reps=told["reps"], record=told["record"],
            progress=progress, base=folder.path,
        ))  # fmt: skip
        now, then = again[0].digest, told["digest"]
        return Check(f"{name}digest", now == then, then[:8] if now == then else
                     f"{now[:8]} now, {then[:8]} then")  # fmt: skip

    yield _attempt(f"{name}digest", digest)
    if again:
        yield _attempt(f"{name}tables", lambda: _tables(folder, again[0], f"{name}tables"))


def _tables(folder: Folder, again: Result, part: str) -> Check:
    """Compare the tables that a folder holds with those of a run made anew."""
    differ, held = [], 0
    for name in ("summary", *_SERIES):
        path = folder.path / f"{name}.parquet"
        if not path.is_file():
            continue
        held += 1
        frame = again.summary() if name == "summary" else getattr(again, name)
        if not alike(read_table(path), frame):
            differ.append(name)
    return Check(part, not differ, ", ".join(differ) or f"{held} tables, row by row")


def alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two frames hold the same values bit for bit, where none is as good as none."""
    if list(one.columns) != list(other.columns) or len(one) != len(other):
        return False
    for name in one.columns:
        if one[name].equals(other[name]):
            continue
        a, b = (frame[name].to_numpy() for frame in (one, other))
        if a.dtype.kind == "f" and b.dtype.kind == "f":
            if not np.array_equal(a, b, equal_nan=True):
                return False
        elif not all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True)):  # noqa: PLR0124
            return False
    return True


def _differences(folder: Folder) -> Check:
    """Compare paired differences and levels with those of the runs that the folder holds."""
    kept = Comparison.load(folder.path)
    if any(r.epochs.empty for r in kept.results.values()):
        return Check("differences", True, "of runs without epochs: by the digest of the file alone")
    anew = Comparison(kept.results)
    same = alike(kept.differences(), anew.differences()) and alike(kept.levels(), anew.levels())
    return Check("differences", same, "" if same else "the runs give others")


def _prices(folder: Folder) -> Check:
    """Solve an equilibrium anew and compare its prices."""
    from ..equilibrium_folder import load_equilibrium

    found = load_equilibrium(folder.path)
    then = read_table(folder.path / "levers.parquet")
    if then["lever"].tolist() != found.levers["lever"].tolist():
        return Check("prices", False, "they are of other offers")
    gap = _gap(then["price"], found.levers["price"])
    if not gap <= SAME:
        return Check("prices", False, f"by up to {gap:.2g} of a price")
    certified = found.certificate is not None
    more = "; the certificate is not computed anew" if certified else ""
    return Check("prices", True, f"solved anew, to {SAME:g}{more}")


def _gap(then: Sequence[Any] | pd.Series, now: Sequence[Any] | pd.Series) -> float:
    a, b = np.asarray(then, dtype=np.float64), np.asarray(now, dtype=np.float64)
    size = np.maximum(np.abs(a), np.abs(b))
    if not np.isfinite(size).all():
        return math.inf
    return float(np.divide(np.abs(a - b), size, out=np.zeros_like(size), where=size > 0).max())
