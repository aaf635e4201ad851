"""From the stationary law of a chain to what buyers, sellers and the platform have of it.

What a task meets is what it saw where servers are independent: the quoted mean time is the true
one. Where streams share a speed, or some leave the queue, later arrivals matter and a task's mean
time is Little's, E[n]/λ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...rules import service_rate
from ...schema.distributions import Exponential
from ...schema.market import Market
from ...schema.supply import Seller
from ...seen import BROKEN, PAID, TIME, TIMELY
from ...state import State
from .checks import shares_speed, visitors
from .choice import Buyers, Floats, Table, choices

_ROOM, _MOST = 16, 200
"""Levels beyond the tasks in service to begin with, half of it where there are many queues; and
most of those in service."""
_HOUR = 3600.0
_SUMS = ("share", "answers", "gained", "paid", "penalties")
_MEANS = ("served", "sojourn", "wait", "timely")


@dataclass(frozen=True)
class Queue:
    """How a seller serves.

    Attributes:
        seller: its spec.
        work: mean work of a task there, tokens; NaN if nobody can come.
        leaving: rate at which each waiting task loses patience, 1/s.
        seen: whether the number of tasks there can matter to anybody.
        levels: a first guess of how many levels that number has.
    """

    seller: Seller
    work: float
    leaving: float
    seen: bool
    levels: int

    def running(self, levels: int) -> Floats:
        """Return the tasks in service with 0, 1, ... there, shape [levels]."""
        return np.minimum(np.arange(float(levels)), self.seller.slots)

    def completions(self, levels: int) -> Floats:
        """Return the answers per second with 0, 1, ... tasks there, shape [levels]."""
        if not self.seen:
            return np.zeros(levels)
        speed, kappa, running = self.seller.speed, self.seller.kappa, self.running(levels)
        rates = np.array([service_rate(speed, kappa, m) for m in range(int(running[-1]) + 1)])
        return np.asarray(running * rates[running.astype(np.int64)] / self.work)

    def departures(self, levels: int) -> Floats:
        """Return the completions and those who leave the queue, tasks/s, shape [levels]."""
        waiting = np.arange(float(levels)) - self.running(levels)
        return self.completions(levels) + self.leaving * waiting

    @property
    def outside(self) -> float:
        """Time outside the slot, s."""
        return self.seller.startup_time + self.seller.network_time

    @property
    def on_average(self) -> bool:
        """Whether the time a task takes depends on who comes later."""
        return shares_speed(self.seller) or self.leaving > 0.0

    @property
    def top(self) -> float:
        """Greatest throughput, tokens/s; infinite for unlimited independent streams."""
        seller = self.seller
        if math.isinf(seller.slots):
            return seller.speed * seller.kappa
        return seller.slots * service_rate(seller.speed, seller.kappa, int(seller.slots))


def queues_of(market: Market, st: State) -> list[Queue]:
    """Return how the sellers of a market that `checks.refuse` lets pass serve."""
    return [_queue(market, st, s) for s in range(len(market.sellers))]


def _queue(market: Market, st: State, s: int) -> Queue:
    seller, classes = market.sellers[s], visitors(s, market, st)
    if not classes:
        return Queue(seller, math.nan, 0.0, False, 1)
    first = int(np.flatnonzero(st.cells[classes[0], st.seller_of == s]["serves"])[0])
    work = float(st.works[classes[0], st.seller_of == s]["mean"][first])
    patience = market.tasks[classes[0]].patience
    leaving = 1.0 / patience.mean if isinstance(patience, Exponential) else 0.0
    seen = not (math.isinf(seller.slots) and math.isinf(seller.kappa))
    load = sum(market.tasks[k].arrivals.mean_rate for k in classes) * work / seller.speed
    others = len(market.sellers)
    room = _ROOM if others < 3 else _ROOM // 2
    levels = room + int(min(seller.slots, load / others, _MOST)) if seen else 1
    return Queue(seller, work, leaving, seen, levels)


def marginal(values: Floats, axis: int) -> Floats:
    """Return the sums of a lattice of values over all axes but one, shape [levels]."""
    return np.asarray(values.sum(axis=tuple(a for a in range(values.ndim) if a != axis)))


def measure(
    market: Market, st: State, crowd: list[Buyers], queues: list[Queue], law: Floats,
    quoted: list[list[Table]], true: list[list[Table]],
) -> dict[str, Any]:  # fmt: skip
    """Return the fields of a `Chain` that follow from its law, shape [levels] of all sellers.

    `quoted` and `true` are what buyers expect of each offer that they consider, and what they
    would expect if they knew how accurate it is.
    """
    visits = [_visits(*parts, law) for parts in zip(crowd, quoted, strict=True)]
    marginals = [marginal(law, s) for s in range(law.ndim)]
    means = _means_of_all(crowd, visits, queues, marginals)
    shape = (len(crowd), len(st.offers))
    had = {name: np.full(shape, 0.0 if name in _SUMS else math.nan) for name in (*_SUMS, *_MEANS)}
    for buyers, where, tables in zip(crowd, visits, true, strict=True):
        for o, s, visit, table in zip(buyers.offers, buyers.axes, where, tables, strict=True):
            found = _had(buyers.draws[:, 1], visit, table, queues[s], means[s])
            for name, value in found.items():
                had[name][buyers.kind, o] = value
    rates = np.array([buyers.rate for buyers in crowd])
    tastes = [_taste(*parts, law) for parts in zip(crowd, quoted, visits, strict=True)]
    kept = market.platform.commission * (had["paid"] + had["penalties"])
    factors = np.array([queue.seller.cost_factor.mean for queue in queues])[st.seller_of]
    cost = had["answers"] * st.cells["cost"] * factors
    margins = rates @ (had["paid"] - kept - cost)
    profit = [margins[st.seller_of == s].sum() - _standing(q.seller) for s, q in enumerate(queues)]
    return {name: had[name] for name in ("share", *_MEANS)} | {
        "outside": 1.0 - had["share"].sum(axis=1),
        "revenue": rates @ had["paid"],
        "profit": np.array(profit),
        "commission": float((rates @ kept).sum()),
        "surplus": rates * (np.array(tastes) + had["gained"].sum(axis=1)),
        "number": np.array([mean.number for mean in means]),
        "utilisation": np.array([mean.busy for mean in means]),
        "marginals": tuple(
            alone if queue.seen else np.zeros(0)
            for queue, alone in zip(queues, marginals, strict=True)
        ),
    }


def _had(
    delay: Floats, visit: Floats, table: Table, queue: Queue, mean: _Means
) -> dict[str, float]:
    """Return what the tasks of a class that go to an offer have of it, per task of the class.

    `delay` is the delay cost of each draw, USD/s, shape [J]; `gained` is utility, taste apart.
    """
    share = float(visit.sum())
    if share <= 0.0:
        return {}
    utility, facts = table
    time, gained, wait = facts[:, :, TIME], utility, mean.wait
    if queue.on_average:
        gained = mean.served * (utility + delay * time) - delay * mean.time
        time = np.full_like(time, mean.time)
    sojourn = float((visit * time).sum()) / share
    if not queue.on_average:
        wait = max(sojourn - queue.work / queue.seller.speed - queue.outside, 0.0)
    return {
        "share": share, "answers": mean.served * share, "gained": float((visit * gained).sum()),
        "paid": mean.served * float((visit * facts[:, :, PAID]).sum()),
        "penalties": queue.seller.penalty * float((visit * facts[:, :, BROKEN]).sum()),
        "served": mean.served, "sojourn": sojourn, "wait": wait,
        "timely": float((visit * facts[:, :, TIMELY]).sum()) / share,
    }  # fmt: skip


def _visits(buyers: Buyers, tables: list[Table], law: Floats) -> list[Floats]:
    """Return in which states of its queue tasks go to an offer, [levels, J] by offer.

    Each is the probability that a task finds so many there, is of draw j, and goes there.
    """
    visits = [np.zeros(utility.shape) for utility, _ in tables]
    for j, (shares, _) in enumerate(choices(buyers, [u for u, _ in tables], law.ndim)):
        for visit, share, axis in zip(visits, shares, buyers.axes, strict=True):
            visit[:, j] = marginal(law * share, axis)
    return visits


def _taste(buyers: Buyers, tables: list[Table], visits: list[Floats], law: Floats) -> float:
    """Return the mean taste for what is chosen, USD: the best utility less that without taste."""
    if buyers.scale == 0.0:
        return 0.0
    utilities = [utility for utility, _ in tables]
    best = sum(float((law * best).sum()) for _, best in choices(buyers, utilities, law.ndim))
    pairs = zip(visits, utilities, strict=True)
    return best - sum(float((visit * utility).sum()) for visit, utility in pairs)


def _means_of_all(
    crowd: list[Buyers], visits: list[list[Floats]], queues: list[Queue], marginals: list[Floats]
) -> list[_Means]:
    coming = [0.0] * len(queues)
    for buyers, where in zip(crowd, visits, strict=True):
        for s, visit in zip(buyers.axes, where, strict=True):
            coming[s] += buyers.rate * float(visit.sum())
    return [_means(*parts) for parts in zip(queues, marginals, coming, strict=True)]


@dataclass(frozen=True)
class _Means:
    """Of the tasks that come to a seller: share served, mean time and wait, mean number, use."""

    served: float
    time: float
    wait: float
    number: float
    busy: float


def _means(queue: Queue, alone: Floats, coming: float) -> _Means:
    """Return what a seller's tasks meet on average, by Little's law."""
    seller, outside = queue.seller, queue.outside
    if math.isnan(queue.work):
        return _Means(1.0, math.nan, math.nan, 0.0, math.nan if math.isinf(queue.top) else 0.0)
    if not queue.seen:
        time = queue.work / seller.speed
        return _Means(1.0, time + outside, 0.0, coming * time, math.nan)
    levels = np.arange(float(len(alone)))
    number, answers = float(alone @ levels), float(alone @ queue.completions(len(alone)))
    waiting = float(alone @ (levels - queue.running(len(alone))))
    busy = answers * queue.work / queue.top
    if coming <= 0.0:
        return _Means(1.0, math.nan, math.nan, number, busy)
    served = answers / coming if queue.leaving > 0.0 else 1.0
    return _Means(served, number / coming + served * outside, waiting / coming, number, busy)


def _standing(seller: Seller) -> float:
    """Return rent and fixed costs, USD/s."""
    rent = seller.rent * seller.slots if seller.rent > 0.0 else 0.0
    return (rent + seller.fixed_cost) / _HOUR
