"""The exact fixed point of a small market with `observed` quotes: a Markov chain.

With Poisson arrivals and exponential work the numbers of tasks at all sellers are a Markov chain:
buyers who see the state n go to seller s at rate Σ_k λ_k·P_k(s | n), and n_s falls at rate
m·r(m)/w + θ·(n_s − m), m = min(n_s, slots) tasks in service of mean work w, patience of mean 1/θ.
Choices are the kernel's own (`choice`), so this is what the event market tends to in the long
run, without its noise. Naor's queue (1969) is one seller and argmax buyers of one value.

Poisson arrivals see the stationary law, so a share is a sum over it. Times follow from the state
that a task meets where servers are independent, elsewhere from Little's law. What is late is what
the quotes expect to be, whose law of a wait is exact but for its slices (`waits`): Pr(on time) is
off by up to .0011 (measured, 1 to 12 slots at loads up to .95), and surplus, refunds and penalties
by what hangs on it. All else is exact to nearly the last digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ... import build
from ...schema.errors import BadInputError, Problem
from ...schema.market import Market
from ...state import State
from .balance import stationary
from .buyers import buyers_of
from .checks import refuse
from .choice import Buyers, Floats, Table, choices, what_is_seen
from .measures import Queue, marginal, measure, queues_of

EDGE = 1e-12
"""Probability that an arrival finds a seller at the end of the queues that are looked at."""
MOST_STATES = (300_000, 300_000, 50_000, 20_000)
"""Most states with one, two, three and more queues: elimination fills in more, the more there are.
"""


@dataclass(frozen=True)
class Chain:
    """A market in its stationary law. K classes, O offers, S sellers; rates per second.

    Attributes:
        tasks: names of the classes.
        offers: names of the offers.
        sellers: names of the sellers.
        share: share of a class's tasks that go to an offer, shape [K, O].
        outside: share of a class's tasks that go without, shape [K].
        served: share of those that go to an offer and do not leave its queue, shape [K, O].
        sojourn: mean time from asking to the answer, or to leaving, s, shape [K, O]; NaN if nobody
            comes.
        wait: mean time in the queue, s, shape [K, O]; NaN if nobody comes.
        timely: share of the answers that are on time, shape [K, O], as quotes expect it.
        number: mean number of tasks at a seller, shape [S].
        utilisation: share of a seller's greatest throughput in use, shape [S]; NaN if unlimited.
        revenue: paid for an offer, net of refunds and penalties, USD/s, shape [O].
        profit: of a seller after commission, costs, rent and fixed costs, USD/s, shape [S].
        commission: the platform's, USD/s.
        surplus: of the buyers of a class, tastes included, USD/s, shape [K].
        marginals: Pr(n tasks at a seller), shape [levels], by seller; of unlimited independent
            streams, whose number nobody sees, empty.
        states: how many states were solved for.
        truncation: probability that an arrival finds a queue at the end of those states.
        residual: Σ|π·Q| over the largest rate of leaving a state.
        quadrature: by how much twice the draws of values, delay costs and deadlines would change a
            share in any state; 0 if they do not differ.
    """

    tasks: tuple[str, ...]
    offers: tuple[str, ...]
    sellers: tuple[str, ...]
    share: Floats
    outside: Floats
    served: Floats
    sojourn: Floats
    wait: Floats
    timely: Floats
    number: Floats
    utilisation: Floats
    revenue: Floats
    profit: Floats
    commission: float
    surplus: Floats
    marginals: tuple[Floats, ...]
    states: int
    truncation: float
    residual: float
    quadrature: float

    @property
    def welfare(self) -> float:
        """Surplus of buyers, profit of sellers and revenue of the platform, USD/s."""
        return float(self.surplus.sum() + self.profit.sum() + self.commission)


def solve_chain(market: Market) -> Chain:
    """Return the stationary law of a market's queues, and what follows from it.

    Prices are taken as posted: strategies that would move them are not asked.

    Raises:
        BadInputError: the market has no such chain, or one with too many states; every field
            that is in the way is named.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.distributions import Exponential
        >>> from walras.market.schema.supply import Seller
        >>> size = Exponential(mean=1.0)
        >>> ask = TaskClass("k", Poisson(0.9), output_tokens=size, value=10.0, delay_cost=1.0)
        >>> naor = solve_chain(Market(tasks=[ask], sellers=[Seller("s", accuracy=1.0)]))
        >>> round(naor.welfare, 5), len(np.trim_zeros(naor.marginals[0])) - 1
        (4.57324, 10)
    """
    st = build.build(market, 0)[0]
    refuse(market, st)
    crowd = [buyers_of(market, st, k) for k in range(len(market.tasks))]
    queues = queues_of(market, st)
    solved = _solve(market, st, crowd, queues)
    true = solved.tables
    if market.quotes.accuracy == "claimed":
        quotes = market.quotes.model_copy(update={"accuracy": "true"})
        truth = build.build(market.model_copy(update={"quotes": quotes}), 0)[0]
        true = [_tables(truth, buyers, solved.law.shape) for buyers in crowd]
    found = measure(market, st, crowd, queues, solved.law, solved.tables, true)
    return Chain(
        tasks=tuple(t.name for t in market.tasks), offers=tuple(market.offers),
        sellers=tuple(s.name for s in market.sellers), states=solved.law.size,
        truncation=solved.turned_away, residual=solved.residual,
        quadrature=max(buyers.error for buyers in crowd), **found,
    )  # fmt: skip


@dataclass(frozen=True)
class _Solution:
    law: Floats
    tables: list[list[Table]]
    turned_away: float
    residual: float


def _solve(market: Market, st: State, crowd: list[Buyers], queues: list[Queue]) -> _Solution:
    """Solve with ever longer queues until hardly anybody finds one at its end."""
    levels, start = [queue.levels for queue in queues], 0
    bound = EDGE / len(queues)
    while True:
        _refuse_if_large(market, levels)
        tables = [_tables(st, buyers, tuple(levels)) for buyers in crowd]
        up = _arrivals(crowd, tables, levels)
        down = [queue.departures(n) for queue, n in zip(queues, levels, strict=True)]
        law, residual = stationary(up, down, start)
        ends = [
            float((law * (up[s] > 0.0)).take(-1, axis=s).sum()) if queue.seen else 0.0
            for s, queue in enumerate(queues)
        ]
        if all(end < bound for end in ends):
            return _Solution(law, tables, sum(ends), residual)
        common = np.unravel_index(int(law.argmax()), law.shape)
        for s, end in enumerate(ends):
            if end >= bound:
                levels[s] = _longer(marginal(law, s), bound / end)
        start = int(np.ravel_multi_index(common, levels))


def _longer(alone: Floats, wanted: float) -> int:
    """Return how many levels make the last as rare as wanted, if it goes on falling as it does."""
    levels = len(alone)
    ratio = float(np.clip(alone[-1] / alone[-2], 0.05, 0.9999)) if alone[-2] > 0.0 else 0.5
    return levels + min(int(math.log(wanted) / math.log(ratio)) + 4, levels)


def _refuse_if_large(market: Market, levels: list[int]) -> None:
    queues = [s.name for s, n in zip(market.sellers, levels, strict=True) if n > 1]
    most = MOST_STATES[min(max(len(queues), 1), len(MOST_STATES)) - 1]
    if math.prod(levels) > most:
        told = (
            f"the queues of {', '.join(queues)} have more than {most:,} states that matter, or "
            "they grow without bound"
        )
        hint = "fewer sellers or a lower load; or simulate it"
        raise BadInputError([Problem("W114", told, field="sellers", hint=hint)])


def _tables(st: State, buyers: Buyers, levels: tuple[int, ...]) -> list[Table]:
    return [what_is_seen(st, buyers, place, levels[axis]) for place, axis in enumerate(buyers.axes)]


def _arrivals(crowd: list[Buyers], tables: list[list[Table]], levels: list[int]) -> list[Floats]:
    """Return the arrivals at each seller in each state, tasks/s."""
    up = [np.zeros(levels) for _ in levels]
    for buyers, seen in zip(crowd, tables, strict=True):
        for shares, _ in choices(buyers, [utility for utility, _ in seen], len(levels)):
            for axis, share in zip(buyers.axes, shares, strict=True):
                up[axis] += buyers.rate * share
    return [np.maximum(rates, 0.0) for rates in up]
