"""The kernel against the oracle under double auctions: the same trades, at the same prices."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from walras.market.schema.market import Market

from .oracle import exchange, traders
from .oracle.compare import Kernel, difference, kernel_and_draws, run_oracle
from .oracle.draws import Draws
from .oracle.exchange import Exchange
from .oracle.scenarios import SPAN, random_double
from .oracle.task import Task
from .oracle.traders import Order, Trader

CHUNK = 10


@cache
def scenario(seed: int, grid: bool) -> tuple[Market, Kernel, Draws, Any]:
    """Return a random double auction, run by the kernel, with what the oracle needs."""
    market = random_double(seed, grid=grid)
    return market, *kernel_and_draws(market, seed, SPAN)


def disagreement(seed: int, grid: bool) -> str | None:
    """Run the oracle on a random double auction and compare."""
    market, kernel, draws, tables = scenario(seed, grid)
    return difference(kernel, run_oracle(market, tables, draws, SPAN), exact=grid)


@pytest.mark.parametrize("grid", [False, True], ids=["random", "grid"])
@pytest.mark.parametrize("chunk", range(8))
def test_kernel_equals_oracle(chunk: int, grid: bool) -> None:
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    found = {seed: disagreement(seed, grid) for seed in seeds}
    scenario.cache_clear()
    assert not {seed: what for seed, what in found.items() if what}


def test_scenarios_meet_every_feature() -> None:
    """Counted over the specs of all 160 scenarios."""
    met: dict[str, int] = {}
    for seed in range(8 * CHUNK):
        for grid in (False, True):
            m: Any = random_double(seed, grid=grid)
            mechanism = m.mechanism
            features = {mechanism.kind, m.quotes.latency, m.quotes.price}
            features |= {f"buyers {mechanism.buyers.kind}", f"sellers {mechanism.sellers.kind}"}
            features |= {
                f"book {getattr(mechanism, 'book', '')}",
                f"tier {mechanism.least_accuracy}",
            }
            features |= {f"k {getattr(mechanism, 'k', '')}"}
            features |= {f"choice {t.choice.kind}" for t in m.tasks}
            features |= {"private costs" for s in m.sellers if s.cost_factor.kind != "constant"}
            features |= {"one owner" for s in m.sellers if s.owner}
            for feature in features:
                met[feature] = met.get(feature, 0) + 1
    assert len(met) >= 30
    assert {f: n for f, n in met.items() if n < 5} == {}


# --- mutants: the comparison can fail ----------------------------------------------------------


def worth_at_its_best(self: Exchange, task: Task) -> float:
    beliefs = self.sim.beliefs[task.kind]
    self.refresh(beliefs)
    found = [self.prospect(task, o) for o in beliefs.serving if self.free(o) >= 1.0]
    return max((1e6 * gain / tokens for gain, tokens in found if tokens > 0), default=-math.inf)


def pays_its_own_bid(self: Exchange, low: float, high: float) -> float:
    return high


def worse_quotes_stand_too(self: Exchange, trader: Trader, order: Order, better: bool) -> None:
    STAND(self, trader, order, True)


def waiting_is_free(self: Exchange, task: Task, last: float) -> Any:
    task.delay_cost, cost = 0.0, task.delay_cost
    yield from PATIENCE(self, task, last)
    task.delay_cost = cost


def unsold_asks_teach_nothing(
    everyone: Any, lots: Any, heard: float, accepted: bool, was: Any, active: Any, key: Any
) -> None:
    if accepted:
        HEAR(everyone, lots, heard, accepted, was, active, key)


STAND, PATIENCE, HEAR = Exchange.stand, Exchange.patience, traders.hear
MUTANTS: list[tuple[Any, str, Callable[..., Any]]] = [
    (Exchange, "worth", worth_at_its_best),
    (Exchange, "between", pays_its_own_bid),
    (Exchange, "stand", worse_quotes_stand_too),
    (Exchange, "patience", waiting_is_free),
    (exchange, "hear", unsold_asks_teach_nothing),
]


@pytest.mark.parametrize(("owner", "name", "mutant"), MUTANTS, ids=[m[2].__name__ for m in MUTANTS])
def test_mutants_are_caught(
    owner: Any, name: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, mutant)
    assert any(disagreement(seed, grid) for seed in range(CHUNK) for grid in (True, False))
