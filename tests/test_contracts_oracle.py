"""Contracts: the kernel and its customers against an oracle of plain SimPy processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .oracle.compare import difference
from .oracle.contracts import (
    ContractMarket,
    Customer,
    contract_market,
    run_contracts,
    run_economy,
)
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


