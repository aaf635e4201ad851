"""The workload: when tasks come and what they are, generated in blocks.

Every draw is keyed by (seed, class, arrival index), so the size of a block changes nothing and
every mechanism, price and seller meets the same tasks. A replayed trace is a class whose
arrival times, and sizes if wanted, are read instead of drawn.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import rng
from .jit import compiled, inner
from .rng import hash2, normal_quantile, uniform
from .sampling import sample
from .schema.arrivals import MMPP, Batch, Closed, Diurnal, Replay
from .schema.market import Market
from .trace import recorded

DRAWS = 7
INPUT, OUTPUT, VALUE, DELAY_COST, DEADLINE, PATIENCE, THINK = range(DRAWS)
"""Rows of the `laws` of a class."""
NONE, POISSON, MODULATED, DIURNAL, BATCH, TRACE = range(6)
_ONE = np.uint64(1)
_TWO_PI = 2.0 * math.pi
PHASES = 16

SOURCE = np.dtype(
    [("kind", "i8"), ("key", "u8"), ("rate", "f8"), ("amplitude", "f8"), ("period", "f8"),
     ("phase", "f8"), ("phases", "i8"), ("rates", "f8", PHASES), ("dwell", "f8", PHASES),
     ("geometric", "i8"), ("size", "f8"), ("first", "i8"), ("length", "i8"),
     ("time", "f8"), ("index", "u8"), ("candidate", "u8"), ("now_phase", "i8"),
     ("phase_end", "f8"), ("turn", "u8"), ("left", "i8"), ("groups", "u8")], align=True,
)  # fmt: skip
"""An arrival process: parameters, then where it stands. `time` and `index` are of the next task."""


@inner
def _gap(key: np.uint64, what: np.uint64, index: np.uint64) -> float:
    """Return a standard exponential draw for (class, purpose, index)."""
    return -math.log(uniform(hash2(hash2(key, what), index)))


@inner
def _next_modulated(source: Any) -> None:
    """Move to the next arrival of a Markov-modulated Poisson process.

    An exponential gap is measured out in hazard: each phase uses up rate · time of it.
    """
    hazard = _gap(source["key"], rng.GAP, source["candidate"])
    source["candidate"] += _ONE
    time = source["time"]
    while True:
        rate = source["rates"][source["now_phase"]]
        room = source["phase_end"] - time
        if rate > 0.0 and hazard <= rate * room:
            source["time"] = time + hazard / rate
            return
        hazard -= rate * room
        time = source["phase_end"]
        source["now_phase"] = (source["now_phase"] + 1) % source["phases"]
        source["turn"] += _ONE
        held = _gap(source["key"], rng.PHASE, source["turn"])
        source["phase_end"] = time + held * source["dwell"][source["now_phase"]]


@inner
def _next_diurnal(source: Any) -> None:
    """Move to the next accepted candidate of a thinned Poisson process (Lewis & Shedler 1979)."""
    peak = source["rate"] * (1.0 + source["amplitude"])
    while True:
        index = source["candidate"]
        source["candidate"] += _ONE
        source["time"] += _gap(source["key"], rng.GAP, index) / peak
        turn = _TWO_PI * (source["time"] + source["phase"]) / source["period"]
        rate = source["rate"] * (1.0 + source["amplitude"] * math.sin(turn))
        if uniform(hash2(hash2(source["key"], rng.THIN), index)) * peak < rate:
            return


@inner
def _next_batch(source: Any) -> None:
    """Move to the next task of the batch, or to the first of the next batch."""
    if source["left"] > 0:
        source["left"] -= 1
        return
    index = source["groups"]
    source["groups"] += _ONE
    source["time"] += _gap(source["key"], rng.GAP, index) / source["rate"]
    size = source["size"]
    if source["geometric"] == 1:
        if size > 1.0:
            u = uniform(hash2(hash2(source["key"], rng.BATCH), index))
            source["left"] = int(math.log(u) / math.log(1.0 - 1.0 / size))
    else:
        source["left"] = int(size) - 1


@inner
def _step(source: Any, times: NDArray[np.float64]) -> None:
    """Move a source to its next task; time is infinite when there are no more."""
    kind = source["kind"]
    if kind == POISSON:
        source["time"] += _gap(source["key"], rng.GAP, source["candidate"]) / source["rate"]
        source["candidate"] += _ONE
    elif kind == MODULATED:
        _next_modulated(source)
    elif kind == DIURNAL:
        _next_diurnal(source)
    elif kind == BATCH:
        _next_batch(source)
    elif source["left"] < source["length"]:
        source["time"] = times[source["first"] + source["left"]]
        source["left"] += 1
    else:
        source["time"] = math.inf


@compiled
def start(source: Any, times: NDArray[np.float64]) -> None:
    """Put a source before its first task."""
    if source["kind"] == NONE:
        source["time"] = math.inf
        return
    if source["kind"] == MODULATED:
        held = _gap(source["key"], rng.PHASE, source["turn"])
        source["phase_end"] = held * source["dwell"][0]
    _step(source, times)


@compiled
def draw(
    tasks: Any, i: int, k: int, id_: np.uint64, time: float, kind: Any, laws: Any,
    tables: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill in task i of class k (record `kind`, its rows `laws`) from its id alone."""
    task = tasks[i]
    task["id"] = id_
    task["time"] = time
    task["kind"] = k
    task["input"] = sample(laws[INPUT], tables, hash2(id_, rng.INPUT))
    task["output"] = sample(laws[OUTPUT], tables, hash2(id_, rng.OUTPUT))
    value = sample(laws[VALUE], tables, hash2(id_, rng.VALUE))
    cost = sample(laws[DELAY_COST], tables, hash2(id_, rng.DELAY_COST))
    task["value"] = value
    task["delay_cost"] = cost * value if kind["delay_share"] == 1 else cost
    task["deadline"] = math.inf
    if kind["deadline"] == 1:
        task["deadline"] = sample(laws[DEADLINE], tables, hash2(id_, rng.DEADLINE))
    task["patience"] = math.inf
    if kind["patience"] == 1:
        task["patience"] = task["deadline"]
    elif kind["patience"] == 2:
        task["patience"] = sample(laws[PATIENCE], tables, hash2(id_, rng.PATIENCE))
    task["difficulty"] = kind["difficulty"]
    if kind["spread"] > 0.0:
        z = normal_quantile(uniform(hash2(id_, rng.DIFFICULTY)))
        task["difficulty"] = kind["difficulty"] + kind["spread"] * z


