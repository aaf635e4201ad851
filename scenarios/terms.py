"""What each offer means to each task class on average, and how loaded the sellers would be.

Back-of-the-envelope figures for the lint: means only, no queues unless said. The rules are those
of `market.rules`, called uncompiled, since checking a file should not wait for a compiler.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ..market import rules
from ..market.jit import plain
from ..market.mechanisms import first_score
from ..market.schema.arrivals import Closed, Replay
from ..market.schema.demand import TaskClass
from ..market.schema.distributions import Constant, Quantiles, Recorded, Uniform
from ..market.schema.market import AddSlots, Market
from ..market.schema.supply import Rates, Seller

_NODES = 21
_MTOK = 1e6


_work_tokens = plain(rules.work_tokens)
_ability = plain(rules.ability)
_accuracy = plain(rules.accuracy)
_price_of = plain(rules.price_of)
announced = plain(first_score.announced)
"""The score that a buyer announces for what a task is worth to it before price."""


@dataclass(frozen=True)
class Term:
    """An offer as a class of tasks meets it when nobody queues.

    Attributes:
        task, seller: the class and who serves it.
        offer: name of the offer, `seller/effort`.
        price, cost: expected price and marginal cost of a mean task, USD.
        accuracy: expected accuracy as buyers are quoted it.
        work: mean work, output-token equivalents.
        service: mean service time alone, s.
        outside: network and start-up time, s.
    """

    task: TaskClass
    seller: Seller
    offer: str
    price: float
    cost: float
    accuracy: float
    work: float
    service: float
    outside: float

    @property
    def latency(self) -> float:
        """Time to the answer without queueing, s."""
        return self.outside + self.service


class Terms:
    """The terms of a market, worked out when first asked for."""

    def __init__(self, market: Market) -> None:
        self.market = market

    @cached_property
    def all(self) -> list[Term]:
        """Every (class, offer) that serves the class's skill."""
        return [
            term(self.market, task, seller, effort)
            for task in self.market.tasks
            for seller in self.market.sellers if seller.serves(task.skill)
            for effort in seller.effort
        ]  # fmt: skip

    def of_class(self, task: TaskClass) -> list[Term]:
        """The terms of one class."""
        return [t for t in self.all if t.task is task]

    def of_seller(self, seller: Seller) -> list[Term]:
        """The terms of one seller."""
        return [t for t in self.all if t.seller is seller]

    @cached_property
    def utilisations(self) -> dict[str, float]:
        """Load of each seller of finite capacity if demand spreads in proportion to capacity.

        ρ_s = Σ_k λ_k · w_ks / Σ_r C_r over the sellers r that serve class k, with w the mean work
        and C the capacity in tokens/s. A guess where buyers choose; exact with one seller.
        """
        loads = {s.name: 0.0 for s in self.market.sellers if math.isfinite(self.capacity(s))}
        for task in self.market.tasks:
            mine = lightest(self.of_class(task))
            total = sum(self.capacity(t.seller) for t in mine)
            rate = open_rate(task)
            for t in mine:
                if t.seller.name in loads and 0 < total < math.inf:
                    loads[t.seller.name] += rate * t.work / total
        return loads

    def slots(self, seller: Seller) -> float:
        """Slots of a seller with all that events add."""
        added = sum(
            e.slots for e in self.market.events
            if isinstance(e, AddSlots) and e.seller == seller.name
        )  # fmt: skip
        return seller.slots + added

    def capacity(self, seller: Seller) -> float:
        """Most tokens/s a seller serves, with all slots that events add: n · r(n), n = slots."""
        slots = self.slots(seller)
        if math.isinf(slots):
            return seller.speed * seller.kappa
        if math.isinf(seller.kappa):
            return seller.speed * slots
        return seller.speed * seller.kappa * slots / (seller.kappa + slots - 1)

    @cached_property
    def slowest_queue(self) -> tuple[str, float]:
        """The seller whose queue forgets slowest and its relaxation time, s; 0 if none queues.

        τ = E[S] / (c · (1 − √ρ)²): that of M/M/1 (Cohen 1982, The Single Server Queue), c slots
        taken for one c times as fast, at the guessed utilisation ρ.
        """
        worst = ("", 0.0)
        for seller in self.market.sellers:
            load = self.utilisations.get(seller.name, 0.0)
            services = [t.service for t in self.of_seller(seller) if math.isfinite(t.service)]
            if not 0 < load < 1 or not services:
                continue
            slots = seller.slots if math.isfinite(seller.slots) else 1.0
            time = max(services) / (slots * (1 - math.sqrt(load)) ** 2)
            if worst[1] < time < math.inf:
                worst = (seller.name, time)
        return worst


