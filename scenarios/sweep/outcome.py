"""What a sweep's folder tells besides its pieces: design, manifest, failures, merged results."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..run import made_with
from . import store, traces
from .code import told
from .job import IN_MEASURE, readable
from .merge import merge
from .planned import Planned


def design_table(planned: Planned) -> bytes:
    """Return the design as a Parquet file: a row per run."""
    seeds, points = planned.design.seeds, planned.points
    runs = np.arange(planned.total)
    columns: dict[str, Any] = {
        "run": runs, "point": runs // seeds, "rep": runs % seeds,
        "seed": np.array([planned.seed(int(run)) for run in runs], dtype=np.int64),
    }  # fmt: skip
    for path in points[0] if points else ():
        values = [point[path] for point in points]
        columns[path] = np.repeat(np.array(_plain(values)), seeds)
    out = pa.BufferOutputStream()
    table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
    pq.write_table(table, out, compression="zstd")
    return bytes(out.getvalue())


def _plain(values: list[Any]) -> list[Any]:
    """Return numbers as they are, all else as JSON."""
    values = [told(v) for v in values]
    if all(isinstance(v, float) or (type(v) is int and abs(v) < 2**63) for v in values):
        return values
    return [json.dumps(v, sort_keys=True, default=str) for v in values]


def manifest_for(planned: Planned, command: str) -> dict[str, Any]:
    """Return what the manifest says of a sweep and of how it was made."""
    design = planned.design
    roles = dict.fromkeys(design.levers, "lever") | dict.fromkeys(
        design.uncertainties, "uncertainty"
    )
    spans = {p: s.model_dump() for p, s in design.uncertainties.items()}
    return {
        "key": planned.key, "parts": planned.parts, "name": planned.name,
        "question": design.question, "scenario": planned.base.name, "total": planned.total,
        "points": len(planned.points), "seeds": design.seeds, "seed": design.seed,
        "paired": design.paired, "paths": roles, "spans": spans,
        "sample": design.sample.model_dump() if spans else None,
        "constants": told(dict(design.constants)), "command": command, **made_with(),
    }  # fmt: skip


def finish(folder: Path, planned: Planned) -> bool:
    """Merge pieces into results.parquet and failures.parquet if no run is left; return whether."""
    pieces = list(store.held(folder))
    if len(store.left(planned.total, pieces)):
        return False
    merge(folder, pieces)
    rows = store.failures(pieces)
    failures = pd.DataFrame({
        "run": [run for run, *_ in rows],
        "point": [run // planned.design.seeds for run, *_ in rows],
        "rep": [run % planned.design.seeds for run, *_ in rows],
        "seed": [planned.seed(run) for run, *_ in rows],
        "kind": [kind for _, kind, _ in rows], "reason": [why for *_, why in rows],
        "command": [
            (python_of if kind == IN_MEASURE else command_of)(planned, folder, run)
            for run, kind, _ in rows
        ],
    })  # fmt: skip
    out = pa.BufferOutputStream()
    schema = pa.schema([
        *((n, pa.int64()) for n in ("run", "point", "rep", "seed")),
        *((n, pa.string()) for n in ("kind", "reason", "command")),
    ])  # fmt: skip
    table = pa.Table.from_pandas(failures, schema=schema, preserve_index=False)
    pq.write_table(table, out, compression="zstd")
    store.write_whole(folder / "failures.parquet", bytes(out.getvalue()))
    return True


def command_of(planned: Planned, folder: Path, run: int) -> str:
    """Return the command that repeats one run by itself; empty where a file cannot hold it."""
    changes = _changes(planned, run)
    if changes is None:
        return ""
    words = ["walras", "run", str(folder / "scenario.toml"), "--seed", str(planned.seed(run))]
    return shlex.join([*words, *(word for change in changes for word in ("--set", change))])


def python_of(planned: Planned, folder: Path, run: int) -> str:
    """Return the line of Python that measures one run again: no command knows the function."""
    changes = _changes(planned, run)
    if changes is None:
        return ""
    told = ", ".join(map(repr, [str(folder / "scenario.toml"), *changes]))
    module, name = (getattr(planned.measure, n, "") for n in ("__module__", "__qualname__"))
    if not name or "<" in name:  # of no name that could be imported
        last = name.rpartition(".")[2]
        module, name = "", last if last.isidentifier() else "measure"
    first = "" if module in ("", "__main__") else f"import {module}; "
    name = f"{module}.{name}" if first else name
    again = f"w.run(w.load({told}), seed={planned.seed(run)}, record='summary')"
    return f"import walras as w; {first}{name}({again})"


def _changes(planned: Planned, run: int) -> list[str] | None:
    """Return what a run changes as `--set` takes it; None where a file cannot hold it."""
    changes = planned.changes(run)
    if not planned.text or any(callable(v) for v in changes.values()):
        return None
    whole = {**traces.places(planned.base), **changes}
    return [f"{path}={toml_of(value)}" for path, value in whole.items()]


def toml_of(value: Any) -> str:
    """Return a value as TOML in one line."""
    value = told(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_of(k)} = {toml_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):  # of what JSON escapes, TOML knows no pairs of surrogates
        return readable(json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f"))
    return json.dumps(value, default=str)
