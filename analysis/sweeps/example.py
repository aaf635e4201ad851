"""A small sweep for the examples of this folder: two sellers, a minute, two prices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...market.schema.arrivals import Poisson
from ...market.schema.demand import Logit, TaskClass
from ...market.schema.market import Market, Run
from ...market.schema.supply import Rates, Seller
from ...scenarios.sweep.sweep import sweep
from ...scenarios.sweep.swept import Sweep


def small_market() -> Market:
    """Return a market in which two sellers of the same quality post prices; nobody waits."""
    ask = TaskClass("chat", Poisson(1.0), value=2.0, choice=Logit(0.25))
    sellers = [Seller(name, accuracy=1.0, price=Rates(task=1.2)) for name in ("one", "two")]
    return Market([ask], sellers, run=Run(until=60.0, epoch=6.0), name="small")


def small_sweep(folder: str, **more: Any) -> Sweep:
    """Run it in a folder at two prices of seller "one", four replications unless told otherwise."""
    design: dict[str, Any] = {"vary": {"sellers.one.price.task": [1.0, 1.4]}, "seeds": 4}
    with ThreadPoolExecutor(1) as threads:
        return sweep(small_market(), **(design | more), out=f"{folder}/small", executor=threads)
