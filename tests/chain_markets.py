"""Small markets with an exact chain, a dozen kinds, their numbers drawn by a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import walras as w

Draw = np.random.Generator


def seller(draw: Draw, name: str, **fields: Any) -> w.Seller:
    """Return a seller of about one task per second."""
    given = {
        "accuracy": draw.uniform(0.6, 1.0), "speed": draw.uniform(0.8, 2.0),
        "price": w.per_task(draw.uniform(0.2, 1.0)), "cost": w.per_task(draw.uniform(0.0, 0.2)),
    }  # fmt: skip
    return w.Seller(name, **{**given, **fields})


def task(draw: Draw, name: str, **fields: Any) -> w.TaskClass:
    """Return a class of one to two and a half tasks per second, of work 1 on average."""
    given = {
        "arrivals": w.Poisson(draw.uniform(1.0, 2.5)), "output_tokens": w.Exponential(1.0),
        "value": draw.uniform(1.5, 3.0), "delay_cost": draw.uniform(0.1, 0.4),
        "choice": w.Logit(draw.uniform(0.15, 0.5)),
    }  # fmt: skip
    return w.TaskClass(name, **{**given, **fields})


def pair(draw: Draw, first: dict[str, Any] | None = None, **second: Any) -> list[w.Seller]:
    """Return two sellers, the first of one slot unless told otherwise, the second of two."""
    return [seller(draw, "a", **(first or {})), seller(draw, "b", **{"slots": 2, **second})]


def plain(draw: Draw) -> w.Market:
    return w.Market(tasks=[task(draw, "k")], sellers=pair(draw, startup_time=0.2))


def argmax(draw: Draw) -> w.Market:
    return w.Market(tasks=[task(draw, "k", choice="argmax")], sellers=pair(draw))


def alike(draw: Draw) -> w.Market:
    """Two sellers that differ in nothing: ties, and the shortest queue."""
    same = {"accuracy": 1.0, "speed": 1.0, "price": w.per_task(0.5), "slots": 1}
    buyers = task(draw, "k", choice="argmax", value=3.0, delay_cost=0.25)
    return w.Market(tasks=[buyers], sellers=pair(draw, same, **same))


def batching(draw: Draw) -> w.Market:
    sellers = pair(draw, {"slots": 3, "kappa": 2}, kappa=1.5)
    return w.Market(tasks=[task(draw, "k")], sellers=sellers)


def sharing(draw: Draw) -> w.Market:
    sellers = pair(draw, {"slots": "unlimited", "kappa": 1}, slots=1)
    return w.Market(tasks=[task(draw, "k")], sellers=sellers)


def two_classes(draw: Draw) -> w.Market:
    """Two classes, one of them with nests, at a seller with two efforts alike and another."""
    first = task(draw, "k", choice=w.Logit(0.3, nest=0.4))
    second = task(draw, "l", arrivals=w.Poisson(0.7), skill="other", loss=0.3)
    sellers = pair(draw, {"effort": {"x": 0, "y": 0}, "slots": 2}, slots=1)
    return w.Market(tasks=[first, second], sellers=sellers)


def values_drawn(draw: Draw) -> w.Market:
    cost = w.ShareOfValue(per_second=0.1)
    buyers = task(draw, "k", value=w.LogNormal(2.0, 0.8), delay_cost=cost, loss=0.5)
    return w.Market(tasks=[buyers], sellers=pair(draw))


def delay_costs_drawn(draw: Draw) -> w.Market:
    """Two of three offers are shown, and one of them never has a queue."""
    buyers = task(draw, "k", delay_cost=w.Exponential(0.3), consideration=2)
    free = {"slots": "unlimited", "price": w.per_task(0.9)}
    dear = seller(draw, "c", price=w.per_task(1.4))
    return w.Market(tasks=[buyers], sellers=[*pair(draw, free, slots=1), dear])


def argmax_drawn(draw: Draw) -> w.Market:
    buyers = task(draw, "k", choice="argmax", value=w.Exponential(2.0))
    return w.Market(tasks=[buyers], sellers=pair(draw))


def stakes_drawn(draw: Draw) -> w.Market:
    """Argmax buyers with a delay cost in proportion to value, and a promise with a penalty."""
    cost = w.ShareOfValue(per_second=0.1)
    law = w.Uniform(low=0.0, high=3.0)
    buyers = task(draw, "k", choice="argmax", value=law, delay_cost=cost)
    careful = {"promise": 2.0, "penalty": 0.2, "accuracy": 0.95}
    sellers = pair(draw, careful, price=w.per_task(0.1), accuracy=0.6, slots=1)
    return w.Market(tasks=[buyers], sellers=sellers)


def deadlines_drawn(draw: Draw) -> w.Market:
    due = w.Uniform(low=1.0, high=4.0)
    buyers = task(draw, "k", deadline=due, lateness=w.Linear(grace=2.0), loss=0.4)
    sellers = pair(draw, {"refund_late": 0.5, "refund_wrong": 1.0, "rent": 2.0}, fixed_cost=10.0)
    return w.Market(tasks=[buyers], sellers=sellers, platform=w.Platform(commission=0.2))


def deadline(draw: Draw) -> w.Market:
    """A hard deadline and refunds where prices go by tokens."""
    buyers = task(draw, "k", deadline=3.0, output_tokens=w.Exponential(100.0))
    dear, cheap = w.per_mtok(0.0, 9000.0), w.per_mtok(0.0, 5000.0)
    first = {"speed": 100.0, "price": cheap, "refund_late": 0.8}
    return w.Market(tasks=[buyers], sellers=pair(draw, first, speed=150.0, price=dear))


def claims(draw: Draw) -> w.Market:
    """A seller that is less accurate than it says."""
    sellers = pair(draw, {"claimed": 0.99, "accuracy": 0.7, "refund_wrong": 0.7})
    quotes = w.Quotes(accuracy="claimed")
    return w.Market(tasks=[task(draw, "k", loss=0.5)], sellers=sellers, quotes=quotes)


def patience(draw: Draw) -> w.Market:
    """Captive buyers who leave the queue, and others elsewhere who do not."""
    leaving = task(draw, "k", patience=w.Exponential(1.5), outside_option=False, skill="other")
    first = {"accuracy": {"other": 0.9}, "slots": 2, "network_time": 0.3}
    sellers = pair(draw, first, accuracy={"general": 0.9}, slots=1)
    return w.Market(tasks=[leaving, task(draw, "l")], sellers=sellers)


KINDS: list[Callable[[Draw], w.Market]] = [
    plain, argmax, alike, batching, sharing, two_classes, values_drawn, delay_costs_drawn,
    argmax_drawn, stakes_drawn, deadlines_drawn, deadline, claims, patience,
]  # fmt: skip


def market_of(kind: Callable[[Draw], w.Market], seed: int = 0) -> w.Market:
    """Return a market of a kind, its numbers drawn."""
    return kind(np.random.default_rng([KINDS.index(kind), seed]))
