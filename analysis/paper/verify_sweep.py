"""Whether a sweep still says what comes out: pieces, merged results, and a sample of its runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ...market.rng import hashed
from ...market.schema.errors import BadInputError
from ...scenarios.load import data_of_file
from ...scenarios.result import rows_of
from ...scenarios.sweep import store
from ...scenarios.sweep.file import read_design
from ...scenarios.sweep.job import IN_MEASURE, Base, Job, work
from ...scenarios.sweep.merge import merge
from ...scenarios.sweep.planned import plan
from .checks import Check, said
from .folder import Folder

_BY_CHANCE = ("time-out", "out of memory", "died")
"""Failures that depend on the machine."""
_MOST_TOLD = 3


def verify_sweep(folder: Folder, runs: int | None) -> Iterator[Check]:
    """Yield what became of the parts of a sweep; see `verify`."""
    try:
        pieces, broken = pieces_of(folder.path)
        design = rows_of(folder.path / "design.parquet").to_pandas(use_threads=False)
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        yield Check("files", False, f"a file cannot be read: {error}")
        return
    told = f"{len(pieces)}, by their digests"
    yield Check("pieces", not broken, ", ".join(broken[:_MOST_TOLD]) if broken else told)
    done = sorted({run for piece in pieces for run in piece.runs})
    sample = _sample(folder, done, runs)
    yield _design(folder, design, sample)
    left = store.left(folder.manifest["total"], pieces)
    if len(left):
        yield Check("results", False, f"{len(left):,} runs are not done, or their pieces damaged")
    else:
        yield _merged(folder.path, pieces)
    yield from _again(folder, design, pieces, sample)


def pieces_of(folder: Path) -> tuple[list[store.Held], list[str]]:
    """Return the pieces that are whole, and the names of those that are not; move none."""
    whole: list[store.Held] = []
    broken = [f"{path.name} was set aside as damaged" for path in store.damaged(folder)]
    place = folder / "pieces"
    for path in sorted(place.glob("[0-9]*.parquet")) if place.is_dir() else ():
        content = path.read_bytes()
        if store.digest_of(content) != path.stem.rpartition("-")[2]:
            broken.append(f"{path.name} has another digest")
            continue
        whole.append(store.told_by(path, content))
    return whole, broken


def _design(folder: Folder, design: pd.DataFrame, sample: list[int]) -> Check:
    """Compare the table of a design, at the runs of a sample, with the sweep's own file."""
    if len(design) != folder.manifest["total"]:
        return Check("design", False, f"{len(design):,} runs of {folder.manifest['total']:,}")
    if not (folder.path / "sweep.toml").is_file():
        return Check("design", True, "as tabled; the sweep was made in Python")
    try:
        planned = plan(folder.path / "scenario.toml", read_design(folder.path / "sweep.toml")[0])
    except BadInputError as error:
        return Check("design", False, said(error))
    parts = [
        part for part in ("scenario", "design")
        if planned.parts[part] != folder.manifest["parts"].get(part)
    ]  # fmt: skip
    if parts or planned.total != len(design):
        return Check("design", False, f"another {' and '.join(parts) or 'number of runs'}")
    for row in sample:
        now = {**folder.manifest["constants"], **_values(folder, design, row)}
        told = {path: _plain(value) for path, value in planned.changes(row).items()}
        if now != told or planned.seed(row) != int(design["seed"].iloc[row]):
            return Check("design", False, f"run {row} is not that of sweep.toml")
    return Check("design", True, "as sweep.toml says")


def _merged(folder: Path, pieces: list[store.Held]) -> Check:
    """Compare merged results with those of the pieces."""
    kept = folder / "results.parquet"
    if not kept.is_file():
        return Check("results", False, "results.parquet is missing; the same sweep again makes it")
    with tempfile.TemporaryDirectory(prefix="walras-") as place:
        merge(Path(place), pieces)
        anew = Path(place) / "results.parquet"
        if anew.read_bytes() == kept.read_bytes():
            return Check("results", True, "the bytes that the pieces make")
        try:
            same = _same_rows(rows_of(anew), rows_of(kept))
        except pa.ArrowException:
            return Check("results", False, "results.parquet cannot be read")
    return Check("results", same, "the rows of the pieces" if same else "pieces hold other rows")


def _sample(folder: Folder, done: Sequence[int], runs: int | None) -> list[int]:
    """Return runs to be made anew: all, or those that come first in an order keyed by the sweep."""
    if runs is None or runs >= len(done):
        return list(done)
    key = int(folder.manifest["key"], 16) >> 1
    return sorted(sorted(done, key=lambda run: int(hashed(key, run)))[:runs])


