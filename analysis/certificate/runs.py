"""Runs of the event market that payoffs are read from: constant prices, marks, a sample of buyers.

A candidate point is constant: strategies don't decide, nothing happens at set times (outages,
price changes, entries are left out; whoever enters later is there from the start). What is left is
a market with a steady state, cleared by the engine alone. Where demand follows the clock, each
replication begins at a time of the day of its own, so that together they see the whole of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...market.engine import Engine, Way
from ...market.schema.arrivals import Diurnal, Replay
from ...market.schema.market import Market, PostedPrice
from ...market.state import TRADE, State
from .deviations import Deviation

COHORT = 0.02
"""Share of a class's tasks whose buyers deviate together: few enough to move the market little."""
_NOTED = 20_000
"""Tasks of a class that are noted in a run at most, about."""
Notes = tuple[NDArray[np.uint64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Tally:
    """What has been counted up to a mark: `stats` and `odds` of the state, rows written."""

    stats: NDArray[Any]
    odds: NDArray[np.float64]
    rows: int


@dataclass(frozen=True, slots=True)
class Trace:
    """One run: tallies at its marks (s), trade rows of the sample, the state at the end.

    `notes` are ids [n] of tasks, rising, and what was noted of each choice (`odds.note_choice`).
    """

    market: Market
    tallies: dict[float, Tally]
    rows: NDArray[Any]
    state: State
    notes: Notes

    @property
    def tasks(self) -> int:
        """Tasks that came."""
        return int(self.state.clock[0]["tasks"])


def at_rest(market: Market) -> Market:
    """Return the market without strategies and events, all sellers open.

    Raises:
        ValueError: it is none that has a steady state, or no posted-price market of compiled rules.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> late = Seller("late", accuracy=1.0, enters="1 h", pricing="undercut")
        >>> at_rest(Market(tasks=[ask], sellers=[late])).sellers[0].enters
        0.0
    """
    if not isinstance(market.mechanism, PostedPrice):
        raise ValueError("mechanism: a certificate is about posted prices; it must be posted_price")
    if market.contracts:
        raise ValueError(
            f'sellers.contracts: "{market.contracts[0]}" is chosen anew every period, by what its '
            "customers have learnt; a certificate needs a market without contracts"
        )
    for task in market.tasks:
        if callable(task.choice):
            raise ValueError(
                f'tasks "{task.name}": choice is a Python function, which the engine alone cannot '
                "ask; a certificate needs argmax or logit"
            )
        if isinstance(task.arrivals, Replay):
            raise ValueError(
                f'tasks "{task.name}": arrivals are replayed, and a recording has no steady state; '
                "a certificate needs poisson, mmpp, diurnal, batch or closed arrivals"
            )
    still = {"pricing": None, "enters": 0.0}
    sellers = tuple(seller.model_copy(update=still) for seller in market.sellers)
    return market.model_copy(update={"sellers": sellers, "events": ()})


def at_time(market: Market, share: float) -> Market:
    """Return the market with its clock put forward, by a share of a thousand of its longest days.

    Of a share drawn from 0 to 1, all times of the day are equally likely, of each period that
    demand has.
    """
    periods = [t.arrivals.period for t in market.tasks if isinstance(t.arrivals, Diurnal)]
    if not periods:
        return market
    ahead = share * 1000.0 * max(periods)
    tasks = []
    for task in market.tasks:
        if isinstance(of := task.arrivals, Diurnal):
            later = of.model_copy(update={"phase": math.fmod(of.phase + ahead, of.period)})
            task = task.model_copy(update={"arrivals": later})  # noqa: PLW2901
        tasks.append(task)
    return market.model_copy(update={"tasks": tuple(tasks)})


def simulate(
    market: Market, seed: int, marks: Sequence[float], *, sampled: Collection[str] = (),
    deviation: Deviation | None = None, ways: Mapping[str, Sequence[Deviation]] | None = None,
    like: Engine | None = None,
) -> Trace:  # fmt: skip
    """Run a market that is at rest, and take down what is counted at each mark.

    Args:
        market: with the deviation, if that is a seller's.
        seed: of all draws; the same for all that are compared.
        marks: times, s, rising.
        sampled: classes of which the cohort leaves rows.
        deviation: of buyers: what those of the cohort do.
        ways: what buyers of some classes might do; nobody does, but what it would gain is noted,
            and up to some 20,000 tasks of the class leave rows.
        like: an engine, not begun, of a market that differs in posted prices and in the time of
            the day at most; the run's own is then made from it, which is far sooner done.
    """
    rows: list[NDArray[Any]] = []
    ways = ways or {}
    share = [
        max(COHORT, min(1.0, _NOTED / (market.arrival_rate(task) * marks[-1])))
        if task.name in ways else COHORT if task.name in sampled else 0.0
        for task in market.tasks
    ]  # fmt: skip
    if like is None:
        engine = Engine(market, seed, share=share, keep=rows.append)
    else:
        engine = like.again(market, seed, share=share, keep=rows.append)
    engine.note_odds()
    names = [task.name for task in market.tasks]
    noted: list[Notes] = []
    if deviation is not None and deviation.side == "buyer":
        shuns, hurry = _way(market, deviation)
        engine.let_stray(names.index(deviation.player), shuns=shuns, hurry=hurry)
    if ways:
        of = {names.index(task): [_way(market, d) for d in those] for task, those in ways.items()}
        engine.note_ways(of, lambda ids, notes: noted.append((ids, notes)))
    tallies = {}
    for mark in marks:
        _advance(engine, mark)
        engine.flush()
        tallies[mark] = Tally(
            engine.state.stats.copy(), engine.state.odds.copy(), sum(map(len, rows))
        )
    written = np.concatenate(rows) if rows else np.zeros(0, TRADE)
    return Trace(market, tallies, written, engine.state, _in_order(noted))


def _way(market: Market, deviation: Deviation) -> Way:
    """Return a deviation of buyers as the engine takes it."""
    return [market.offers.index(offer) for offer in deviation.shuns], deviation.hurry


def _in_order(noted: list[Notes]) -> Notes:
    """Return all notes by rising id, to be looked up."""
    if not noted:
        return np.zeros(0, np.uint64), np.zeros((0, 4))
    ids, notes = (np.concatenate(part) for part in zip(*noted, strict=True))
    order = np.argsort(ids)
    return ids[order], notes[order]


def _advance(engine: Engine, until: float) -> None:
    """Clear the market up to a time; the platform ranks by rating when it is due."""
    platform = engine.market.platform
    while platform.ranking == "rating":
        due = (engine.now // platform.rerank_every + 1) * platform.rerank_every
        if due > until:
            break
        engine.advance(due)
        engine.rank()
    engine.advance(until)
