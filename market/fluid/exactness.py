"""Where the fluid market is not exact, and why (economy: two resolutions of one market).

It is exact for Poisson arrivals, shares that do not move with the queues (`average` quotes of a
long memory, or promises) and exponential work, at independent streams or shared speed. Of levels
and several sizes in one slot means are exact, and so is all where no law of waits matters. What
is late is exact, too; buyers in simulations reckon it in slices (`expectations`: how far off).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..schema.arrivals import Batch, Closed, Diurnal, Replay
from ..schema.distributions import Recorded
from ..state import AVERAGE, FCFS
from ..work import EXPONENTIAL

Flags = NDArray[np.bool_]


def why_not_exact(setting: Any) -> Iterator[str]:
    """Yield what the fluid market takes at less than its word."""
    market, sellers = setting.market, setting.state.sellers
    limited = np.array([math.isfinite(s.slots) for s in market.sellers])
    shared = np.array([math.isfinite(s.kappa) for s in market.sellers])
    if (limited | shared).any():
        yield from _of_buyers(setting)
        yield from _of_arrivals(setting)
        for s in np.flatnonzero(limited):
            yield from _of_queue(setting, int(s))
        for s in np.flatnonzero(shared):
            if _law_matters(setting, _served(setting, int(s))):
                yield "what is late of streams that slow each other down is told by their mean pace"
    if market.quotes.price == "exact" and any(
        isinstance(law, Recorded) or law.variance > 0
        for t in market.tasks for law in (t.input_tokens, t.output_tokens)
    ):  # fmt: skip
        yield "buyers know their own task's price, which is taken at its mean"
    few = [setting.few(k) for k in range(len(market.tasks))]
    if not setting.all_lists:
        yield "lists of offers drawn at random are taken as some of them"
    if any(few) and market.platform.ranking == "rating":
        yield "offers are ranked as if ratings were true"
    if any(isinstance(t.arrivals, Closed) for t in market.tasks):
        yield "a closed population comes at the rate of its cycle at posted prices"
    if setting.events or (sellers["listed"] == 0).any():
        yield "events are left out"


def _of_buyers(setting: Any) -> Iterator[str]:
    quotes = setting.state.sellers["quote"]
    if ((quotes != AVERAGE) & ~setting.promised).any():
        yield "quotes are observed, and what buyers see of a queue is taken at its mean"
    alike = [setting.argmax[k] and not m.along for k, m in enumerate(setting.money)]
    if any(alike) and not setting.promised.all():
        yield "buyers who are all alike are taken to spread, and in fact move together"


def _of_arrivals(setting: Any) -> Iterator[str]:
    laws: list[Any] = [task.arrivals for task in setting.market.tasks]
    if len(setting.moments) > 1:
        yield "queues are taken to follow the rate of arrivals at once"
    elif any(getattr(a, "rates", ()) or (isinstance(a, Diurnal) and a.amplitude > 0) for a in laws):
        yield "demand that varies is taken at its mean rate"
    if any(isinstance(a, Batch) and (a.size > 1 or a.spread == "geometric") for a in laws):
        yield "batches come as single tasks"
    if any(isinstance(a, (Closed, Replay)) for a in laws):
        yield "arrivals are taken as Poisson"


def _served(setting: Any, s: int) -> Flags:
    """Return which classes are served by which offers of a seller, shape [K, O]."""
    return np.asarray((setting.state.cells["serves"] == 1) & (setting.seller_of == s))


def _law_matters(setting: Any, served: Flags) -> bool:
    """Return whether more than the mean of a time counts: it can be late, or a promise broken."""
    kinds = np.asarray(served.any(axis=1))[setting.class_of]
    sellers = setting.state.sellers[setting.seller_of[served.any(axis=0)]]
    breaks = (sellers["penalty"] > 0.0) & np.isfinite(sellers["promise"])
    return bool(np.isfinite(setting.deadline[kinds]).any() or (kinds.any() and breaks.any()))


def _of_queue(setting: Any, s: int) -> Iterator[str]:
    seller, works = setting.market.sellers[s], setting.state.works
    served = _served(setting, s)
    if not served.any():
        return
    late = _law_matters(setting, served)
    if (served & ((works["kind"] != EXPONENTIAL) | (works["shift"] > 0.0))).any():
        yield "work is not exponential, and waits go by its first two moments"
    means = works["mean"][served]
    if means.max() > means.min() * (1 + 1e-9):
        if seller.slots > 1:
            yield "tasks of different mean sizes share several slots"
        elif late:
            yield "tasks of different mean sizes share a queue, whose law of waits is mixed"
    if math.isfinite(seller.kappa) and seller.slots > 1:
        yield "streams slow each other down and there is a queue"
    kinds = np.asarray(served.any(axis=1))[setting.class_of]
    if np.isfinite(setting.patience[kinds]).any():
        yield "waits that patience cuts short are quoted as exponential"
    levels = np.unique(setting.level[kinds])
    if setting.state.sellers[s]["discipline"] != FCFS and len(levels) > 1 and late:
        yield "waits at priority levels are quoted as exponential"