def lightest(terms: list[Term]) -> list[Term]:
    """Keep of each seller the offer with the least work."""
    best: dict[str, Term] = {}
    for t in terms:
        if t.seller.name not in best or t.work < best[t.seller.name].work:
            best[t.seller.name] = t
    return list(best.values())


def open_rate(task: TaskClass) -> float:
    """Return arrivals of a class that come whatever the delays, tasks/s; 0 if not known."""
    if isinstance(task.arrivals, Closed):
        return 0.0  # users wait for answers: a closed population cannot overload a queue
    rate = task.arrivals.mean_rate
    return rate if math.isfinite(rate) else 0.0


def highest(law: Any) -> float:
    """Return the largest value a law can take, infinite where it has no bound."""
    if isinstance(law, Quantiles):
        return law.values[-1]
    if isinstance(law, Uniform):
        return law.high
    return law.value if isinstance(law, Constant) else math.inf


def latest(task: TaskClass) -> float:
    """Return the longest time in which an answer of a class is of use, s: max D, and its grace.

    Of a deadline without bound, its mean; infinite where answers are never late.
    """
    if task.deadline is None:
        return math.inf
    due = highest(task.deadline)
    due = task.deadline.mean if math.isinf(due) else due
    return due + float(getattr(task.lateness, "grace", 0.0))


def mean_size(task: TaskClass, name: str) -> float:
    """Return the mean of a class's `input_tokens` or `output_tokens`; NaN where a file knows it."""
    law = getattr(task, name)
    if not isinstance(law, Recorded):
        return float(law.mean)
    listed = getattr(task.arrivals, name) if isinstance(task.arrivals, Replay) else None
    return math.fsum(listed) / len(listed) if listed else math.nan


def term(market: Market, task: TaskClass, seller: Seller, effort: str) -> Term:
    """Work out one offer for one class."""
    thinking = seller.effort[effort]
    size_in, size_out = mean_size(task, "input_tokens"), mean_size(task, "output_tokens")
    work = _work_tokens(
        size_in, size_out, thinking, seller.speed / seller.prefill_rate, seller.verbosity
    )
    return Term(
        task, seller, f"{seller.name}/{effort}",
        price=_money(seller.price, seller, size_in, size_out, thinking),
        cost=_money(seller.cost, seller, size_in, size_out, thinking) * seller.cost_factor.mean,
        accuracy=quoted_accuracy(market, task, seller, thinking),
        work=work, service=work / seller.speed, outside=seller.network_time + seller.startup_time,
    )  # fmt: skip


def _money(rates: Rates, seller: Seller, size_in: float, size_out: float, thinking: float) -> float:
    billed = size_out * seller.verbosity + thinking
    return _price_of(rates.task, rates.input / _MTOK, rates.output / _MTOK, size_in, billed)


def quoted_accuracy(market: Market, task: TaskClass, seller: Seller, thinking: float) -> float:
    """Return the accuracy buyers of a class reckon with: E[a(b)], or the claim."""
    skill = task.skill
    if market.quotes.accuracy == "claimed" and (skill in seller.claimed or "*" in seller.claimed):
        return seller.claimed.get(skill, seller.claimed.get("*", 0.0))
    if skill not in seller.ability:
        return seller.accuracy.get(skill, seller.accuracy.get("*", 0.0))
    item = seller.ability[skill]
    level = _ability(item.theta, item.beta, item.tau, thinking, seller.e0)
    return _mean_accuracy(item.floor, item.ceiling, level, task.difficulty.mean, task.difficulty.sd)


@lru_cache(maxsize=4096)
def _mean_accuracy(floor: float, ceiling: float, level: float, mean: float, sd: float) -> float:
    points, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    values = [_accuracy(floor, ceiling, level, mean + sd * float(x)) for x in points]
    return float(np.dot(weights, values) / weights.sum())
