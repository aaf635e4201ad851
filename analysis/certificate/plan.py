"""What a certificate runs: which markets, how long to warm up, how long to measure, from where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...market.engine import Engine
from ...market.reuse import reusable, same_but_prices
from ...market.rng import hashed, name_key, uniform
from ...market.schema.demand import Logit
from ...market.schema.market import Market
from . import payoffs
from .bounds import Floats
from .deviations import Deviation, all_deviations
from .race import Sample
from .runs import Trace, at_rest, at_time, simulate
from .settling import Pilot, pilot, warm_up

FLOOR = 0.01
"""Least scale of a gain, as a share of all payments in the market: who earns next to nothing could
not be certified against a share of that."""
_LEAST = 1e-9  # USD/h: a scale where nobody pays anything
_TASKS, _OF_A_CLASS, _MOST, _SEEN = 8_000, 2_000, 20_000, 25
_OF_EACH, _TRIAL = 200, 100_000  # tasks of each class, and of all at most, to see what can be read
_SLIGHT = 1e-6  # of a class's surplus
_WARMUPS = 2.0  # measured time per warm-up of the candidate point


@dataclass(slots=True)
class Plan:
    """The candidate point, its deviations, and when each is measured.

    Attributes:
        market: the candidate point at rest.
        deviations: what is tested.
        markets: the market under each deviation.
        warmups: when the measurement of each begins, s.
        window: how long it lasts, s.
        like: an engine of the candidate point, not begun, to make others from; none where that
            cannot be done.
        reprices: which deviations are of posted prices, or leave the market as it is, so that their
            engines can be made from `like`.
        way: which way of its class a deviation is, if what it gains is read off the runs of the
            candidate point; −1 where it has runs of its own.
        seed: of the certificate.
        tasks: simulated so far, pilots included.
        progress: told the tasks after each replication.
    """

    market: Market
    deviations: list[Deviation]
    markets: list[Market]
    warmups: list[float]
    window: float
    like: Engine | None
    reprices: list[bool]
    way: list[int]
    seed: int
    tasks: int = 0
    progress: Callable[[int], None] | None = None
    _rate: float = field(init=False)

    def __post_init__(self) -> None:
        self._rate = arrivals(self.market)

    def cost(self, active: Iterable[int]) -> float:
        """Return the tasks that one replication of some deviations takes, in expectation."""
        last = max((self.warmups[d] + self.window for d in active), default=0.0)
        spans = [self.warmups[d] + self.window for d in active if self.way[d] < 0]
        return self._rate * (sum(spans) + last)

    def draw(self, first: int, last: int, active: NDArray[np.int64], threads: Executor) -> Sample:
        """Run replications `first` to `last` − 1 of the candidate point and of some deviations."""
        found = Sample(*np.empty((len(Sample._fields), last - first, len(active))))
        runs = [d for d in active.tolist() if self.way[d] < 0]
        jobs = [(rep, d) for rep in range(first, last) for d in (-1, *runs)]
        results = threads.map(lambda job: self._values(job[0], job[1], active), jobs)
        for rep in range(last - first):
            base, tasks = next(results)
            self.tasks += tasks
            for column, d in enumerate(active.tolist()):
                gain = base[column, 4:]
                if self.way[d] < 0:
                    changed, tasks = next(results)
                    self.tasks += tasks
                    gain = changed[0, :3] - base[column, :3]
                found.gain[rep, column] = gain[0]
                found.own[rep, column] = base[column, 0]
                found.floor[rep, column] = max(base[column, 3], _LEAST)
                found.drift[rep, column] = gain[2] - gain[1]
            if self.progress is not None:
                self.progress(self.tasks)
        return found

    def _values(self, rep: int, d: int, active: NDArray[np.int64]) -> tuple[Floats, int]:
        """Run the candidate point (d = −1) or a deviation once.

        Returns, for each active deviation or for this one, its player's payoff: of the whole
        window, its first half, its second; the floor; and what it gains in the same three parts,
        where that is read off this run. And how many tasks came.
        """
        wanted = active.tolist() if d < 0 else [d]
        marks = sorted({mark for i in wanted for mark in self._marks(i)})
        buyers = [self.deviations[i] for i in wanted if self.deviations[i].side == "buyer"]
        asked = {self.deviations[i].player for i in wanted if self.way[i] >= 0}
        ways = {
            player: [of for of, way in zip(self.deviations, self.way, strict=True)
                     if way >= 0 and of.player == player]
            for player in asked
        }  # fmt: skip
        own, seed = None if d < 0 else self.deviations[d], seed_of(self.seed, rep)
        market = at_time(self.market if d < 0 else self.markets[d], share_of(seed))
        like = self.like if d < 0 or self.reprices[d] else None
        run = simulate(market, seed, marks, sampled={b.player for b in buyers}, deviation=own,
                       ways=ways, like=like)  # fmt: skip

        @cache
        def swayed(player: str, begin: float, end: float) -> tuple[float, Floats]:
            """Return what a class gets in a part of the run, and what each of its ways gains."""
            return payoffs.sway(run, player, range(len(ways[player])), begin, end)[:2]

        return np.array([self._payoff(run, i, swayed) for i in wanted]), run.tasks

    def _marks(self, d: int) -> tuple[float, float, float]:
        begin = self.warmups[d]
        return begin, begin + 0.5 * self.window, begin + self.window

    def _payoff(
        self, run: Trace, d: int, swayed: Callable[[str, float, float], tuple[float, Floats]]
    ) -> list[float]:
        deviation, way, (begin, half, end) = self.deviations[d], self.way[d], self._marks(d)
        player, parts = deviation.player, ((begin, end), (begin, half), (half, end))
        gain = [math.nan] * len(parts)
        if way >= 0:
            found = [swayed(player, *part) for part in parts]
            own, gain = [of for of, _ in found], [float(gains[way]) for _, gains in found]
        else:
            of = payoffs.profit if deviation.side == "seller" else payoffs.surplus
            own = [of(run, player, *part) for part in parts]
        return [*own, FLOOR * payoffs.takings(run, begin, end), *gain]


def seed_of(seed: int, rep: int) -> int:
    """Return the seed of one replication of a certificate; −1 stands for the pilot."""
    return int(hashed(seed, name_key("certificate"), rep + 1)) >> 1


def share_of(seed: int) -> float:
    """Return at what share of its days a replication begins, from 0 to 1."""
    return float(uniform(hashed(seed, name_key("clock"))))


def arrivals(market: Market) -> float:
    """Return the tasks that come per second, an upper bound where users come back."""
    return sum(market.arrival_rate(task) for task in market.tasks)


def plan_for(
    market: Market, deviations: Sequence[Deviation] | None, seed: int, threads: Executor
) -> Plan:
    """Make a pilot run of the market and of each deviation, and plan by what they tell.

    Raises:
        ValueError: the market is none that can be certified, or there is nothing to deviate to.
    """
    market, first = at_rest(market), seed_of(seed, -1)
    like = Engine(market, 0) if reusable(market) else None
    own = pilot(market, first, like)
    tests = all_deviations(market, own.shares) if deviations is None else list(deviations)
    if not tests:
        raise ValueError("deviations is empty; nobody in this market has anything to deviate to")
    markets = [at_rest(deviation.change(market)) for deviation in tests]
    reprices = [like is not None and same_but_prices(market, other) for other in markets]
    apart = [d for d, deviation in enumerate(tests) if deviation.side == "seller"]
    pilots = dict(zip(apart, threads.map(
        lambda d: pilot(markets[d], first, like if reprices[d] else None), apart
    ), strict=True))  # fmt: skip
    least = max(warm_up(market, own.relaxation), 0.01 * window(market, 0.0))
    way, tried = ways_of(market, tests, own, first, like)
    warmups = []
    waited = payoffs.surprises(like.state if like is not None else Engine(market, 0).state)
    for d, deviation in enumerate(tests):
        found = pilots.get(d, own)
        looked_at = waited if way[d] >= 0 else np.ones_like(waited)
        slow = slowest(markets[d], deviation, found, looked_at)
        ratio = warm_up(markets[d], max(found.relaxation, slow)) / least
        # Few different times keep the marks of the candidate point's own run few.
        warmups.append(least * 2.0 ** round(math.log2(max(ratio, 1.0))))
    tasks = own.tasks + tried + sum(found.tasks for found in pilots.values())
    return Plan(
        market, tests, markets, warmups, window(market, least), like, reprices, way, seed, tasks
    )


def ways_of(
    market: Market, deviations: Sequence[Deviation], seen: Pilot, seed: int, like: Engine | None
) -> tuple[list[int], int]:
    """Return which way of its class each deviation is, if what it gains is read off other runs; −1.

    That needs logit buyers, whose chances can be noted, and quotes that follow what happens. One
    more run tells where the end of weights cannot matter: what it may leave out is a tenth at most
    of what the way loses, or nothing to speak of. (That is a bound of good surprises alone, so that
    a way must lose: of one that seems to gain, bad ones count.) All others have runs of their own,
    in which the cohort does as it is told. Also returns the tasks of that run.
    """
    quoted = market.quotes.latency != "promised" and not market.platform.search_cost
    logit = {t.name for t in market.tasks if quoted and isinstance(t.choice, Logit)}
    tried: dict[str, list[int]] = {}
    for d, deviation in enumerate(deviations):
        if deviation.side == "buyer" and deviation.player in logit:
            tried.setdefault(deviation.player, []).append(d)
    way = [-1] * len(deviations)
    if not tried:
        return way, 0
    rates = [market.arrival_rate(task) for task in market.tasks]
    begin = warm_up(market, seen.relaxation)
    marks = begin, begin + max(_TASKS / sum(rates), min(_OF_EACH / min(rates), _TRIAL / sum(rates)))
    ways = {player: [deviations[d] for d in mine] for player, mine in tried.items()}
    run = simulate(market, seed, marks, ways=ways, like=like)
    for player, mine in tried.items():
        own, gains, beyond = payoffs.sway(run, player, range(len(mine)), *marks)
        fine = beyond <= np.maximum(-0.1 * gains, _SLIGHT * max(own, 0.0))
        for d, yes in zip(mine, fine, strict=True):
            if yes:
                way[d] = sum(way[other] >= 0 for other in mine)
    return way, run.tasks


def slowest(market: Market, deviation: Deviation, seen: Pilot, waited: NDArray[np.bool_]) -> float:
    """Return how long the slowest answers take that the player's payoff is read from, s.

    A class's surplus, of the offers that are taken or may be, if they are `waited` for [K, O]; a
    profit only where there are refunds or penalties.
    """
    if deviation.side == "buyer":
        k = [task.name for task in market.tasks].index(deviation.player)
        looked_at = seen.shares[k, :-1] > 0.0
        if len(deviation.shuns) > 1:
            serves = [s.serves(market.tasks[k].skill) for s in market.sellers for _ in s.effort]
            left = [offer not in deviation.shuns for offer in market.offers]
            looked_at |= np.array(serves) & np.array(left)
        return float(seen.sojourns[k, looked_at & waited[k]].max(initial=0.0))
    back = [
        s.owned_by == deviation.player and bool(s.refund_late or s.refund_wrong or s.penalty)
        for s in market.sellers for _ in s.effort
    ]  # fmt: skip
    return float(seen.sojourns[:, np.array(back)].max(initial=0.0))


def window(market: Market, warmup: float) -> float:
    """Return how long to measure, s: two warm-ups, 8,000 tasks and 2,000 of each class at least.

    Rare classes lengthen it to 20,000 tasks at most, but 25 of each must be expected: what never
    came would leave a gain without noise, and without truth.
    """
    rates = [market.arrival_rate(task) for task in market.tasks]
    rare = min(_OF_A_CLASS / min(rates), _MOST / sum(rates))
    return max(_WARMUPS * warmup, _TASKS / sum(rates), rare, _SEEN / min(rates))
