"""The kernel against the oracle where a platform rates, sells positions and looking costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from walras.market.schema.market import Market

from .oracle.compare import Kernel, difference, kernel_and_draws, run_oracle
from .oracle.draws import Draws
from .oracle.listing import Listed, Listing
from .oracle.listings import random_listing
from .oracle.scenarios import SPAN

CHUNK = 10


@cache
def scenario(seed: int, grid: bool) -> tuple[Market, Kernel, Draws, Any]:
    """Return a random market, run by the kernel, with what the oracle needs."""
    market = random_listing(seed, grid=grid)
    return market, *kernel_and_draws(market, seed, SPAN)


def disagreement(seed: int, grid: bool) -> str | None:
    """Run the oracle on a random market and compare."""
    market, kernel, draws, tables = scenario(seed, grid)
    oracle = run_oracle(market, tables, draws, SPAN, simulation=Listing)
    return difference(kernel, oracle, exact=grid)


@pytest.mark.parametrize("grid", [False, True], ids=["random", "grid"])
@pytest.mark.parametrize("chunk", range(6))
def test_kernel_equals_oracle(chunk: int, grid: bool) -> None:
    """60 random markets and 60 on grids full of ties: same events, order, choices, nano-dollars."""
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    found = {seed: disagreement(seed, grid) for seed in seeds}
    scenario.cache_clear()
    assert not {seed: what for seed, what in found.items() if what}


def test_scenarios_meet_every_feature() -> None:
    """Counted over the specs and the kernel's rows of the first forty markets of either kind."""
    met: dict[str, int] = {}
    for seed in range(4 * CHUNK):
        for grid in (False, True):
            market, kernel, _, _ = scenario(seed, grid)
            rows, platform = kernel.rows, market.platform
            auction = "auction" if kernel.engine.state.clock[0]["sealed"] else "posted price"
            features = {f"ranking {platform.ranking}", f"accuracy {market.quotes.accuracy}"}
            features |= {f"{auction} {platform.ranking}"}
            features |= {
                f"search {getattr(t.choice, 'kind', '')}"
                for t in market.tasks
                if platform.search_cost
            }
            features |= {"a fee is paid"} if (rows["advertising"] > 0).any() else set()
            balked = rows[rows["status"] == 1]
            features |= {"looked in vain"} if (balked["search"] > 0).any() else set()
            looks = rows["search"] / (platform.search_cost or 1.0)
            features |= {"looked twice"} if (looks > 1.5).any() else set()
            features |= (
                {"rated anew"} if (kernel.engine.state.cells["answers"] > 20).any() else set()
            )
            for feature in features:
                met[feature] = met.get(feature, 0) + 1
    scenario.cache_clear()
    needed = {
        "ranking rating", "ranking sponsored", "accuracy rated", "search logit", "search argmax",
        "auction sponsored", "auction rating", "a fee is paid", "looked in vain",
        "looked twice", "rated anew",
    }  # fmt: skip
    assert {feature: met.get(feature, 0) for feature in needed if met.get(feature, 0) < 3} == {}


# --- mutants: the comparison can fail ----------------------------------------------------------


def own_bid_is_paid(self: Listed, o: int) -> float:
    return self.offered(o) if FEE(self, o) > 0.0 else 0.0


def ratings_start_from_nothing(self: Listed, o: int) -> float:
    answers = self.answers.get(o, 0)
    return self.right.get(o, 0) / answers if answers else float(self.claim[o])


def one_look_more(self: Listing, utility: float, k: int) -> float:
    return RESERVATION(self, utility, k) + self.market.platform.search_cost


def looking_in_vain_is_free(self: Listing, task: Any, status: str) -> None:
    task.search = 0.0
    GIVE_UP(self, task, status)


FEE, RESERVATION, GIVE_UP = Listed.fee, Listing.reservation, Listing.give_up
MUTANTS: list[tuple[type, str, Callable[..., Any]]] = [
    (Listed, "fee", own_bid_is_paid),
    (Listed, "rating", ratings_start_from_nothing),
    (Listing, "reservation", one_look_more),
    (Listing, "give_up", looking_in_vain_is_free),
]


@pytest.mark.parametrize(("owner", "name", "mutant"), MUTANTS, ids=[m[2].__name__ for m in MUTANTS])
def test_mutants_are_caught(
    owner: type, name: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, mutant)
    assert any(disagreement(seed, grid) for seed in range(CHUNK) for grid in (True, False))
