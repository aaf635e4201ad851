"""From the spec to the traders of a double auction: units, what they cost, and quoting rules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .accuracy import class_accuracy
from .commodity import MTOK
from .rng import hashed, name_key, uniform
from .schema.arrivals import Closed, Replay
from .schema.market import Market
from .schema.trading import DOUBLE, CallMarket, ContinuousAuction
from .sizes import Sizes
from .state import CALL_MARKET, CONTINUOUS, K_DOUBLE, TRADER, State
from .traders import LINEAR, TRUTHFUL, ZI_C, ZI_U, ZIP

_KINDS = {"k_double": K_DOUBLE, "call_market": CALL_MARKET, "continuous": CONTINUOUS}
_RULES = {"truthful": TRUTHFUL, "linear": LINEAR, "zi_u": ZI_U, "zi_c": ZI_C, "zip": ZIP}


def set_clock(clock: Any, market: Market, seed: int) -> None:
    """Fill what the clock knows of the mechanism; without sessions none is ever due."""
    clock["session_at"], clock["market_key"] = math.inf, hashed(seed, name_key("sessions"))
    mechanism = market.mechanism
    if not isinstance(mechanism, DOUBLE):
        return
    clock["mechanism"] = _KINDS[mechanism.kind]
    if isinstance(mechanism, ContinuousAuction):
        clock["step"], clock["full"] = 1.0 / mechanism.shouts, int(mechanism.book == "full")
    else:
        clock["k"] = mechanism.k
    if isinstance(mechanism, CallMarket):
        clock["step"] = mechanism.period
    if clock["step"] > 0.0:
        clock["session"], clock["session_at"] = 1, clock["step"]


def traders_of(market: Market, seed: int) -> Any:
    """Return a TRADER for every task class, then for every owner in order of first appearance."""
    owners = list(dict.fromkeys(seller.owned_by for seller in market.sellers))
    names = [("buyer", task.name) for task in market.tasks] + [("seller", name) for name in owners]
    traders = np.zeros(len(names), TRADER)
    mechanism = market.mechanism
    for trader, (side, name) in zip(traders, names, strict=True):
        trader["key"] = hashed(seed, name_key("trader", side, name))
        trader["limit"], trader["unit_factor"] = math.nan, 1.0
        if isinstance(mechanism, DOUBLE):
            _set_rule(trader, getattr(mechanism, f"{side}s"), side)
    return traders


def _set_rule(trader: Any, rule: Any, side: str) -> None:
    """Fill a trader's quoting rule; a ZIP trader draws its nature (Cliff 1997)."""
    trader["rule"] = _RULES[rule.kind]
    if rule.kind == "linear":
        trader["a"], trader["b"] = rule.slope, rule.intercept
    elif rule.kind in ("zi_u", "zi_c"):
        trader["a"], trader["b"] = rule.low, rule.high
    elif rule.kind == "zip":
        u = [float(uniform(hashed(trader["key"], j))) for j in range(3)]
        trader["a"], trader["rate"], trader["inertia"] = rule.step, 0.1 + 0.4 * u[0], 0.1 * u[1]
        trader["margin"] = (0.05 + 0.3 * u[2]) * (-1.0 if side == "buyer" else 1.0)


def set_units(st: State, market: Market, sources: Any, parts: list[NDArray[np.float64]]) -> None:
    """Fill which offers deliver the commodity, and at what cost per million tokens.

    An offer is of the tier if it serves every class with at least the least accuracy, as quoted:
    tokens of a tier are one commodity, so whoever sells must be able to serve whoever buys. Its
    unit cost is the marginal cost of a mean task over the tokens of one that it expects to be paid
    for, classes weighted by how often they come: the price that just covers its cost, commission
    and refunds of wrong answers paid.
    """
    mechanism = market.mechanism
    if not isinstance(mechanism, DOUBLE):
        return
    weights = _rates(market, sources)
    for kind, task, part in zip(st.classes, market.tasks, parts, strict=True):
        sizes = Sizes(task, part)
        kind["quantity"] = sizes.mean_input + sizes.mean_output
    for o, offer in enumerate(st.offers):
        cells, seller = st.cells[:, o], market.sellers[int(offer["seller"])]
        serves = (cells["serves"] == 1) & (cells["accuracy"] >= mechanism.least_accuracy)
        offer["tier"], offer["unit_cost"] = int(serves.all()), math.inf
        if not offer["tier"]:
            continue
        right = [
            class_accuracy(float(c["floor"]), float(c["ceiling"]), float(c["skill"]),
                           task.difficulty.mean, task.difficulty.sd)
            for c, task in zip(cells, market.tasks, strict=True)
        ]  # fmt: skip
        kept = 1.0 - (1.0 - np.array(right)) * seller.refund_wrong
        tokens = float(weights @ (st.classes["quantity"] * kept)) * (
            1.0 - market.platform.commission
        )
        if tokens > 0.0:
            offer["unit_cost"] = MTOK * float(weights @ cells["cost"]) / tokens


def _rates(market: Market, sources: Any) -> NDArray[np.float64]:
    """Return how often each class comes, tasks/s; of a recorded one, in the time simulated."""
    rates = np.zeros(len(market.tasks))
    for k, task in enumerate(market.tasks):
        if isinstance(task.arrivals, Replay):
            rates[k] = sources[k]["length"] / market.run.until
        elif isinstance(task.arrivals, Closed):
            rates[k] = task.arrivals.users / task.arrivals.think_time.mean
        else:
            rates[k] = task.arrivals.mean_rate
    return rates
