"""A run: a market and a seed, simulated once or several times, and what came of it."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.recfunctions import repack_fields
from numpy.typing import NDArray
from simpy.events import NORMAL

from ..agents.economy import Economy
from ..agents.seller import Process
from ..market.rng import hashed
from ..market.schema.fields import whole
from ..market.schema.market import Market
from ..market.state import BOOKED, CALLING, RUNNING, WAITING, State
from .load import market_of
from .result import Result
from .summary import warmup_epochs
from .tables import OPEN, Record, tables
from .traces import locate

RECORDS = ("summary", "epochs", "trades")
SAMPLE = 20_000
"""Rows of trades kept when not all are asked for: a keyed sample, as many of each class."""
_LAST = NORMAL + 1  # priority of an event after all others of its time
_LIBRARIES = ("numpy", "numba", "scipy", "pandas", "simpy", "mesa")

Progress = Callable[[float, float, int], None]


_INSIDE = np.zeros(BOOKED + 1, dtype=bool)
_INSIDE[[WAITING, RUNNING, CALLING, BOOKED]] = True


@dataclass
class _Once:
    """One replication as it was recorded."""

    stats: list[NDArray[Any]] = field(default_factory=list)
    sellers: list[NDArray[Any]] = field(default_factory=list)
    open: list[NDArray[Any]] = field(default_factory=list)
    asks: list[NDArray[np.float64]] = field(default_factory=list)
    levers: list[list[float]] = field(default_factory=list)
    posted: list[list[float]] = field(default_factory=list)
    rows: list[NDArray[Any]] = field(default_factory=list)


def rep_seed(seed: int, rep: int) -> int:
    """Return the seed of one replication: the run's own, then hashes of it, so none is shared.

    Example:
        >>> rep_seed(5, 0), rep_seed(5, 1) != rep_seed(6, 0)
        (5, True)
    """
    if rep == 0:
        return seed
    return int(hashed(seed, rep)) >> 1


def run(
    market: Market | str | os.PathLike[str], *, until: float | str | None = None, seed: int = 0,
    reps: int = 1, warmup: float | str | None = None, record: str = "epochs",
    progress: Progress | None = None, base: str | Path = ".",
    processes: Iterable[Callable[[Economy], Process]] = (),
) -> Result:  # fmt: skip
    """Simulate a market and return what happened.

    Args:
        market: the spec, or a scenario's name or file as `load` takes them.
        until: simulated time, seconds or text such as "6 h"; the spec's own when absent.
        seed: all randomness is keyed by it; a whole number from 0 to 2⁶³ − 1.
        reps: replications with independent streams; standard errors then come from them.
        warmup: time left out of means; the spec's own when absent.
        record: "summary" (means only), "epochs" (a time series) or "trades" (every task).
        progress: called with (simulated seconds done, in all, tasks so far).
        base: folder from which relative trace files are taken; where one is not there, it is
            looked for in the folder that the environment variable WALRAS_DATA names.
        processes: functions that take the `Economy` and return a SimPy process (a generator),
            which starts at time 0 of each replication and may submit tasks.

    Raises:
        BadInputError: there is no such scenario, it has errors, or `until` or `warmup` has; a
            trace file is missing or cannot be read.
        ValueError: another argument is out of range, or a trace file does not hold a trace.
        LedgerOverflowError: an account went beyond 4.6e9 USD.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> result = run(Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)]), until="2 min")
        >>> bool(result.epochs["served"].sum() > 50)
        True
    """
    market = market_of(market)
    if record not in RECORDS:
        raise ValueError(f'record is "{record}"; it must be one of {", ".join(RECORDS)}')
    whole("reps", reps, 1, 100_000, "100,000")
    whole("seed", seed, 0, 2**63 - 1, "2^63 − 1")
    if callable(processes) or not all(map(callable, processes := tuple(processes))):
        raise TypeError("processes must be a list of functions of the economy, each a generator")
    changes = {k: v for k, v in (("until", until), ("warmup", warmup)) if v is not None}
    if changes:
        market = market.model_copy(update={"run": market.run.model_copy(update=changes)})
    located = locate(market, Path(base))
    started = time.monotonic()
    tasks = 0
    records = []
    digest = hashlib.blake2b(digest_size=16)
    edges = epoch_edges(market)
    for rep in range(reps):
        once, count = _simulate(located, rep_seed(seed, rep), record, edges, digest, (
            None if progress is None
            else lambda done, so_far, rep=rep, before=tasks: progress(  # type: ignore[misc]
                rep * edges[-1] + done, reps * edges[-1], before + so_far)
        ), processes)  # fmt: skip
        tasks += count
        records.append(once)
    frames = tables(market, edges, records, shares=_shares(market, record))
    manifest = {
        "scenario": market.name, "seed": seed, "reps": reps, "record": record, "tasks": tasks,
        "seconds": round(time.monotonic() - started, 3), "memory_mb": memory_mb(),
        **made_with(), "command": "", "digest": digest.hexdigest(),
    }  # fmt: skip
    return Result(market=market, seed=seed, reps=reps, record=record, manifest=manifest, **frames)


def epoch_edges(market: Market) -> NDArray[np.float64]:
    """Return the ends of a run's epochs, seconds, starting with 0; the last may be shorter."""
    count = max(math.ceil(market.run.until / market.epoch - 1e-9), 1)
    if count > 1_000_000:
        raise ValueError(f"{count:,} epochs; epoch must be at least a millionth of until")
    edges = np.minimum(np.arange(count + 1) * market.epoch, market.run.until)
    edges[-1] = market.run.until
    return np.asarray(edges, dtype=np.float64)


