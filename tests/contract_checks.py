"""Small markets with contracts whose outcome is known by hand: one slip and a check notices."""

from __future__ import annotations

from typing import Any

import numpy as np

import walras as w
from walras.market import periods

from .code_checks import at, finish, one, same, start


def under(
    tasks: list[w.TaskClass], seller: w.Seller, others: list[w.Seller] | None = None, **market: Any
) -> tuple[Any, Any]:
    """Return (rows, engine) where the only customer of each class holds the seller's contract."""
    engine, found = start(tasks, [seller, *(others or [])], **market)
    for k in range(len(tasks)):
        periods.take_contracts(engine.state, k, np.zeros(1, np.int64))
    engine.advance(1e6)
    return finish(engine, found), engine


def quotas_are_used_up() -> None:
    """Tasks of 2 tokens at 1 USD each against a quota of 3: free, half, whole."""
    seller = one(price={"task": 1.0}, contracts={"c": {"quota": 3.0}})
    done, _ = under([at("k", [0.0, 2.0, 4.0], 2.0)], seller)
    same(done["price"] * 1e-9, [0.0, 0.5, 1.0])


def what_is_not_served_takes_no_quota() -> None:
    """The second of three leaves the queue; its 2 tokens serve the third."""
    seller = one(price={"task": 1.0}, contracts={"c": {"quota": 4.0}})
    tasks = [at("k", [0.0, 0.5, 5.0], 2.0, patience=1.0)]
    done, _ = under(tasks, seller)
    assert done["status"].tolist() == [0, 2, 0]
    same(done["price"], [0.0, 0.0, 0.0])


def the_platform_has_its_share_of_fees() -> None:
    """A fee of 10 under a commission of a quarter: 7.5 to the seller."""
    seller = one(contracts={"c": {"fee": 10.0}})
    _, engine = under([at("k", [0.0])], seller, platform={"commission": 0.25})
    same(engine.state.ledger[:3] * 1e-9, [-10.0, 7.5, 2.5])


def surcharges_are_charged() -> None:
    """Three times the posted price of 1."""
    done, _ = under([at("k", [0.0])], one(price={"task": 1.0}, contracts={"c": {"rate": 3.0}}))
    same(done["price"] * 1e-9, [3.0])
    same(done["utility"], [5.0])


def contracts_give_the_level() -> None:
    """Of two waiting the later one starts first: its contract has level 0, its class level 3."""
    seller = one(discipline="priority", contracts={"c": {"level": 0}})
    engine, found = start(
        [at("low", [0.0, 0.1], priority=1), at("paid", [0.2], priority=3)], [seller]
    )
    periods.take_contracts(engine.state, 0, np.full(1, -1))
    periods.take_contracts(engine.state, 1, np.zeros(1, np.int64))
    engine.advance(1e6)
    same(finish(engine, found)["start"], [0.0, 2.0, 1.0])


def what_comes_too_late_is_not_billed() -> None:
    """Within 2 s: the first takes 1 s, the third 3 s and is paid back."""
    seller = one(price={"task": 1.0}, contracts={"c": {"rate": 0.5, "within": 2.0}})
    done, _ = under([at("k", [0.0, 0.0, 0.0])], seller)
    late = done["finish"] > 2.0
    assert late.sum() == 1
    same(done["price"] * 1e-9, [0.5, 0.5, 0.5])
    same(done["refund"], np.where(late, done["price"], 0))


def success_is_paid_for() -> None:
    """Always wrong: nothing is paid, and no quota taken."""
    terms = {"quota": 1.5, "on_success": True}
    seller = one(accuracy=0.0, price={"task": 1.0}, contracts={"c": terms})
    done, engine = under([at("k", [0.0, 2.0, 4.0])], seller)
    assert (done["refund"] == done["price"]).all()
    same(engine.state.customers["quota"], [1.5])


def contracts_hold_at_their_seller() -> None:
    """A free plan with the slow one; the fast one costs what it posts."""
    slow = one(speed=0.1, price={"task": 1.0}, contracts={"c": {"quota": "unlimited"}})
    fast = one(name="f", price={"task": 2.0})
    done, _ = under([at("k", [0.0], delay_cost=0.5)], slow, [fast])
    assert done["offer"].tolist() == [1]
    same(done["price"] * 1e-9, [2.0])
