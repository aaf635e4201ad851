"""Sweeps whose runs are not simulated: a function gives the measure, all else is as it always is.

What is known of the function in closed form is then known of the sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

import walras as w
from walras.scenarios.sweep import outcome, store
from walras.scenarios.sweep.job import SCHEMA, Failure, Piece, piece_of
from walras.scenarios.sweep.planned import plan
from walras.scenarios.sweep.spec import Design
from walras.scenarios.sweep.swept import Sweep

Measured = Callable[[dict[str, Any], int], float | None]
"""The measure "y" of values by path in a replication; None where the run fails."""
NAMES = "abcd"


def plain() -> w.Market:
    """Four classes, whose values may mean anything."""
    tasks = [w.TaskClass(n, w.Poisson(0.01), value=1.0) for n in NAMES]
    return w.Market(tasks, [w.Seller("one", accuracy=1.0)], run=w.Run(until=1.0, epoch=0.5))


def path(name: str) -> str:
    """Return the path of a class's value."""
    return f"tasks.{name}.value"


def made(folder: Path, measured: Measured, **design: Any) -> Sweep:
    """Return a sweep of `plain` whose runs gave what a function says, USD/h."""
    planned = plan(plain(), Design(**design))
    manifest = outcome.manifest_for(planned, "walras sweep made.toml")
    files = {
        "design.parquet": outcome.design_table(planned),
        "scenario.toml": planned.text.encode(),
    }
    store.create(folder, files, manifest)
    runs, values, failures = [], [], []
    for run in range(planned.total):
        value = measured(planned.points[run // planned.design.seeds], run % planned.design.seeds)
        if value is None:
            failures.append(Failure(run, "error", "ValueError: no luck"))
        else:
            runs.append(run)
            values.append(float(value))
    n, whole = len(runs), list(range(planned.total))
    columns = [runs, ["all"] * n, ["all"] * n, ["y"] * n, values, [float("nan")] * n, ["USD/h"] * n]
    table = pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)
    seconds = [0.0] * planned.total
    store.add(folder, Piece(piece_of([table], whole, failures, seconds), whole, failures))
    outcome.finish(folder, planned)
    return Sweep.load(folder)
