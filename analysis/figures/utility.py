"""Expected utility over the plane of deadlines and stakes, at a run's mean prices and waits.

At a given deadline the expected utility of an offer is a straight line in the stakes V: a
delay cost in proportion to V scales with it, the loss is the class's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
from ...market.schema.demand import HalfLife, Linear, TaskClass
from ...market.schema.distributions import ShareOfValue
from ...market.schema.supply import Seller
from ...scenarios.result import Result
from ...scenarios.terms import quoted_accuracy
from .frames import OUTSIDE_OFFER, series, steady

Floats = NDArray[np.float64]
_SIZES = 1024  # task sizes that stand for a class's law
_TIMES = 512  # times to the answer that stand for an offer's law
_ENOUGH = 30  # served tasks from which on a mean price of the run is used
_MTOK = 1e-6


@dataclass(frozen=True)
class Terms:
    """What buyers of one task class can expect at a run's mean prices and waits.

    Attributes:
        offers: names of the offers that serve the class, then "outside" if it may do without.
        right: probability of a right answer, shape [offers].
        price: USD per task, shape [offers].
        times: equally likely times to the answer, s, shape [offers, times].
        refunds: share of the price paid back if late and if wrong, shape [offers, 2].
        loss: lost by a wrong answer that is accepted, USD.
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
        task.loss, delay, rule,
    )  # fmt: skip


@dataclass(frozen=True)
class _State:
    """Means of a run after warm-up: by (task, offer), by seller, and the lever by offer."""

    paid: pd.Series
    wait: pd.Series
    seller_wait: pd.Series
    running: pd.Series
    lever: pd.Series


def _state(result: Result) -> _State:
    epochs = steady(result, series(result, "epochs"))
    by_offer = epochs.groupby(["task", "offer"])[["served", "wait", "paid"]].sum()
    enough = by_offer[by_offer["served"] >= _ENOUGH]
    by_seller = epochs.groupby("seller")[["served", "wait"]].sum()
    by_seller = by_seller[by_seller["served"] > 0]
    sellers = steady(result, series(result, "sellers")).groupby("seller")[["running"]].mean()
    return _State(
        paid=enough["paid"] / enough["served"],
        wait=enough["wait"] / enough["served"],
        seller_wait=by_seller["wait"] / by_seller["served"],
        running=sellers["running"],
        lever=steady(result, series(result, "prices")).groupby("offer")["price"].mean(),
    )


def _price(
    seller: Seller, thinking: float, sizes: Floats, state: _State, key: tuple[str, str]
) -> float:
    if key in state.paid.index:
        return float(state.paid[key])
    posted = seller.price
    now = float(state.lever.get(key[1], posted.lever))
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
    """Return equally likely times to the answer, shape [times], s."""
    wait = float(state.wait.get(key, state.seller_wait.get(seller.name, 0.0)))
    streams = float(state.running.get(seller.name, 1.0))
    running = max(1, round(streams)) if math.isfinite(streams) else 1
    rate = service_rate(seller.speed, seller.kappa, running)
    prefill = 0.0 if math.isinf(seller.prefill_rate) else seller.speed / seller.prefill_rate
    work = [work_tokens(float(i), float(o), thinking, prefill, seller.verbosity) for i, o in sizes]
    outside = seller.startup_time + seller.network_time + wait
    times = np.sort(outside + np.array(work) / rate)
    # Between recorded times the law is taken as even: steps would make the lines jagged.
    return np.asarray(np.quantile(times, (np.arange(_TIMES) + 0.5) / _TIMES))


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
            start[i, j] = expected_utility(0.0, terms.loss, fixed, right, delta, used, time, paid)
            at_one = expected_utility(
                1.0, terms.loss, fixed + share, right, delta, used, time, paid
            )
            slope[i, j] = at_one - start[i, j]
    return slope, start
