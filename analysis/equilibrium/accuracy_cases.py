"""Markets on which the fluid market is compared with events: each but two is off by one thing.

Two sellers and buyers with tastes, a delay cost and a deadline. At the base all that the fluid
market asks for is there: Poisson arrivals, `average` quotes of a long memory, exponential work in
independent streams.
"""

from __future__ import annotations

from typing import Any

from ...market.schema.arrivals import MMPP, Batch, Closed, Diurnal, Poisson
from ...market.schema.demand import Logit, TaskClass
from ...market.schema.distributions import Exponential, LogNormal
from ...market.schema.market import Market, Quotes
from ...market.schema.supply import Seller

BOUNDS = {
    "exact": (0.0, 0.0, 0.015, 0.0, 0.0),
    "shared speed": (0.0, 0.0, 0.0, 0.0, 0.0),
    "sizes of cv 2, one slot": (0.10, 0.05, 0.25, 0.05, 0.12),
    "sizes of cv 2, two slots": (0.27, 0.08, 0.22, 0.04, 0.08),
    "batching with a queue": (0.02, 0.01, 0.07, 0.01, 0.03),
    "observed quotes": (0.12, 0.22, 1.70, 0.02, 0.07),
    "bursts": (0.45, 0.08, 0.21, 0.03, 0.07),
    "batches": (0.68, 0.38, 0.72, 0.07, 0.40),
    "a day of 8000 s": (0.10, 0.03, 0.09, 0.03, 0.03),
    "patience of its own": (0.02, 0.01, 0.02, 0.01, 0.01),
    "patience to the deadline": (0.02, 0.02, 0.15, 0.01, 0.01),
    "priorities": (0.03, 0.01, 0.10, 0.01, 0.02),
    "priorities that interrupt": (0.09, 0.02, 0.52, 0.02, 0.02),
    "sizes that differ by class": (0.06, 0.03, 0.13, 0.02, 0.02),
    "a closed population": (0.26, 0.08, 0.42, 0.05, 0.09),
}
"""Bounds on relative errors by case, in the order of `accuracy.MEASURES`. The law of a wait is
taken in slices, which is all that keeps lateness of the exact case from being so."""

AVERAGE = Quotes(latency="average", memory="5 h")
_SIZE = Exponential(mean=1.0)
_SPREAD = LogNormal(mean=1.0, cv=2.0)


def _task(name: str = "jobs", **other: Any) -> TaskClass:
    kind = {
        "arrivals": Poisson(rate=1.0), "output_tokens": _SIZE, "value": 2.5, "delay_cost": 0.1,
        "deadline": "6 s", "choice": Logit(scale=0.25),
    }  # fmt: skip
    return TaskClass(name, **{**kind, **other})


def _two(**other: Any) -> tuple[TaskClass, TaskClass]:
    """Two levels of priority that differ in nothing else."""
    return (
        _task("first", arrivals=Poisson(rate=0.4), priority=0, **other),
        _task("second", arrivals=Poisson(rate=0.6), priority=1, **other),
    )


def _market(*tasks: TaskClass, quotes: Quotes = AVERAGE, a: Any = None, b: Any = None,
            **both: Any) -> Market:  # fmt: skip
    shop = {"accuracy": 1.0, "cost": {"task": 0.8}, **both}
    sellers = [
        Seller("a", **{**shop, "price": {"task": 1.5}, **(a or {})}),
        Seller("b", **{**shop, "price": {"task": 1.3}, "slots": 2, "speed": 0.6, **(b or {})}),
    ]
    return Market(tasks=list(tasks or (_task(),)), sellers=sellers, quotes=quotes)


def cases() -> dict[str, Market]:
    """Return the stated cases by name, the exact ones first.

    Example:
        >>> from walras.market.fluid.setting import setting_of
        >>> found = cases()
        >>> [name for name, market in found.items() if not setting_of(market).approximate]
        ['exact', 'shared speed']
    """
    one = {"slots": 1, "speed": 1.0}
    shared = {"slots": "unlimited", "kappa": 1.0}
    few = {"slots": 3, "kappa": 2.0, "speed": 0.6}
    return {
        "exact": _market(),
        "shared speed": _market(_task(deadline=None), a=shared, b={**shared, "speed": 0.9}),
        "sizes of cv 2, one slot": _market(_task(output_tokens=_SPREAD), a=one, b=one),
        "sizes of cv 2, two slots": _market(
            _task(output_tokens=_SPREAD), slots=2, a={"speed": 0.6}
        ),
        "batching with a queue": _market(a=few, b=few),
        "observed quotes": _market(quotes=Quotes(latency="observed")),
        "bursts": _market(_task(arrivals=MMPP(rates=[0.4, 1.6], dwell=[30.0, 30.0]))),
        "batches": _market(_task(arrivals=Batch(rate=0.25, size=4))),
        "a day of 8000 s": _market(
            _task(arrivals=Diurnal(rate=1.0, amplitude=0.5, period=8000.0))
        ),
        "patience of its own": _market(_task(patience=Exponential(mean=4.0))),
        "patience to the deadline": _market(_task(patience="deadline")),
        "priorities": _market(*_two(), discipline="priority"),
        "priorities that interrupt": _market(*_two(), discipline="priority_preemptive"),
        "sizes that differ by class": _market(
            _task("short", arrivals=Poisson(rate=0.5), output_tokens=Exponential(mean=0.5)),
            _task("long", arrivals=Poisson(rate=0.25), output_tokens=Exponential(mean=2.0)),
        ),
        "a closed population": _market(
            _task(arrivals=Closed(users=12, think_time=Exponential(mean=6.0)))
        ),
    }  # fmt: skip