@compiled
def record_value(task: Any, kind: Any, laws: Any, value: float) -> None:
    """Give a task its recorded value, and the delay cost in proportion where it is a share."""
    task["value"] = value
    if kind["delay_share"] == 1:
        task["delay_cost"] = laws[DELAY_COST]["a"] * value


@compiled
def fill(
    block: Any, sources: Any, classes: Any, laws: Any, tables: NDArray[np.float64],
    trace: NDArray[np.float64],
) -> int:  # fmt: skip
    """Fill `block` with the next arrivals of all classes in order of time; return how many.

    `trace` holds recorded times, input and output tokens, and values, shape [4, rows].
    """
    count = 0
    while count < len(block):
        first = -1
        for k in range(len(sources)):
            if first < 0 or sources[k]["time"] < sources[first]["time"]:
                first = k
        source = sources[first]
        if math.isinf(source["time"]):
            break
        task = block[count]
        id_ = hash2(source["key"], source["index"])
        draw(block, count, first, id_, source["time"], classes[first], laws[first], tables)
        if source["kind"] == TRACE:
            row = source["first"] + source["left"] - 1
            if classes[first]["recorded_in"] == 1:
                task["input"] = trace[1, row]
            if classes[first]["recorded_out"] == 1:
                task["output"] = trace[2, row]
            if classes[first]["recorded_value"] == 1:
                record_value(task, classes[first], laws[first], trace[3, row])
        count += 1
        source["index"] += _ONE
        _step(source, trace[0])
    return count


def next_block(
    block: Any, held: Any, sources: Any, classes: Any, laws: Any, tables: NDArray[np.float64],
    trace: NDArray[np.float64],
) -> tuple[Any, int, Any]:  # fmt: skip
    """Return (block, count, held): the next arrivals in order of (time, id).

    Tasks of one instant may be split by the end of the block: they are held back for the next
    one until time moves on, so the size of a block changes nothing. The block grows when all of
    it is one instant.
    """
    start_ = len(held)
    while True:
        if len(block) <= start_ + 1:
            block = np.concatenate([block, np.zeros(len(block) + start_ + 1, block.dtype)])
        block[:start_] = held
        count = start_ + int(fill(block[start_:], sources, classes, laws, tables, trace))
        if count < len(block):
            end = count  # the sources are dry
        else:
            end = int(np.searchsorted(block["time"], block["time"][-1], side="left"))
        if end > 0 or count < len(block):
            break
        held, start_ = block.copy(), count
    held = block[end:count].copy()
    times = block["time"][:end]
    if (times[1:] == times[:-1]).any():
        block[:end] = block[:end][np.lexsort((block["id"][:end], times))]
    return block, end, held


def class_key(seed: int, name: str) -> np.uint64:
    """Return the key from which all tasks of a class in a run with this seed are drawn."""
    return rng.hashed(seed, rng.name_key("class", name))


def sources_of(market: Market, seed: int, base: Path) -> tuple[Any, NDArray[np.float64]]:
    """Return (SOURCE records per class, all traces side by side) for a run with this seed."""
    sources = np.zeros(len(market.tasks), SOURCE)
    traces: list[NDArray[np.float64]] = []
    rows = 0
    for source, task in zip(sources, market.tasks, strict=True):
        arrivals = task.arrivals
        source["key"] = class_key(seed, task.name)
        if isinstance(arrivals, Closed):
            source["kind"] = NONE
        elif isinstance(arrivals, Replay):
            data = recorded(arrivals, base)
            source["kind"], source["first"], source["length"] = TRACE, rows, data.shape[1]
            traces.append(data)
            rows += data.shape[1]
        elif isinstance(arrivals, MMPP):
            source["kind"], source["phases"] = MODULATED, len(arrivals.rates)
            source["rates"][: len(arrivals.rates)] = arrivals.rates
            source["dwell"][: len(arrivals.dwell)] = arrivals.dwell
        elif isinstance(arrivals, Diurnal):
            source["kind"], source["rate"] = DIURNAL, arrivals.rate
            source["amplitude"], source["period"] = arrivals.amplitude, arrivals.period
            source["phase"] = arrivals.phase
        elif isinstance(arrivals, Batch):
            source["kind"], source["rate"] = BATCH, arrivals.rate
            constant = arrivals.spread == "constant"
            source["geometric"] = int(not constant)
            source["size"] = round(arrivals.size) if constant else arrivals.size
        else:
            source["kind"], source["rate"] = POISSON, arrivals.rate
    trace = np.hstack(traces) if traces else np.zeros((4, 1))
    with np.errstate(over="ignore"):
        for source in sources:
            start(source, trace[0])
    return sources, trace
