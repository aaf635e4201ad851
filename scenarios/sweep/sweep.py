"""Sweeps: run a scenario at many points of a design, and keep what comes of it in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from ...market.schema.errors import BadInputError, Problem
from ...market.schema.fields import whole
from ...market.schema.market import Market
from ..run import memory_mb
from . import store
from .execute import Pool, execute, processes
from .job import Job, Measure, Piece
from .outcome import design_table, finish, manifest_for
from .planned import Planned, folder_of, plan
from .spec import Design
from .swept import Sweep

Progress = Callable[[int, int, int], None]


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
        executor: runs jobs instead, of any kind; it is not shut down, nor made anew if it breaks.
        shard: (i, n): the i-th of n parts of the runs.
        name: of the sweep; the scenario's when absent.
        progress: called with (runs that have ended, of how many, failed).

    Raises:
        BadInputError: the scenario or the design has errors.
        SweepFolderError: the folder holds something else, or another process works on it.
        OSError: nothing can be written there; what has been finished is safe.
        BrokenExecutor: the executor given has lost a worker; what has been finished is safe.

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
    pool, width = pool_of(executor, jobs, planned.design.memory)
    folder = folder_of(planned) if out is None else Path(out)
    return carry_out(planned, folder, pool, width, shard=shard, progress=progress)


def pool_of(executor: Executor | None, jobs: int | None, memory: int | None) -> tuple[Pool, int]:
    """Return what makes an executor, or gives out the one given, and how many workers it has."""
    width = jobs if jobs is not None else os.cpu_count() or 1
    whole("jobs", width, 1, 10_000, "10,000")
    if executor is None:
        return processes(width, memory), width
    return partial(_as_it_is, executor), int(getattr(executor, "_max_workers", 0) or width)


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
            "scenario.toml": planned.text.encode(), "design.parquet": design_table(planned),
            **({"sweep.toml": planned.given.encode()} if planned.given else {}),
        }  # fmt: skip
        manifest = store.create(folder, files, manifest_for(planned, command))
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
    # Other shards may still be at work, or begin: who merges keeps none of them away.
    with suppress(store.SweepFolderError), store.locked(folder, "-merge", wait=True):
        finish(folder, planned)
        if len(mine) or "memory_mb" not in manifest:
            manifest = store.note_memory(folder, memory_mb())
    return Sweep(folder, manifest)


class _Counts:
    """Progress: how many runs of this shard have ended, and failed."""

    def __init__(
        self, planned: Planned, pieces: list[store.Held], part: int, of: int,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        done = {run for piece in pieces for run in piece.runs if run % of == part - 1}
        self._total = len(range(part - 1, planned.total, of))
        self._done = len(done)
        self._failed = sum(run in done for run, *_ in store.failures(pieces))
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
