"""Small double auctions whose outcome is known by hand: one slip and a check notices."""

from __future__ import annotations

from typing import Any

import numpy as np

import walras as w
from walras.market.engine import Engine

from .code_checks import at, one, rows, same


def costs(*each: float) -> list[w.Seller]:
    """Return sellers of one slot with these costs of a task."""
    return [one(name=f"s{j}", cost={"task": cost}) for j, cost in enumerate(each)]


def prices(done: Any) -> Any:
    """Return what was paid, USD, by those who were served."""
    return done["price"][done["status"] == 0] * 1e-9


def a_quarter_of_the_way_to_the_bid() -> None:
    """Worth 8, cost 2, k = 1/4: 3.5."""
    done = rows([at("k", [0.0])], costs(2.0), mechanism={"kind": "k_double", "k": 0.25})
    same(prices(done), [3.5])


def the_lowest_rejected_ask_is_paid() -> None:
    """Two units wanted, costs 1, 2 and 3: both pay 3."""
    done = rows([at("k", [0.5, 0.5])], costs(1.0, 3.0, 2.0),
                mechanism={"kind": "call_market", "k": 1.0}, until=100.0)  # fmt: skip
    same(prices(done), [3.0, 3.0])


def shouted(seed: int, *each: float) -> Any:
    """Return the rows of a buyer worth 8 who finds standing asks, and a bid of .5, after 40 s."""
    found: list[Any] = []
    tasks = [at("low", [0.0], value=0.5), at("high", [40.2])]
    engine = Engine(w.Market(tasks, costs(*each), mechanism="continuous"), seed, keep=found.append)
    engine.advance(60.0)
    engine.flush()
    return np.concatenate(found)


def the_standing_order_sets_the_price() -> None:
    """An ask of 5 has stood when a bid of 8 comes: 5."""
    same(prices(shouted(0, 5.0)), [5.0])


def the_best_price_goes_first() -> None:
    """Asks of 3 to 6 stand, in any order of time: whoever comes deals at 3."""
    for seed in range(4):
        same(prices(shouted(seed, 5.0, 3.0, 6.0, 4.0)), [3.0])


def whoever_delivers_is_worth_it() -> None:
    """Sellers that are right always and half the time: worth 4, and so the price at k = 1."""
    two = [one(name="a", cost={"task": 1.0}), one(name="b", accuracy=0.5, cost={"task": 7.0})]
    done = rows([at("k", [0.0])], two, mechanism={"kind": "k_double", "k": 1.0})
    same(prices(done), [4.0])


def bids_that_wait_lose_time() -> None:
    """Half a dollar a second and a patience of 3 s: those who find no seller lose 1.5."""
    task = at("k", [0.0], patience=3.0, delay_cost=0.5)
    done = rows([task], costs(9.0), mechanism="call_market", until=20.0)
    same(done["surplus"], [-1.5])