def _again(
    folder: Folder, design: pd.DataFrame, pieces: list[store.Held], sample: list[int]
) -> Iterator[Check]:
    """Simulate runs anew and compare their rows bit for bit."""
    try:
        data, text, _ = data_of_file(folder.path / "scenario.toml")
    except BadInputError as error:
        yield Check("runs", False, f"not made anew: {said(error)}")
        return
    if not text.strip():
        why = "not made anew: the scenario has Python functions, which no file holds"
        yield Check("runs", False, why)
        return
    base = Base(data, "scenario.toml", str(folder.path), str(folder.manifest.get("scenario", "")))
    for run in sample:
        values = _values(folder, design, run)
        changes = {**folder.manifest["constants"], **values}
        if '"function ' in json.dumps(changes):
            yield Check(f"run {run}", False, "it has a Python function, which no file holds")
            continue
        held = _holding(run, pieces)
        yield _compared(run, held, Job(base, [(run, changes, int(design["seed"].iloc[run]))]))


def _holding(run: int, pieces: list[store.Held]) -> store.Held:
    """Return the piece of a run, of several one in which it finished."""
    those = [piece for piece in pieces if run in piece.runs]
    return min(those, key=lambda piece: any(run == failed for failed, *_ in piece.failures))


def _compared(run: int, held: store.Held, job: Job) -> Check:
    then = [(kind, why) for failed, kind, why in held.failures if failed == run]
    if then and then[0][0] in _BY_CHANCE:
        return Check(f"run {run}", True, f"not made anew: it failed by {then[0][0]}")
    if then and then[0][0] == IN_MEASURE:
        return Check(f"run {run}", True, "not made anew: it failed in a Python function")
    piece = work(job)
    now = [(f.kind, f.reason) for f in piece.failures]
    if then or now:
        told = [f"it fails: {': '.join(f[0])}" if f else "it does not fail" for f in (now, then)]
        return Check(f"run {run}", now == then, told[0] if now == then else
                     f"{told[0]} now; then {told[1]}")  # fmt: skip
    rows = rows_of(held.path)
    rows = rows.filter(pc.equal(rows["run"], run))
    anew = rows_of(pa.BufferReader(piece.content))
    more = rows.slice(len(anew))  # what else was measured, by a Python function
    if more["unit"].to_pylist() != [""] * len(more):
        return Check(f"run {run}", False, f"{len(rows)} measures then, {len(anew)} now")
    known = rows.slice(0, len(anew))
    if _same_rows(known, anew):
        by_function = f", {len(more)} by a Python function not made anew" if len(more) else ""
        return Check(f"run {run}", True, f"{len(anew)} measures, bit for bit{by_function}")
    return Check(f"run {run}", False, _which(known, anew))


def _which(then: pa.Table, now: pa.Table) -> str:
    """Say which measures of a run differ."""
    names = [f"{t}, {o}, {m}" for t, o, m in zip(
        *(then[c].to_pylist() for c in ("task", "offer", "metric")), strict=True)]  # fmt: skip
    differ = [
        name for i, name in enumerate(names) if not _same_rows(then.slice(i, 1), now.slice(i, 1))
    ]
    return f"{len(differ)} of {len(names)} measures, such as {'; '.join(differ[:_MOST_TOLD])}"


def _same_rows(one: pa.Table, other: pa.Table) -> bool:
    """Return whether two tables have the same rows, numbers bit for bit."""
    if one.num_rows != other.num_rows or one.column_names != other.column_names:
        return False
    for name in one.column_names:
        a, b = (table[name].combine_chunks() for table in (one, other))
        if pa.types.is_floating(a.type):
            x, y = (np.asarray(z.to_numpy(zero_copy_only=False)) for z in (a, b))
            if not np.array_equal(x.view(np.int64), y.view(np.int64)):
                return False
        elif a.to_pylist() != b.to_pylist():
            return False
    return True


def _values(folder: Folder, design: pd.DataFrame, row: int) -> dict[str, Any]:
    """Return the values of the paths in a run; column by column, so that whole numbers stay so."""
    found = {path: design[path].iloc[row] for path in folder.manifest["paths"]}
    return {
        path: json.loads(v) if isinstance(v, str) else v.item() if hasattr(v, "item") else v
        for path, v in found.items()
    }


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