def _shares(market: Market, record: str) -> list[float]:
    """Return the share of each class's tasks that is kept as rows, so that rare ones are seen."""
    if record == "trades":
        return [1.0] * len(market.tasks)
    expected = (market.arrival_rate(task) * market.run.until for task in market.tasks)
    quota = SAMPLE / len(market.tasks)
    return [min(1.0, quota / n) if math.isfinite(n) else 1.0 for n in expected]


def _simulate(
    market: Market, seed: int, record: str, edges: NDArray[np.float64], digest: Any,
    progress: Callable[[float, int], None] | None,
    processes: Iterable[Callable[[Economy], Process]],
) -> tuple[Record, int]:  # fmt: skip
    """Simulate one replication; feed its numbers to the digest as they come."""
    once = _Once()
    warm = edges[warmup_epochs(market, edges)] if market.run.warmup > 0 else 0.0
    economy = Economy(
        market, seed, warmup=float(warm), share=_shares(market, record),
        keep=once.rows.append,
    )  # fmt: skip
    for process in processes:
        economy.clock.process(process(economy))
    engine = economy.engine
    economy.clock.process(_note_prices(economy, edges[:-1], once))
    for end in edges[1:]:
        economy.advance(float(end))
        engine.close_epoch()
        state = engine.state
        once.stats.append(state.stats.copy())
        once.sellers.append(state.sellers.copy())
        once.open.append(not_ended(state))
        once.posted.append([x for seller in economy.sellers for x in seller.posted()])
        economy.forget()
        if progress is not None:
            progress(float(end), int(state.clock[0]["tasks"]))
    engine.flush()
    stats = _stacked(once.stats)
    digest.update(_told(stats, market))
    for part in once.rows:
        digest.update(_told(part, market))
    digest.update(engine.state.ledger.tobytes())
    digest.update(engine.state.latencies.tobytes())
    seen = Record(
        stats=stats, sellers=_stacked(once.sellers), open=_stacked(once.open),
        asks=np.stack(once.asks),
        levers=np.array(once.levers), posted=np.diff(np.array(once.posted), axis=0, prepend=0.0),
        latencies=engine.state.latencies,
        ledger=engine.state.ledger.copy(),
        trades=np.concatenate(once.rows) if once.rows else engine.state.trades[:0].copy(),
        contracts=[
            (start, k, counts) for k, buyers in enumerate(economy.buyers)
            if buyers.customers is not None for start, counts in buyers.customers.taken
        ],
    )  # fmt: skip
    return seen, int(engine.state.clock[0]["tasks"])


def not_ended(state: State) -> NDArray[Any]:
    """Return the tasks that are in the market now and what they have cost, [K, O + 1] `OPEN`.

    By the offer that they were given to; those who wait for bids, talks or a trade stand last.
    """
    found = np.zeros(state.stats.shape, OPEN)
    tasks = state.tasks[_INSIDE[state.tasks["state"]]]
    if not len(tasks):
        return found
    decided = (tasks["state"] == WAITING) | (tasks["state"] == RUNNING)
    where = tasks["kind"], np.where(decided, tasks["offer"], found.shape[1] - 1)
    np.add.at(found["tasks"], where, 1)
    delay = tasks["delay_cost"] * (state.clock[0]["now"] - tasks["time"])
    np.add.at(found["delay_cost"], where, delay)
    return found


def _stacked(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays of one dtype as one; of records `np.stack` compares the fields of each pair."""
    whole = np.empty((len(parts), *parts[0].shape), parts[0].dtype)
    for place, part in enumerate(parts):
        whole[place] = part
    return whole


def _told(rows: NDArray[Any], market: Market) -> bytes:
    """Return what of an array goes into the digest: all but what only contracts fill."""
    kept = [name for name in rows.dtype.names or () if name not in ("fee", "customer", "contract")]
    return (rows if market.contracts else repack_fields(rows[kept])).tobytes()


def _note_prices(economy: Economy, starts: NDArray[np.float64], once: _Once) -> Process:
    """Note the prices with which each epoch starts, after all that happens at that instant."""
    for start in starts:
        yield economy.clock.at(float(start), _LAST)
        once.asks.append(economy.engine.state.cells["ask"].copy())
        once.levers.append([p for seller in economy.sellers for p in seller.prices.values()])


def made_with() -> dict[str, Any]:
    """Return what a manifest says of the machine and of the versions of what it used."""
    return {
        "python": platform.python_version(), "platform": platform.platform(),
        "versions": dict(_versions()),
    }  # fmt: skip


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Return names and versions of what is used; to read them takes as long as a short run."""
    return tuple((name, version(name)) for name in ("walras", *_LIBRARIES))


def memory_mb() -> float:
    """Return the peak memory of this process, MB."""
    with suppress(OSError):  # what rusage tells of a child begins at its parent's peak
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
