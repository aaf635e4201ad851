"""How long a market takes to forget that it began empty, and so where its measurement begins.

A queue forgets with the relaxation time τ = E[S]/(c·(1 − √ρ)²) of M/M/1 (Cohen 1982, The Single
Server Queue), c slots taken for one c times as fast. Load and service are measured in a pilot run
of each deviation, which is lengthened until it is five times as long as what it finds; so a price
cut that nearly fills its seller gets a longer warm-up than the candidate point.

Average quotes start as plain averages of what has been seen (their weight begins at 1), so what
was seen at the start counts for τ/t at time t until the memory forgets it altogether.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...market.engine import Engine
from ...market.schema.arrivals import MMPP, Closed, Diurnal, Poisson
from ...market.schema.market import Market
from ...market.state import State

_TASKS = 2000
_LENGTHS = 5.0  # relaxation times in a warm-up; e⁻⁵ of what it began with is left
_AVERAGES = 50.0  # relaxation times after which a plain average counts the start for 2%
_MEMORIES = 5.0
_FULL = 0.95  # a higher load is taken for this: who is overloaded has no steady state
_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class Pilot:
    """What one short run tells of a market.

    Attributes:
        relaxation: slowest relaxation time of its queues and mean sojourn, s.
        engine: the run, its counts since `since`.
        since: stats at the middle of the run, which it is measured from.
        seconds: time measured.
        seed: it was drawn from.
        tasks: tasks simulated.
    """

    relaxation: float
    engine: Engine
    since: np.ndarray
    seconds: float
    seed: int
    tasks: int


def pilot(market: Market, seed: int) -> Pilot:
    """Run a market for five times its relaxation time, for 2,000 to 128,000 tasks.

    Where demand follows the clock, as at its peak.

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
    engine = Engine(market, seed, share=0.0)
    rate = sum(market.arrival_rate(task) for task in market.tasks)
    length = _TASKS / rate
    for _ in range(_DOUBLINGS + 1):
        engine.advance(0.5 * length)
        engine.close_epoch()
        since, sellers = engine.state.stats.copy(), engine.state.sellers.copy()
        engine.advance(length)
        engine.close_epoch()
        time = relaxation(engine.state, since, sellers, 0.5 * length)
        if length >= _LENGTHS * time:
            break
        length *= 2.0
    return Pilot(time, engine, since, 0.5 * length, seed, int(engine.state.clock[0]["tasks"]))


def at_peak(market: Market) -> Market:
    """Return the market with demand that follows the clock as it is at its peak, all the time."""
    tasks = tuple(
        task.model_copy(update={"arrivals": Poisson(rate=of.rate * (1.0 + of.amplitude))})
        if isinstance(of := task.arrivals, Diurnal) else task
        for task in market.tasks
    )  # fmt: skip
    return market.model_copy(update={"tasks": tasks})


def relaxation(state: State, since: np.ndarray, sellers: np.ndarray, seconds: float) -> float:
    """Return the slowest seller's relaxation time and its mean sojourn together, s.

    Args:
        state: the market now.
        since: its `stats` some time ago.
        sellers: its `sellers` then.
        seconds: how long ago.
    """
    slowest = 0.0
    for s, seller in enumerate(state.sellers):
        mine = np.flatnonzero(state.seller_of == s)
        done, before = state.stats[:, mine], since[:, mine]
        served = float((done["served"] - before["served"]).sum())
        if served == 0.0:
            continue
        service = float((done["service"] - before["service"]).sum()) / served
        sojourn = float((done["sojourn"] - before["sojourn"]).sum()) / served
        streams = float(seller["run_time"] - sellers[s]["run_time"]) / seconds
        slots, kappa = float(seller["slots"]), float(seller["kappa"])
        width = min(slots, kappa)
        time = service
        if math.isfinite(width):
            load = streams / slots if math.isfinite(slots) else streams / (kappa + streams)
            time /= width * (1.0 - math.sqrt(min(load, _FULL))) ** 2
        slowest = max(slowest, time + sojourn)
    return slowest


def warm_up(market: Market, relaxation_time: float) -> float:
    """Return how long a market runs before it is measured, s.

    Five relaxation times; with average quotes 50 more, or five memories if those are shorter; where
    demand comes in phases, five rounds of them; five times the pause of users who come back.
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
