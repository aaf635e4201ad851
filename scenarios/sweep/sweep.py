"""Sweeps: run a scenario at many points of a design, and keep what comes of it in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...market.schema.errors import BadInputError, Problem, errors_in
from ...market.schema.fields import whole
from ...market.schema.market import Market
from ..load import changed, data_of_file
from ..overrides import Override
from ..run import made_with
from ..toml import data_of, to_toml
from . import store
from .code import code_digest, told
from .execute import Pool, execute, processes
from .job import Base, Job, Measure, Piece
from .points import Point, points_of, seed_for
from .spec import MOST_RUNS, Design
from .swept import Sweep

Progress = Callable[[int, int, int], None]
_TRIED = 100
"""Single values that are checked before the first run."""


@dataclass(frozen=True)
class Planned:
    """A sweep before it runs.

    Attributes:
        design: what varies.
        base: the scenario.
        text: the scenario's file.
        points: of the design.
        measure: what else is measured.
        key: tells sweeps apart; `parts` are what it is made of.
        given: the sweep's own file, if it has one.
        problems: with single values, whose runs will fail.
    """

    design: Design
    base: Base
    text: str
    points: list[Point]
    measure: Measure | None
    key: str
    parts: dict[str, str]
    given: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Number of runs."""
        return len(self.points) * self.design.seeds

    @property
    def name(self) -> str:
        """Of the sweep."""
        return self.design.name or self.base.name or "sweep"

    def changes(self, run: int) -> dict[str, Any]:
        """Return the changes to the scenario in a run, constants too."""
        return {**self.design.constants, **self.points[run // self.design.seeds]}

    def seed(self, run: int) -> int:
        """Return the seed of a run."""
        return seed_for(self.design, *divmod(run, self.design.seeds))


def sweep(
    market: Market | str | os.PathLike[str], vary: Mapping[str, Sequence[Any]] | None = None, *,
    uncertain: Mapping[str, Any] | None = None, sample: Any = None,
    constants: Mapping[str, Any] | None = None, together: bool = False, seeds: int = 1,
    seed: int = 0, paired: bool = True, timeout: float | str | None = None,
    memory: int | None = None, measure: Measure | None = None, out: str | Path | None = None,
    jobs: int | None = None, executor: Executor | None = None, shard: tuple[int, int] = (1, 1),
    name: str = "", progress: Progress | None = None,
) -> Sweep:  # fmt: skip
    """Run a market at all points of a design; the same call again goes on where it stopped.

    Args:
        market: the spec, or a scenario's name or file.
        vary: levers: values to try, by dotted path such as "sellers.deep.price.output" or
            "mechanism"; functions may be among them.
        uncertain: ranges by dotted path: `(low, high)` or a `Span`; or a `problem` of SALib.
        sample: how these are sampled: a `Sample`, or its fields.
        constants: changes that hold in every run.
        together: whether levers move together; otherwise all combinations are tried.
        seeds: replications of each point.
        seed: that all others are made from.
        paired: whether replication r of every point meets the same demand and tastes.
        timeout: of a run, seconds or text such as "5 min".
        memory: of a worker process, MB.
        measure: what else is measured of a run's `Result`: numbers by name.
        out: folder; `sweeps/<name>-<hash>` when absent.
        jobs: worker processes; as many as there are cores when absent.
        executor: runs jobs instead, of any kind; it is not shut down.
        shard: (i, n): the i-th of n parts of the runs.
        name: of the sweep; the scenario's when absent.
        progress: called with (runs that have ended, of how many, failed).

    Raises:
        BadInputError: the scenario or the design has errors.
        SweepFolderError: the folder holds something else, or another process works on it.
        OSError: nothing can be written there; what has been finished is safe.

    Example:
        >>> import tempfile
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Run
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> market = Market([ask], [Seller("one", accuracy=1.0)], run=Run(until=60.0))
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as threads:
        ...     found = sweep(
        ...         market,
        ...         {"sellers.one.slots": [1, 2]},
        ...         seeds=3,
        ...         out=folder + "/slots",
        ...         executor=threads,
        ...     )
        ...     found.counts, found.measure("served_share")["value"].gt(0).all()
        ((6, 0), np.True_)
    """
    fields = {
        "name": name, "constants": constants or {}, "levers": vary or {},
        "uncertainties": _spans(uncertain or {}), "together": together, "seeds": seeds,
        "seed": seed, "paired": paired, "timeout": timeout, "memory": memory,
    }  # fmt: skip
    planned = plan(market, Design(**fields, **({} if sample is None else {"sample": sample})),
                   measure)  # fmt: skip
    width = jobs if jobs is not None else os.cpu_count() or 1
    whole("jobs", width, 1, 10_000, "10,000")
    pool: Pool = processes(width, planned.design.memory)
    if executor is not None:
        pool = partial(_as_it_is, executor)
        width = int(getattr(executor, "_max_workers", 0) or width)
    folder = folder_of(planned) if out is None else Path(out)
    return carry_out(planned, folder, pool, width, shard=shard, progress=progress)


def _as_it_is(executor: Executor) -> AbstractContextManager[Executor]:
    """Return an executor that somebody else ends."""
    return nullcontext(executor)


def _spans(uncertain: Mapping[str, Any]) -> dict[str, Any]:
    """Return ranges by path, also of a `problem` as SALib has it."""
    if not {"num_vars", "names", "bounds"} <= set(uncertain):
        return dict(uncertain)
    dists = uncertain.get("dists") or ["unif"] * len(uncertain["names"])
    other = sorted(set(dists) - {"unif", "logunif"})
    if other:
        raise BadInputError([Problem(
            "W105", f'problem: dists are "{other[0]}"; a sweep takes "unif" and "logunif"',
            field="uncertain.dists",
        )])  # fmt: skip
    return {
        path: {"low": low, "high": high, "scale": "log" if dist == "logunif" else "linear"}
        for path, (low, high), dist in zip(
            uncertain["names"], uncertain["bounds"], dists, strict=True)
    }  # fmt: skip


def plan(
    market: Market | str | os.PathLike[str], design: Design, measure: Measure | None = None,
    given: str = "",
) -> Planned:  # fmt: skip
    """Check a sweep: its scenario at the first point, its paths, its size.

    Raises:
        BadInputError: all that is wrong at once.
    """
    if isinstance(market, Market):
        data, base = data_of(market), Base({}, name=market.name)
        try:
            text = to_toml(market, resolved=False)
        except BadInputError:  # functions: Python alone can run it again
            text = ""
        base = Base(data, name=market.name)
    else:
        data, text, path = data_of_file(market)
        base = Base(data, str(market), str(path.parent.resolve()), path.stem)
    points = points_of(design)
    if len(points) * design.seeds > MOST_RUNS:
        runs = len(points) * design.seeds
        raise BadInputError([Problem(
            "W114", f"{runs:,} runs; a sweep has {MOST_RUNS:,} at most", field="seeds"
        )])  # fmt: skip
    problems = _check(base, design, points)
    parts = {
        "scenario": _digest(told(dict(base.data))),
        "design": _digest([told(_design_data(design)), told(measure)]),
        "code": code_digest(),
    }
    key = _digest(parts)
    return Planned(design, base, text, points, measure, key, parts, given, problems)


def _design_data(design: Design) -> dict[str, Any]:
    """Return what of a design tells results apart: not how long a run may take."""
    apart = {"timeout", "memory", "question", "scenario", "name"}
    data = {n: getattr(design, n) for n in type(design).model_fields if n not in apart}
    data["sample"] = design.sample.model_dump() if design.uncertainties else None
    data["uncertainties"] = {p: s.model_dump() for p, s in design.uncertainties.items()}
    return data


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _check(base: Base, design: Design, points: list[Point]) -> list[Problem]:
    """Refuse paths that fit nothing, and a scenario that no point can run.

    Returns what is wrong with single values: the runs that have them will fail.
    """
    first, problems = points[0], []
    alone = [{path: value} for path, values in design.levers.items() for value in values]
    alone += [{path: end} for path, span in design.uncertainties.items()
              for end in (span.low, span.high)]  # fmt: skip
    runs, tried = 0, [first, *alone[:_TRIED]]
    for values in tried:
        changes = {**design.constants, **first, **values}
        listed = [Override(path, path, value) for path, value in changes.items()]
        found = changed(base.data, listed, file=base.file, base=Path(base.folder), name=base.name)
        wrong = errors_in(found.problems)
        unfit = [p for p in wrong if p.code == "W113"]
        if unfit:
            raise BadInputError(unfit)
        runs += not wrong
        problems += wrong
    if not runs:
        raise BadInputError(list(dict.fromkeys(problems)))
    return list(dict.fromkeys(problems))


def folder_of(planned: Planned, under: Path = Path("sweeps")) -> Path:
    """Return `sweeps/<name>-<hash8>`: the same sweep has the same folder everywhere."""
    return under / f"{planned.name}-{planned.key[:8]}"


def carry_out(
    planned: Planned, folder: Path, pool: Pool, width: int, *, shard: tuple[int, int] = (1, 1),
    progress: Progress | None = None, stop: Callable[[], bool] = lambda: False, command: str = "",
) -> Sweep:  # fmt: skip
    """Do what is left of a sweep, or of a shard of it; put all together once nothing is left.

    Raises:
        SweepFolderError: the folder holds something else, or another process works on it.
        StoppedError: `stop` said so.
        OSError: nothing can be written; what has been finished is safe.
    """
    part, of = shard
    if not 1 <= part <= of:
        raise ValueError(f"shard is {part}/{of}; it must be i/n with i from 1 to n")
    folder.mkdir(parents=True, exist_ok=True)
    with store.locked(folder, f"-{part}-of-{of}" if of > 1 else ""):
        files = {
            "scenario.toml": planned.text.encode(), "design.parquet": _table(planned),
            **({"sweep.toml": planned.given.encode()} if planned.given else {}),
        }  # fmt: skip
        manifest = store.create(folder, files, _manifest(planned, command))
        if of == 1:
            store.clean(folder)
        pieces = list(store.held(folder))
        runs = store.left(planned.total, pieces)
        mine = runs[runs % of == part - 1]
        counts = _Counts(planned, pieces, part, of, progress)

        def take(piece: Piece) -> None:
            store.add(folder, piece)
            counts.add(piece)

        execute(mine, lambda some: _job(planned, some), pool, width, take, stop)
    with suppress(store.SweepFolderError), store.locked(folder):  # others may still be at work
        finish(folder, planned)
    return Sweep(folder, manifest)


class _Counts:
    """Progress: how many runs of this shard have ended, and failed."""

    def __init__(
        self, planned: Planned, pieces: list[store.Held], part: int, of: int,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        mine = [[r % of == part - 1 for r in p.runs].count(True) for p in pieces]
        self._total = len(range(part - 1, planned.total, of))
        self._done = sum(mine)
        self._failed = sum(run % of == part - 1 for p in pieces for run, *_ in p.failures)
        self._progress = progress
        self._tell()

    def add(self, piece: Piece) -> None:
        self._done += len(piece.runs)
        self._failed += len(piece.failures)
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, self._failed)


def _job(planned: Planned, runs: Any) -> Job:
    listed = [(int(run), planned.changes(int(run)), planned.seed(int(run))) for run in runs]
    return Job(planned.base, listed, planned.design.timeout, planned.measure)


def _table(planned: Planned) -> bytes:
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
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return values if numbers else [json.dumps(told(v), sort_keys=True) for v in values]


def _manifest(planned: Planned, command: str) -> dict[str, Any]:
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
    store.merge(folder, pieces)
    rows = sorted({run: (run, kind, why) for p in pieces for run, kind, why in p.failures}.values())
    failures = pd.DataFrame({
        "run": [run for run, *_ in rows],
        "point": [run // planned.design.seeds for run, *_ in rows],
        "rep": [run % planned.design.seeds for run, *_ in rows],
        "seed": [planned.seed(run) for run, *_ in rows],
        "kind": [kind for _, kind, _ in rows], "reason": [why for *_, why in rows],
        "command": [command_of(planned, folder, run) for run, *_ in rows],
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
    changes = planned.changes(run)
    if not planned.text or any(callable(v) for v in changes.values()):
        return ""
    words = ["walras", "run", str(folder / "scenario.toml"), "--seed", str(planned.seed(run))]
    for path, value in changes.items():
        words += ["--set", f"{path}={_toml(value)}"]
    return shlex.join(words)


def _toml(value: Any) -> str:
    """Return a value as TOML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)
