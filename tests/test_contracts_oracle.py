"""Contracts: the kernel and its customers against an oracle of plain SimPy processes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from .oracle.compare import difference
from .oracle.contract_scenarios import contract_market
from .oracle.contracts import ContractMarket, Customer, run_contracts, run_economy
from .oracle.scenarios import SPAN

CHUNK = 10


def disagreement(seed: int, grid: bool) -> str | None:
    """Run a random market with contracts on both and compare events, books and contracts."""
    market = contract_market(seed, grid=grid)
    kernel, draws, tables, economy = run_economy(market, seed, SPAN)
    oracle = run_contracts(market, tables, draws, economy, SPAN)
    what = difference(kernel, oracle, exact=grid)
    if what is not None:
        return what
    for time, k, held in oracle.taken:
        customers = economy.buyers[k].customers
        counts = dict(customers.taken)[time].tolist() if customers else []
        theirs = [held.count(c) for c in (*range(len(oracle.contracts)), -1)]
        if counts != theirs:
            return f"contracts of class {k} at {time}: {counts} and {theirs}"
    return None


@pytest.mark.parametrize("grid", [False, True], ids=["random", "grid"])
@pytest.mark.parametrize("chunk", range(5))
def test_kernel_equals_oracle(chunk: int, grid: bool) -> None:
    """On grids to the last bit, else to 1e-9 in time; money and contracts always exactly."""
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    found = {seed: disagreement(seed, grid) for seed in seeds}
    assert not {seed: what for seed, what in found.items() if what}


# --- mutants: the comparison can fail ----------------------------------------------------------


def quota_is_lost(self: ContractMarket, task: Any) -> None:
    """Nothing is given back."""


def all_wait_at_their_own_level(self: ContractMarket, k: int, c: int, s: int) -> int:
    return LEVEL_UNDER(self, k, -1, s)


def the_list_price_is_scored(self: ContractMarket, beliefs: Any, task: Any, score: Any) -> Any:
    self.who[task.row].brought.append((task.input, task.output))
    return score


def bills_are_forgotten(self: ContractMarket, k: int, customer: Customer) -> None:
    LEARN(self, k, customer)
    if self.number:
        tasks = customer.prior
        customer.bills = {plan: self.bill(plan, *tasks) for plan in self.plans(k)}


def whoever_is_on_time_is_billed(
    self: ContractMarket, task: Any, right: bool, sojourn: float, price: int, refund: int,
    penalty: int,
) -> tuple[int, int]:  # fmt: skip
    return JUDGED(self, task, True, sojourn, price, refund, penalty)


LEVEL_UNDER, LEARN, JUDGED = (
    ContractMarket.level_under, ContractMarket.learn, ContractMarket.judged,
)  # fmt: skip
MUTANTS: list[tuple[str, Callable[..., Any]]] = [
    ("give_back", quota_is_lost),
    ("level_under", all_wait_at_their_own_level),
    ("score_for", the_list_price_is_scored),
    ("learn", bills_are_forgotten),
    ("judged", whoever_is_on_time_is_billed),
]


@pytest.mark.parametrize(("name", "mutant"), MUTANTS, ids=[m[1].__name__ for m in MUTANTS])
def test_mutants_are_caught(
    name: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ContractMarket, name, mutant)
    seeds = range(2 * CHUNK)
    assert any(disagreement(seed, grid) for seed in seeds for grid in (True, False))


def test_scenarios_meet_every_term() -> None:
    """Over the first 20 scenarios tasks are ordered under every kind of contract."""
    met: dict[str, int] = {}
    for seed in range(2 * CHUNK):
        market = contract_market(seed, grid=False)
        kernel, _, _, economy = run_economy(market, seed, SPAN)
        terms = [c for s in market.sellers for c in s.contracts.values()]
        for row in kernel.rows[kernel.rows["contract"] >= 0]:
            contract = terms[row["contract"]]
            for name in ("fee", "quota", "level", "within", "on_success"):
                if getattr(contract, name) not in (None, False, 0):
                    met[name] = met.get(name, 0) + 1
            met["unbilled"] = met.get("unbilled", 0) + int(row["refund"] == row["price"] > 0)
        for buyers in economy.buyers:
            assert buyers.customers is not None
            counts = [tuple(n) for _, n in buyers.customers.taken]
            met["moves"] = met.get("moves", 0) + sum(a != b for a, b in pairwise(counts))
    assert len(met) == 7
    assert min(met.values()) >= 20, met
