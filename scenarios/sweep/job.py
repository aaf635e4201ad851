"""What a worker does: simulate the runs of a job one by one, and hand back a piece of the sweep."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...market.schema.errors import BadInputError
from ..load import changed
from ..overrides import Override
from ..result import Result
from ..run import memory_mb, run
from ..summary import ALL
from .measures import measures

Measure = Callable[[Result], Mapping[str, float]]
"""What else is measured of a run: numbers by name."""
SCHEMA = pa.schema([
    pa.field("run", pa.int64()),
    pa.field("task", pa.string()), pa.field("offer", pa.string()),
    pa.field("metric", pa.string()),
    pa.field("value", pa.float64()), pa.field("se", pa.float64()), pa.field("unit", pa.string()),
])  # fmt: skip
"""Rows of a piece, and of merged results."""
IN_MEASURE = "in measure"
"""Kind of failure of a run of which only a Python function could not make anything."""


@dataclass(frozen=True)
class Base:
    """The scenario that all runs change.

    Attributes:
        data: what its file holds, constants applied when it is read; may hold Python functions.
        file: its name as shown.
        folder: where relative trace files are looked for.
        name: of the scenario, where the file gives none.
    """

    data: Mapping[str, Any]
    file: str = ""
    folder: str = "."
    name: str = ""


@dataclass(frozen=True)
class Job:
    """Some runs of a sweep.

    Attributes:
        base: the scenario.
        runs: number, changes by dotted path (constants too) and seed of each.
        timeout: seconds after which a run is given up; None: never.
        measure: what else is measured, if anything.
    """

    base: Base
    runs: list[tuple[int, dict[str, Any], int]]
    timeout: float | None = None
    measure: Measure | None = None


@dataclass(frozen=True)
class Failure:
    """A run that failed: its number, what kind of failure, and why."""

    run: int
    kind: str
    reason: str


@dataclass(frozen=True)
class Piece:
    """What came of a job: a Parquet file's bytes, and what they hold."""

    content: bytes
    runs: list[int]
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


class OutOfTimeError(Exception):
    """A run took longer than it was given."""


class MeasureError(Exception):
    """A run was simulated, but what else was to be measured of it raised."""


def work(job: Job) -> Piece:
    """Simulate the runs of a job. A run that fails is noted, and the next one begins."""
    parts, failures, seconds = [], [], []
    for number, changes, seed in job.runs:
        begin = time.perf_counter()
        try:
            parts.append(_rows(number, _simulate(job, changes, seed), job.measure))
        except BadInputError as error:
            failures.append(Failure(number, "bad input", _said(error.problems)))
        except MeasureError as error:
            failures.append(Failure(number, IN_MEASURE, str(error)))
        except OutOfTimeError as error:
            failures.append(Failure(number, "time-out", str(error)))
        except MemoryError:
            failures.append(
                Failure(number, "out of memory", "more memory than the worker may have")
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as its functions may fail
            told = readable(f"{type(error).__name__}: {error}")
            failures.append(Failure(number, "error", told))
        seconds.append(time.perf_counter() - begin)
    numbers = [number for number, *_ in job.runs]
    content = piece_of(parts, numbers, failures, seconds, memory_mb())
    return Piece(content, numbers, failures, sum(seconds))


def piece_of(
    parts: list[pa.Table], runs: list[int], failures: list[Failure], seconds: list[float],
    memory: float = 0.0,
) -> bytes:  # fmt: skip
    """Return a piece's file: rows, and in its metadata which runs ended how, and in what time.

    And the peak of the worker's memory so far, MB; 0 where it is not known.
    """
    told = {
        "runs": runs, "failures": [[f.run, f.kind, f.reason] for f in failures],
        "seconds": [round(s, 6) for s in seconds], "memory": memory,
    }  # fmt: skip
    table = pa.concat_tables(parts) if parts else SCHEMA.empty_table()
    table = table.replace_schema_metadata({"walras": json.dumps(told)})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _simulate(job: Job, changes: Mapping[str, Any], seed: int) -> Result:
    """Simulate one run."""
    base = job.base
    listed = [Override(f"{path} = {value!r}", path, value) for path, value in changes.items()]
    folder = Path(base.folder)
    market = changed(
        base.data, listed, file=base.file, base=folder, name=base.name
    ).require()  # fmt: skip
    deadline = None if job.timeout is None else time.monotonic() + job.timeout

    def watch(*_: Any) -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError(f"not done after {job.timeout:g} s")

    return run(market, seed=seed, record="summary", progress=watch, base=folder)


def _rows(number: int, result: Result, measure: Measure | None) -> pa.Table:
    """Return what is kept of a run."""
    rows = measures(result)
    if measure is not None:
        known = {name for task, offer, name, *_ in rows if task == offer == ALL}
        try:
            for name, value in measure(result).items():
                if str(name) in known:
                    told = f'measure gives "{name}", which every run has; use another name'
                    raise ValueError(told)
                rows.append((ALL, ALL, str(name), float(value), math.nan, ""))
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            raise MeasureError(readable(f"{type(error).__name__}: {error}")) from error
    columns = dict(zip(SCHEMA.names[1:], zip(*rows, strict=True), strict=True))
    return pa.table({"run": [number] * len(rows), **columns}, schema=SCHEMA)


def readable(text: str) -> str:
    r"""Return a text that any file and terminal takes: without half a pair of surrogates.

    Example:
        >>> readable("no \udcff")
        'no \\udcff'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _said(problems: Any) -> str:
    return readable("; ".join(
        f"{p.code}{f' {p.field}' if p.field else ''}: {p.message}" for p in problems
    ))  # fmt: skip


def prepare(memory: int | None, parent: int) -> None:
    """Prepare a worker process: no interrupts but its parent's, a bound of memory (MB), no orphan.

    Whoever starts it has bound its libraries to one thread each.
    """
    import resource
    import signal
    import threading
    from multiprocessing import util

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # To take down all that numeric libraries have put up lasts as long as many runs, and is void.
    util.Finalize(None, _leave, exitpriority=-1)
    if memory is not None:
        most = memory * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    def outlive() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=outlive, daemon=True).start()


def _leave() -> None:
    """End this process at once; what it has worked out has been handed over."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
