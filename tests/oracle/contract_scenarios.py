"""Random small markets with contracts: every kind of terms, about as good as none."""

from __future__ import annotations

from typing import Any

import numpy as np

from walras.market.schema.arrivals import Closed
from walras.market.schema.market import Market

from .scenarios import SPAN, Random, maybe, near, pick, random_market


def some_contract(rng: Random, discipline: str, *, grid: bool) -> dict[str, Any]:
    """Return some contract, about as good as none."""
    kind = pick(rng, "subscription", "two-part", "priority", "async", "success", "any")
    fee, terms = near(rng, 0.3), {}
    if kind in ("subscription", "any"):
        quota = pick(rng, "unlimited", near(rng, 12.0), near(rng, 6.0))
        terms = {"fee": fee, "quota": quota, "rate": pick(rng, 1.0, 1.5)}
        if quota != "unlimited":  # wrong answers give quota back
            terms |= {"fee": fee / 3, "on_success": maybe(rng, 0.6)}
    if kind in ("two-part", "any"):
        terms |= {"fee": fee / 2, "rate": near(rng, 0.5)}
    if kind in ("priority", "any") and discipline != "fcfs":
        terms |= {"level": int(rng.integers(0, 3))}
        if maybe(rng, 0.5):
            terms |= {"rate": pick(rng, 1.0, 1.1)}
    if kind == "async" or (kind == "any" and maybe(rng, 0.5)):
        terms |= {"rate": 0.5, "within": 2.0 if grid else near(rng, 4.0)}
    if kind == "success" or (kind == "any" and maybe(rng, 0.5)):
        terms |= {"on_success": True, "rate": near(rng, 1.1)}
    return terms


def contract_market(seed: int, *, grid: bool) -> Market:
    """Return a random market of posted prices with contracts; four periods."""
    base = random_market(seed, grid=grid)
    rng = np.random.default_rng([seed, int(grid), 1])
    sellers = [
        s.model_copy(update={"contracts": {
            f"c{j}": some_contract(rng, s.discipline, grid=grid)
            for j in range(int(rng.integers(0, 3)))
        }}) for s in base.sellers
    ]  # fmt: skip
    tasks = [
        t if isinstance(t.arrivals, Closed) else t.model_copy(update={
            "customers": int(rng.integers(1, 12)),
            "usage": pick(rng, 1.0, {"kind": "exponential", "mean": 1.0}),
        }) for t in base.tasks
    ]  # fmt: skip
    if not any(s.contracts for s in sellers):
        sellers[0] = sellers[0].model_copy(
            update={"contracts": {"flat": {"fee": 0.3, "quota": "unlimited"}}}
        )
    levels = any(c.level is not None for s in sellers for c in s.contracts.values())
    quotes = base.quotes
    if levels and quotes.latency == "average":
        quotes = quotes.model_copy(update={"latency": "observed"})
    return base.model_copy(update={
        "mechanism": "posted_price", "sellers": sellers, "tasks": tasks, "quotes": quotes,
        "platform": base.platform.model_copy(update={"contract_period": SPAN / 4}),
    })  # fmt: skip
