"""The exact chain and the event market: the same figures, within sampling error.

Markets of fourteen kinds, numbers and runs drawn by seeds 0. A figure is compared by Student's t
over 40 batches (39 degrees of freedom) with a bound of 6: 5e-7 of false alarms each, below 2e-4
for all 300 together. Power: against the chain of the same market with service 5% slower, the worst
figure of each is 8 to 13 standard errors off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.market.fluid.chain import Chain, solve_chain
from walras.scenarios.estimates import Estimate, batch_means

from .chain_markets import KINDS, market_of

BOUND = 6.0
UNTIL = 50_000.0
_EPOCHS, _FIRST = 400, 8
_PAID = {"paid": 1.0, "refund": -1.0, "penalty": -1.0}
_SURPLUS = {
    "value": 1.0, "loss": -1.0, "delay_cost": -1.0, "taste": 1.0, "paid": -1.0, "refund": 1.0,
    "penalty": 1.0,
}  # fmt: skip


def measured(market: w.Market, until: float, seed: int) -> dict[str, Estimate]:
    """Return figures of a run with their errors, by name, 2% of it left out at the start."""
    result = w.run(market, until=until, seed=seed)
    width = np.full(_EPOCHS - _FIRST, until / _EPOCHS)

    def per_epoch(frame: Any, weights: dict[str, float]) -> np.ndarray:
        sums = frame.groupby("epoch")[list(weights)].sum().reindex(range(_EPOCHS)).fillna(0.0)
        return np.asarray(sums.to_numpy(dtype=np.float64) @ np.array([*weights.values()]))[_FIRST:]

    def rate(frame: Any, weights: dict[str, float]) -> Estimate:
        return batch_means(per_epoch(frame, weights), width, batches=40)

    def ratio(frame: Any, name: str, of: Any, count: dict[str, float]) -> Estimate:
        return batch_means(per_epoch(frame, {name: 1.0}), per_epoch(of, count), batches=40)

    found: dict[str, Estimate] = {}
    epochs, sellers = result.epochs, result.sellers
    for task in market.tasks:
        mine = epochs[epochs["task"] == task.name]
        found[f"{task.name} surplus"] = rate(mine, _SURPLUS)
        for offer in market.offers:
            name, here = f"{task.name} {offer}", mine[mine["offer"] == offer]
            found[f"{name} share"] = ratio(here, "assigned", mine, {"assigned": 1.0})
            ended = {"served": 1.0, "reneged": 1.0}
            found[f"{name} served"] = ratio(here, "served", here, ended)
            found[f"{name} late"] = ratio(here, "late", here, {"served": 1.0})
            if task.patience.kind == "none":
                found[f"{name} sojourn"] = ratio(here, "sojourn", here, {"served": 1.0})
    for offer in market.offers:
        found[f"{offer} revenue"] = rate(epochs[epochs["offer"] == offer], _PAID)
    found["commission"] = rate(epochs, {"commission": 1.0})
    for seller in market.sellers:
        here = sellers[sellers["seller"] == seller.name]
        found[f"{seller.name} profit"] = rate(here, {"profit": 1.0})
        number = per_epoch(here, {"running": 1.0, "waiting": 1.0}) * width
        found[f"{seller.name} number"] = batch_means(number, width, batches=40)
        busy = per_epoch(here, {"utilisation": 1.0}) * width
        found[f"{seller.name} utilisation"] = batch_means(busy, width, batches=40)
    return found


def exact(chain: Chain) -> dict[str, float]:
    """Return the same figures of a chain."""
    found = {"commission": chain.commission}
    for k, task in enumerate(chain.tasks):
        found[f"{task} surplus"] = chain.surplus[k]
        for o, offer in enumerate(chain.offers):
            found[f"{task} {offer} share"] = chain.share[k, o]
            found[f"{task} {offer} served"] = chain.served[k, o]
            found[f"{task} {offer} sojourn"] = chain.sojourn[k, o]
            found[f"{task} {offer} late"] = 1.0 - chain.timely[k, o]
    found |= {f"{o} revenue": r for o, r in zip(chain.offers, chain.revenue, strict=True)}
    for name in ("profit", "number", "utilisation"):
        values = zip(chain.sellers, getattr(chain, name), strict=True)
        found |= {f"{seller} {name}": value for seller, value in values}
    return found


def apart(got: dict[str, Estimate], expect: dict[str, float]) -> dict[str, float]:
    """Return the figures that are off, in standard errors; what never varies must be the same."""
    off = {}
    for name, estimate in got.items():
        if np.isnan(estimate.mean):
            continue  # nobody came
        gap = estimate.mean - expect[name]
        if abs(gap) > max(BOUND * np.nan_to_num(estimate.se), 1e-9):
            off[name] = float(gap / estimate.se) if estimate.se > 0.0 else np.inf
    return off


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_chain_and_events_agree(kind: Callable[..., w.Market]) -> None:
    """Shares, times, money and loads; and they would not if service were 5% slower."""
    compare(market_of(kind), UNTIL, seed=0)


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_chain_and_events_agree_closely(kind: Callable[..., w.Market], seed: int) -> None:
    """The same for other numbers and a million seconds, where errors are about a thousandth."""
    compare(market_of(kind, seed), 1e6, seed)


def compare(market: w.Market, until: float, seed: int) -> None:
    """Assert that a run has the figures of the market's chain, not those of a slower one."""
    got = measured(market, until, seed)
    assert apart(got, exact(solve_chain(market))) == {}
    slower = [s.model_copy(update={"speed": s.speed / 1.05}) for s in market.sellers]
    mutant = market.model_copy(update={"sellers": slower})
    assert apart(got, exact(solve_chain(mutant))) != {}
