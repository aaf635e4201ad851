"""How many price equilibria there are: many starts, what they lead to, and what draws them.

Starts fill a box of logarithms of prices by a Latin hypercube (McKay, Beckman & Conover 1979). From
each, Newton's method looks for stationary prices near, and best responses are followed to where
they come to rest. Stationary prices are an equilibrium only if nobody gains by prices far away.

Where owners raise prices that are near cost and lower those that are high, the indices of all
stationary prices, sign det(−∂F/∂ln p), add up to 1 (Poincaré & Hopf; Simsek, Ozdaglar & Acemoglu
2007 for games). While those found don't, Newton's method also starts in the middle of every two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import qmc

from ...market.fluid.solve import Selection
from .cycles import Cycle, boundless
from .deviations import Deviation, best_deviation
from .game import Floats, Game
from .pricing import PricePoint, polished, settled
from .stability import Stability, stability

SAME = 1e-4
"""Relative distance of prices up to which two points are one."""
HIGH = 3.0
"""Starts go from unit cost to so many times the posted price or unit cost, whichever is higher."""
_LOW = 0.1  # of the posted price, where the unit cost is nothing
_BETWEEN = 3  # rounds of starts between points found
_SOLD = 1e-6  # share of all tasks below which a lever's price means nothing


@dataclass(frozen=True)
class Found:
    """Stationary prices, and what leads to them.

    Attributes:
        prices: the levers, shape [G].
        selection: shares and delays at them.
        newton: starts from which Newton's method comes here.
        responses: starts from which best responses come to rest here.
        deviation: the owner's price that gains most, or loses least.
        stability: what small pushes do.
    """

    prices: Floats
    selection: Selection
    newton: int
    responses: int
    deviation: Deviation
    stability: Stability

    @property
    def equilibrium(self) -> bool:
        """Whether nobody gains by another price, in the fluid market."""
        return self.deviation.gain <= self.deviation.noise

    @property
    def regret(self) -> float:
        """What the best deviation gains its owner, as a share of its stakes."""
        return max(self.deviation.share, 0.0)


@dataclass(frozen=True)
class Multiplicity:
    """All that many starts have found.

    Attributes:
        game: owners and levers.
        starts: prices to start from, shape [n, G].
        found: equilibria of the fluid market, those that most best responses lead to first.
        others: stationary prices from which somebody gains.
        lost: starts from which Newton's method found nothing stationary.
        restless: starts from which best responses did not come to rest.
        cycle: where they went instead, the shortest cycle seen; None if all came to rest.
        least: of prices looked at where there is no equilibrium, those of least regret; else None.
        complete: whether the indices of all points found add up to 1; if not, there are more.
        why: why there can be none; empty if that is not known.
        leads: number in `found` of the equilibrium to which best responses lead from each start; −1
            where they do not come to rest, or not at an equilibrium.
    """

    game: Game
    starts: Floats
    found: tuple[Found, ...]
    others: tuple[Found, ...]
    lost: int
    restless: int
    cycle: Cycle | None
    least: Found | None
    complete: bool = True
    why: str = ""
    leads: tuple[int, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """One row per stationary point.

        Columns: equilibrium, newton and responses (shares of starts), radius (of best responses),
        stable (under them), gradient (stable under it), regret (ratio), profit (USD/s, of all),
        welfare (USD/s) and a price for each lever.
        """
        rows = [
            {
                "equilibrium": f.equilibrium, "newton": f.newton / len(self.starts),
                "responses": f.responses / len(self.starts), "radius": f.stability.radius,
                "stable": f.stability.responses, "gradient": f.stability.gradient,
                "regret": f.regret, "profit": float(f.selection.profit.sum()),
                "welfare": f.selection.welfare,
                **dict(zip(self.game.levers, f.prices.tolist(), strict=True)),
            } for f in (*self.found, *self.others)
        ]  # fmt: skip
        table = pd.DataFrame(rows)
        table.attrs["units"] = {
            "newton": "ratio", "responses": "ratio", "radius": "ratio", "regret": "ratio",
            "profit": "USD/s", "welfare": "USD/s",
        }  # fmt: skip
        return table

    @property
    def text(self) -> str:
        """What was found, in a line or two."""
        n = len(self.starts)
        if self.why:
            return f"no price equilibrium: {self.why}"
        if self.found:
            count = len(self.found)
            stable = sum(f.stability.responses for f in self.found)
            told = f"{count} price equilibri{'um' if count == 1 else 'a'} from {n} starts"
            told += f", {stable} stable under best responses"
            told += "" if self.complete else "; there must be more"
        else:
            told = f"no price equilibrium found from {n} starts"
        if self.cycle is not None:
            told += f"; from {self.restless} of them {self.cycle.text(self.game.levers)}"
        if self.least is not None:
            who = self.least.deviation
            told += (
                f"; at the best prices looked at {who.player} still gains {self.least.regret:.2%} "
                f"of its profit by {who.label}"
            )
        return told


@dataclass
class _Tally:
    """Distinct stationary points, with starts counted."""

    game: Game
    points: list[PricePoint] = field(default_factory=list)
    newton: list[int] = field(default_factory=list)
    responses: list[int] = field(default_factory=list)

    def add(self, point: PricePoint, newton: int, responses: int) -> int:
        """Count a start, for a point known already or for a new one; returns its number."""
        for i, known in enumerate(self.points):
            if _distance(known, point) <= SAME:
                self.newton[i] += newton
                self.responses[i] += responses
                return i
        self.points.append(point)
        self.newton.append(newton)
        self.responses.append(responses)
        return len(self.points) - 1


def starts_of(
    game: Game, count: int, *, low: Floats | None = None, high: Floats | None = None, seed: int = 0
) -> Floats:
    """Return prices to start from, one in each of equal strata of every lever's logarithm, [n, G].

    Args:
        game: owners and levers.
        count: how many.
        low: lowest prices, shape [G]; unit costs when absent (a tenth of the price if that is 0).
        high: highest prices, shape [G]; three times the price or unit cost when absent.
        seed: of the draws.
    """
    floor = np.where(game.unit_cost > 0.0, game.unit_cost, _LOW * game.posted)
    low = floor if low is None else np.asarray(low, dtype=np.float64)
    high = HIGH * np.maximum(game.posted, floor) if high is None else np.asarray(high, np.float64)
    unit = qmc.LatinHypercube(len(low), rng=np.random.default_rng(seed)).random(count)
    return np.asarray(np.exp(np.log(low) + unit * (np.log(high) - np.log(low))))


def equilibria(game: Game, starts: Floats | int = 24, *, seed: int = 0) -> Multiplicity:
    """Return the price equilibria that many starts lead to, in the fluid market.

    Args:
        game: owners and levers.
        starts: prices to start from, shape [n, G], or how many (`starts_of`).
        seed: of the draws of starts.

    Example:
        >>> from walras.analysis.equilibrium.game import game_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> two = [
        ...     Seller(n, accuracy=1.0, slots="unlimited", price={"task": 1.5}, cost={"task": 1})
        ...     for n in "ab"
        ... ]
        >>> equilibria(game_of(Market(tasks=[ask], sellers=two)), 4).text
        '1 price equilibrium from 4 starts, 1 stable under best responses'
    """
    at = starts_of(game, starts, seed=seed) if isinstance(starts, int) else np.asarray(starts)
    why = boundless(game)
    if why:
        return Multiplicity(game, at, (), (), 0, 0, None, None, why=why)
    tally, cycles, lost, leads = _Tally(game), list[Cycle](), 0, list[int]()
    for start in at:
        near = polished(game, start, [])
        if near.converged:
            tally.add(near, 1, 0)
        else:
            lost += 1
        prices, cycle = settled(game, start, [])
        point = polished(game, prices, [])
        leads.append(-1)
        if cycle is not None:
            cycles.append(cycle)
            if point.converged:
                tally.add(point, 0, 0)
        elif point.converged:
            leads[-1] = tally.add(point, 0, 1)
    judged = [_judged(tally, i) for i in range(len(tally.points))]
    for _ in range(_BETWEEN):
        if _indices(judged) == 1:
            break
        for a, b in combinations(judged, 2):
            point = polished(game, np.sqrt(a.prices * b.prices), [])
            if point.converged:
                tally.add(point, 0, 0)
        judged += [_judged(tally, i) for i in range(len(judged), len(tally.points))]
    ranked = sorted(judged, key=lambda f: (-f.responses, -f.newton, *f.prices.tolist()))
    found = tuple(f for f in ranked if f.equilibrium)
    others = tuple(f for f in ranked if not f.equilibrium)
    places = {id(f): n for n, f in enumerate(found)}
    to = tuple(places.get(id(judged[i]), -1) if i >= 0 else -1 for i in leads)
    cycle = min(cycles, key=lambda c: c.length or np.inf) if cycles else None
    least = None if found else _least(game, others, cycle)
    complete = _indices(judged) == 1
    return Multiplicity(
        game, at, found, others, lost, len(cycles), cycle, least, complete, leads=to
    )


def _indices(judged: list[Found]) -> int:
    """Return the sum of the indices of stationary points."""
    return sum(f.stability.index for f in judged)


def _distance(a: PricePoint, b: PricePoint) -> float:
    """Return the largest relative difference of prices at which something is sold."""
    return float(np.abs(np.log(a.prices / b.prices))[_sells(a) | _sells(b)].max(initial=0.0))


def _sells(point: PricePoint) -> np.ndarray:
    """Return which levers sell something, shape [G]."""
    game, flow = point.game, point.selection.flow.sum(axis=0)
    total = np.array([flow[game.group == g].sum() for g in range(len(game.levers))])
    return np.asarray(total > _SOLD * point.selection.arrivals.sum())


def _judged(tally: _Tally, i: int) -> Found:
    point = tally.points[i]
    return Found(
        point.prices, point.selection, tally.newton[i], tally.responses[i],
        best_deviation(tally.game, point.prices, point.selection),
        stability(tally.game, point.prices, point.selection),
    )  # fmt: skip


def _least(game: Game, others: tuple[Found, ...], cycle: Cycle | None) -> Found | None:
    """Return the prices of least regret among those of a cycle and those that are stationary."""
    looked = list(others)
    for prices in () if cycle is None else cycle.prices:
        selection = game.solve(prices)
        deviation = best_deviation(game, prices, selection)
        still = Stability(np.inf, np.zeros(0, np.complex128), False, 0)
        looked.append(Found(prices, selection, 0, 0, deviation, still))
    return min(looked, key=lambda f: f.regret, default=None)


__all__ = ["Found", "Multiplicity", "equilibria", "starts_of"]
