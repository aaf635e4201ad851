"""Expected utility over the plane of deadlines and stakes, and where buyers are indifferent.

At a given deadline the expected utility of an offer is a straight line in the stakes V (loss, and
a delay cost in proportion to V, scale with it), so the best offer over V is the upper envelope of
lines, and indifference curves are its kinks as the deadline varies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...market.distributions import ShareOfValue
from ...market.jit import compiled
from ...market.rules import (
    HALFLIFE,
    HARD,
    LINEAR,
    expected_refund,
    expected_utility,
    lateness,
    price_of,
    service_rate,
    work_tokens,
)
from ...market.spec import HalfLife, Linear, Seller, TaskClass
from ...scenarios.result import Result
from ...scenarios.terms import quoted_accuracy
from .frames import (
    OUTSIDE_OFFER,
    steady,
)

Floats = NDArray[np.float64]
Point = tuple[float, float]
_SIZES = 256  # task sizes that stand for a class's law
_ENOUGH = 30  # served tasks from which on a mean price of the run is used
_MTOK = 1e-6


@dataclass(frozen=True)
class Terms:
    """What buyers of one task class can expect at a run's mean prices and waits.

    Attributes:
        offers: names of the offers that serve the class, then "outside" if it may do without.
        right: probability of a right answer, shape [offers].
        price: USD per task, shape [offers].
        times: equally likely times to the answer, s, shape [offers, sizes].
        refunds: share of the price paid back if late and if wrong, shape [offers, 2].
        loss: loss over value, ratio.
        delay: cost of a second, USD/s, and its share in proportion to value, 1/s.
        rule: lateness rule and its parameter (s).
    """

    offers: list[str]
    right: Floats
    price: Floats
    times: Floats
    refunds: Floats
    loss: float
    delay: tuple[float, float]
    rule: tuple[int, float]


@compiled
def value_left(
    times: NDArray[np.float64], deadline: float, rule: int, parameter: float
) -> tuple[float, float, float]:
    """Return (E[δ], Pr(δ > 0), Pr(on time)) over equally likely times, shape [n], s.

    Example:
        >>> value_left(np.array([1.0, 3.0]), 2.0, HARD, 0.0)
        (0.5, 0.5, 0.5)
    """
    total, used, timely = 0.0, 0, 0
    for t in times:
        delta = lateness(rule, parameter, t - deadline)
        total += delta
        if delta > 0.0:
            used += 1
        if t <= deadline:
            timely += 1
    n = len(times)
    return total / n, used / n, timely / n


def terms(result: Result, task: TaskClass, trades: pd.DataFrame) -> Terms | None:
    """Return what a buyer of the class can expect, or None if the run tells too little.

    Args:
        result: the run: mean waits, streams running and prices are taken after its warm-up.
        task: the class.
        trades: trades of that class, from which token sizes, stakes and delay costs are taken.
    """
    trades = trades[trades["task"] == task.name]
    if trades.empty or not (trades["value"] > 0).any():
        return None
    pick = np.unique(np.linspace(0, len(trades) - 1, _SIZES).astype(int))
    sizes = trades[["input", "output"]].to_numpy(dtype=np.float64)[pick]
    state = _state(result)
    names, right, price, times, refunds = [], [], [], [], []
    for seller in result.market.sellers:
        if not seller.serves(task.skill):
            continue
        for effort, thinking in seller.effort.items():
            name = f"{seller.name}/{effort}"
            names.append(name)
            right.append(quoted_accuracy(result.market, task, seller, thinking))
            price.append(_price(seller, thinking, sizes, state, (task.name, name)))
            times.append(_times(seller, thinking, sizes, state, (task.name, name)))
            refunds.append((seller.refund_late, seller.refund_wrong))
    if not names:
        return None
    if task.outside_option:
        names.append(OUTSIDE_OFFER)
    mean_value = float(trades["value"].mean())
    if isinstance(task.delay_cost, ShareOfValue):
        delay = (0.0, task.delay_cost.per_second)
    else:
        delay = (float(task.delay_cost.mean), 0.0)
    rule = (HARD, 0.0)
    if isinstance(task.lateness, Linear):
        rule = (LINEAR, task.lateness.grace)
    elif isinstance(task.lateness, HalfLife):
        rule = (HALFLIFE, task.lateness.half_life)
    return Terms(
        names, np.array(right), np.array(price), np.array(times), np.array(refunds),
        task.loss / mean_value, delay, rule,
    )  # fmt: skip


@dataclass(frozen=True)
class _State:
    """Means of a run after warm-up: per (task, offer) and per seller."""

    paid: pd.Series
    wait: pd.Series
    seller_wait: pd.Series
    running: pd.Series
    lever: pd.Series


def _state(result: Result) -> _State:
    epochs = steady(result, result.epochs)
    by_offer = epochs.groupby(["task", "offer"])[["served", "wait", "paid"]].sum()
    enough = by_offer[by_offer["served"] >= _ENOUGH]
    by_seller = epochs.groupby("seller")[["served", "wait"]].sum()
    by_seller = by_seller[by_seller["served"] > 0]
    sellers = steady(result, result.sellers).groupby("seller")[["running", "price"]].mean()
    return _State(
        paid=enough["paid"] / enough["served"],
        wait=enough["wait"] / enough["served"],
        seller_wait=by_seller["wait"] / by_seller["served"],
        running=sellers["running"],
        lever=sellers["price"],
    )


def _price(
    seller: Seller, thinking: float, sizes: Floats, state: _State, key: tuple[str, str]
) -> float:
    if key in state.paid.index:
        return float(state.paid[key])
    posted = seller.price
    now = float(state.lever.get(seller.name, posted.lever))
    moved = now / posted.lever if posted.lever > 0 else 1.0
    tokens_in, tokens_out = sizes.mean(axis=0)
    by_token, by_task = (moved, 1.0) if posted.by_token else (1.0, moved)
    return price_of(
        posted.task * by_task, posted.input * by_token * _MTOK, posted.output * by_token * _MTOK,
        tokens_in, tokens_out * seller.verbosity + thinking,
    )  # fmt: skip


def _times(
    seller: Seller, thinking: float, sizes: Floats, state: _State, key: tuple[str, str]
) -> Floats:
    """Return the time to the answer for each task size, shape [sizes], s."""
    wait = float(state.wait.get(key, state.seller_wait.get(seller.name, 0.0)))
    streams = float(state.running.get(seller.name, 1.0))
    running = max(1, round(streams)) if math.isfinite(streams) else 1
    rate = service_rate(seller.speed, seller.kappa, running)
    prefill = 0.0 if math.isinf(seller.prefill_rate) else seller.speed / seller.prefill_rate
    work = [work_tokens(float(i), float(o), thinking, prefill, seller.verbosity) for i, o in sizes]
    outside = seller.startup_time + seller.network_time + wait
    times = np.sort(outside + np.array(work) / rate)
    # Few recorded sizes are repeated so that every offer has the same number of points.
    return np.asarray(np.quantile(times, np.linspace(0, 1, _SIZES), method="nearest"))


def utility_lines(terms: Terms, deadlines: Floats) -> tuple[Floats, Floats]:
    """Return slope and intercept of U over V, each of shape [deadlines, offers].

    Deadlines are in seconds, infinite for none; doing without has slope and intercept 0.
    """
    slope = np.zeros((len(deadlines), len(terms.offers)))
    start = np.zeros_like(slope)
    rule, parameter = terms.rule
    fixed, share = terms.delay
    for j in range(len(terms.right)):
        right, time = float(terms.right[j]), float(terms.times[j].mean())
        for i, deadline in enumerate(deadlines):
            delta, used, timely = value_left(terms.times[j], float(deadline), rule, parameter)
            back = expected_refund(1.0, timely, right, *map(float, terms.refunds[j]))
            paid = float(terms.price[j]) * (1.0 - back)
            start[i, j] = expected_utility(0.0, 0.0, fixed, right, delta, used, time, paid)
            at_one = expected_utility(
                1.0, terms.loss, fixed + share, right, delta, used, time, paid
            )
            slope[i, j] = at_one - start[i, j]
    return slope, start


def best_offers(slope: Floats, start: Floats, values: Floats) -> NDArray[np.int64]:
    """Return the index of the best offer at each deadline and value, shape [deadlines, values]."""
    utility = slope[:, None, :] * values[None, :, None] + start[:, None, :]
    return np.asarray(utility.argmax(axis=2))


def indifference(slope: Floats, start: Floats, x: Floats, y: Floats) -> Floats:
    """Return where the best offer changes, as lines with NaN between them, shape [2, points].

    Marching squares over the grid: along each side of a square whose ends have different best
    offers the point is found at which those two are equally good; two such points of a square
    are joined, more meet in their middle.

    Args:
        slope: of utility over value, shape [deadlines, offers].
        start: utility at value 0, USD, same shape.
        x: deadlines in the plot's coordinates, shape [deadlines].
        y: log10 of values, shape [values].

    Example:
        >>> slope, start = np.array([[0.0, 1.0]] * 2), np.array([[0.0, -10.0]] * 2)
        >>> points = indifference(slope, start, np.array([0.0, 1.0]), np.array([0.0, 2.0]))
        >>> points[:, :2].round(2).tolist()
        [[1.0, 0.0], [0.18, 0.18]]
    """
    values = 10.0**y
    best = best_offers(slope, start, values)
    same = (best[:-1, :-1] == best[1:, :-1]) & (best[:-1, 1:] == best[1:, 1:])
    same &= best[:-1, :-1] == best[:-1, 1:]
    segments: list[tuple[Point, Point]] = []

    def crossing(a: tuple[int, int], b: tuple[int, int]) -> Point:
        i, j = best[a], best[b]
        lead = [
            (slope[d, i] - slope[d, j]) * values[v] + start[d, i] - start[d, j] for d, v in (a, b)
        ]
        t = lead[0] / (lead[0] - lead[1]) if lead[0] != lead[1] else 0.5
        return x[a[0]] + t * (x[b[0]] - x[a[0]]), y[a[1]] + t * (y[b[1]] - y[a[1]])

    for d, v in np.argwhere(~same):
        corners = [(d, v), (d + 1, v), (d + 1, v + 1), (d, v + 1)]
        sides = zip(corners, [*corners[1:], corners[0]], strict=True)
        points = [crossing(a, b) for a, b in sides if best[a] != best[b]]
        middle = (sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points))
        two = len(points) == 2
        segments += [(points[0], points[1])] if two else [(p, middle) for p in points]
    return _chained(segments)


def _chained(segments: list[tuple[Point, Point]]) -> Floats:
    """Join segments that share an end into lines, so that each is drawn in one stroke."""
    at: dict[Point, list[int]] = {}
    rounded = [tuple((round(p[0], 9), round(p[1], 9)) for p in s) for s in segments]
    for i, ends in enumerate(rounded):
        for end in ends:
            at.setdefault(end, []).append(i)
    # Start at loose ends and forks, so that a line is not begun in its middle; then the loops.
    order = [i for end in at if len(at[end]) != 2 for i in at[end]] + list(range(len(segments)))
    loose = {end for end in at if len(at[end]) != 2}
    drawn = [False] * len(segments)
    out: list[Point] = []
    for first in order:
        if drawn[first]:
            continue
        here, there = rounded[first]
        if there in loose and here not in loose:
            here, there = there, here
        drawn[first] = True
        out += [here, there]
        while True:
            onward = [i for i in at[there] if not drawn[i]]
            if there in loose or not onward:
                break
            one, other = rounded[onward[0]]
            there = other if one == there else one
            drawn[onward[0]] = True
            out.append(there)
        out.append((math.nan, math.nan))
    return np.array(out).reshape(-1, 2).T
