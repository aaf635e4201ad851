"""How long a market takes to forget that it began empty, and so where its measurement begins.

A queue forgets with the relaxation time τ = E[S]/(c·(1 − √ρ)²) of M/M/1 (Cohen 1982, The Single
Server Queue), c slots taken for one c times as fast. Load and service are measured in a pilot run
of each deviation, which is lengthened until it is five times as long as what it finds; so a price
cut that nearly fills its seller gets a longer warm-up than the candidate point.

Average quotes start as plain averages of what has been seen (their weight begins at 1), so what
was seen at the start counts for τ/t at time t until the memory forgets it altogether.

A seller with unlimited slots and no batching keeps no memory: nobody waits for anybody. But what
buyers got is read from answers, and at first only the quick ones have come: where that is measured,
the longest sojourn counts like a relaxation time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...market.engine import Engine
from ...market.schema.arrivals import MMPP, Closed, Diurnal, Poisson
from ...market.schema.market import Market
from ...market.state import State
from .bounds import Floats

_TASKS = 2000
_LENGTHS = 5.0  # relaxation times in a warm-up; e⁻⁵ of what it began with is left
_AVERAGES = 50.0  # relaxation times after which a plain average counts the start for 2%
_MEMORIES = 5.0
_FULL = 0.95  # a higher load is taken for this: who is overloaded has no steady state
_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class Pilot:
    """What one short run tells of a market of K classes and O offers.

    Attributes:
        relaxation: slowest relaxation time of its queues and mean sojourn there, s; 0 where nobody
            ever gets in another's way.
        sojourns: mean time to the answer, s, shape [K, O]; alone, where none was served.
        shares: of each class's tasks by offer, the last column without, shape [K, O + 1].
        tasks: tasks simulated.
    """

    relaxation: float
    sojourns: Floats
    shares: Floats
    tasks: int


def pilot(market: Market, seed: int, like: Engine | None = None) -> Pilot:
    """Run a market for five times its relaxation time, for 2,000 to 128,000 tasks.

    Where demand follows the clock, as at its peak. The second half is what is looked at.

    Args:
        market: at rest.
        seed: of the run.
        like: as in `runs.simulate`.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(0.25), value=1.0)
        >>> market = Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)])
        >>> 4.0 < pilot(market, seed=1).relaxation < 6.5  # 1/(1 − √¼)² = 4 and a sojourn of 1.2
        True
    """
    market = at_peak(market)
    engine = (Engine if like is None else like.again)(market, seed, share=0.0)
    length = _TASKS / sum(market.arrival_rate(task) for task in market.tasks)
    for _ in range(_DOUBLINGS + 1):
        engine.advance(0.5 * length)
        engine.close_epoch()
        since, sellers = engine.state.stats.copy(), engine.state.sellers.copy()
        engine.advance(length)
        engine.close_epoch()
        state = engine.state
        counts = {
            n: state.stats[n] - since[n] for n in ("assigned", "served", "service", "sojourn")
        }
        streams = (state.sellers["run_time"] - sellers["run_time"]) / (0.5 * length)
        time = relaxation(state, counts, streams)
        if length >= _LENGTHS * time:
            break
        length *= 2.0
    assigned, served = counts["assigned"], counts["served"][:, :-1]
    alone = alone_at(state) + state.sellers["outside"][state.seller_of]
    mean = counts["sojourn"][:, :-1] / np.maximum(served, 1)
    shares = assigned / np.maximum(assigned.sum(axis=1, keepdims=True), 1)
    return Pilot(time, np.where(served > 0, mean, alone), shares, int(state.clock[0]["tasks"]))


def alone_at(state: State) -> Floats:
    """Return the mean service time of each class at each offer when nobody else is there, s."""
    return np.asarray(state.works["mean"] / state.sellers["speed"][state.seller_of])


def at_peak(market: Market) -> Market:
    """Return the market with demand that follows the clock as it is at its peak, all the time."""
    tasks = tuple(
        task.model_copy(update={"arrivals": Poisson(rate=of.rate * (1.0 + of.amplitude))})
        if isinstance(of := task.arrivals, Diurnal) else task
        for task in market.tasks
    )  # fmt: skip
    return market.model_copy(update={"tasks": tasks})


def relaxation(state: State, counts: dict[str, NDArray[Any]], streams: Floats) -> float:
    """Return the relaxation time and the mean sojourn of the slowest seller where tasks may queue.

    Args:
        state: the market.
        counts: how much `assigned`, `served`, `service` and `sojourn` of its `stats` have risen.
        streams: mean number of tasks in service at each seller since then.
    """
    slowest, alone = 0.0, alone_at(state)
    for s, seller in enumerate(state.sellers):
        slots, kappa = float(seller["slots"]), float(seller["kappa"])
        mine = np.flatnonzero(state.seller_of == s)
        taken, served = (counts[n][:, mine].sum() for n in ("assigned", "served"))
        if taken == 0 or math.isinf(min(slots, kappa)):
            continue
        if served:
            service, sojourn = (counts[n][:, mine].sum() / served for n in ("service", "sojourn"))
        else:
            service = sojourn = (counts["assigned"][:, mine] * alone[:, mine]).sum() / taken
        load = streams[s] / slots if math.isfinite(slots) else streams[s] / (kappa + streams[s])
        room = 1.0 - math.sqrt(min(float(load), _FULL))
        slowest = max(slowest, float(service) / (min(slots, kappa) * room * room) + float(sojourn))
    return slowest


def warm_up(market: Market, relaxation_time: float) -> float:
    """Return how long a market runs before it is measured, s.

    `relaxation_time` is what its queues take, and answers if they are looked at. Five of it; with
    average quotes 50 more, or five memories if those are shorter; where demand comes in phases,
    five rounds of them; five times the pause of users who come back.
    """
    time = _LENGTHS * relaxation_time
    if market.quotes.latency == "average":
        time += min(_MEMORIES * market.quotes.memory, _AVERAGES * relaxation_time)
    for task in market.tasks:
        if isinstance(task.arrivals, MMPP):
            time = max(time, _MEMORIES * sum(task.arrivals.dwell))
        elif isinstance(task.arrivals, Closed):
            time = max(time, _MEMORIES * task.arrivals.think_time.mean)
    return time
