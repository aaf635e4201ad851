"""What a Python rule is asked and told: the task, the offers on show, and what is left later.

A mechanism is told what both sides expect; whoever plays a buyer should not look at `cost`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .bids import factor_for
from .choice import cost_of, outside_taste, tariff, taste_for, told_work
from .contracts import share_under
from .engine import Engine
from .jit import compiled, plain
from .messages import LONGEST, Ask, Quote
from .outlook import by_law
from .schema.distributions import Constant
from .state import LOGIT, State
from .worth import worth


def ask_of(engine: Engine, k: int, i: int) -> Ask:
    """Return the task in place i, of class k, as a rule is asked about it."""
    st = engine.state
    task, kind = st.tasks[i], st.classes[k]
    outside = 0.0 if kind["outside"] == 1 else -math.inf
    if kind["outside"] == 1 and kind["choice"] == LOGIT:
        with np.errstate(over="ignore"):
            outside = float(outside_of(st, k, task["id"]))
    return Ask(
        id=int(task["id"]), kind=engine.market.tasks[k].name, time=float(task["time"]),
        input=float(task["input"]), output=float(task["output"]), value=float(task["value"]),
        loss=float(kind["loss"]), delay_cost=float(task["delay_cost"]),
        deadline=float(task["deadline"]), outside=outside,
    )  # fmt: skip


def quote_of(
    engine: Engine, k: int, o: int, i: int, utility: float, is_asked: Callable[[], bool]
) -> Quote:
    """Return an offer's quote to a task, from what the cell holds for it at this moment.

    `utility` is the offer's score, `is_asked` says whether the rule is still asked about the task:
    only so long is the state the one that the quote was made in.
    """
    st = engine.state
    cell, s, id_ = st.cells[k, o], int(st.seller_of[o]), st.tasks[i]["id"]
    seller = engine.market.sellers[s]
    effort = list(seller.effort)[o - int(st.sellers[s]["first"])]
    # Calls that take the whole state cost more than all the rest: only where there is something.
    taste, ask, cost = 0.0, float(cell["ask"]), float(cell["cost"])
    with np.errstate(over="ignore"):
        if st.classes[k]["choice"] == LOGIT:
            taste = float(own_taste(st, k, o, id_))
        if st.clock[0]["exact_price"] == 1:
            ask, cost = float(plain(tariff)(st, o, i)), float(plain(cost_of)(st, o, i))
        varies = not isinstance(seller.cost_factor, Constant)
        cost *= float(own_factor(st, s, id_)) if varies else seller.cost_factor.mean
    cost += float(cell["fee"])  # of advertising, if it sells
    delay_cost, penalty = float(st.tasks[i]["delay_cost"]), seller.penalty

    def later(seconds: float) -> Quote:
        if not is_asked():
            raise ValueError("a quote looks ahead only while the rule is asked about its task")
        if not 0.0 <= seconds <= LONGEST:
            raise ValueError(f"a quote after {seconds} s; it must be from 0 to {LONGEST:,.0f} s")
        task, st = engine.state.tasks[i], engine.state
        delay = delay_cost * seconds
        if math.isinf(task["deadline"]) and math.isinf(task["patience"]):
            return replace(
                quote, utility=quote.utility - delay, worth=quote.worth - delay, _later=None
            )
        with np.errstate(over="ignore"):
            net, on_time, served, time, billed, kept, tilted = look_ahead(st, k, o, i, ask, seconds)
        then = net + taste - delay
        return replace(
            quote, utility=then, on_time=on_time, served=served, time=time, billed=billed,
            worth=then + ask * billed + tilted, cost=cost * served + penalty * (served - kept),
            _later=None,
        )  # fmt: skip

    served, billed = float(cell["served"]), float(cell["billed"])
    quote = Quote(
        offer=f"{seller.name}/{effort}", seller=seller.name, owner=seller.owned_by, effort=effort,
        ask=ask, utility=utility, taste=taste, accuracy=float(cell["accuracy"]),
        on_time=float(cell["timely"]), served=served, time=float(cell["time"]), billed=billed,
        # A price agreed for the task is the same however large it is: no `tilt` (`worth.bill`).
        worth=utility + ask * billed + float(cell["slope"] * cell["tilt"]),
        cost=cost * served + penalty * (served - float(cell["kept"])), _later=later,
    )  # fmt: skip
    return quote


@compiled
def own_taste(st: State, k: int, o: int, id_: np.uint64) -> float:
    """Return the taste of a task's buyer for an offer, USD."""
    return taste_for(st, k, o, id_)


@compiled
def outside_of(st: State, k: int, id_: np.uint64) -> float:
    """Return the taste of a task's buyer for doing without, USD."""
    return outside_taste(st, k, id_)


@compiled
def own_factor(st: State, s: int, id_: np.uint64) -> float:
    """Return what the cost of a task is multiplied by at a seller."""
    return factor_for(st, s, id_)


@compiled
def own_share(st: State, k: int, o: int, i: int, c: int) -> float:
    """Return the share of an offer's posted price that task i is asked under contract c."""
    return share_under(st, k, o, i, c)


@compiled
def look_ahead(
    st: State, k: int, o: int, i: int, ask: float, seconds: float
) -> tuple[float, float, float, float, float, float, float]:
    """Return what is expected of an offer by task i if it joins so many seconds later.

    That is (utility at the ask, taste and the delay until then apart; Pr(on time); Pr(served);
    E[T]; share of the price paid; Pr(promise kept); what refunds of the larger tasks add to the
    payment), by the law of the wait as it is now. The cell is left as it was.
    """
    cell, task, law = st.cells[k, o], st.tasks[i], st.works[k, o]
    if st.clock[0]["exact_price"] == 1:
        law = told_work(st, o, i)
    served, delta, used, timely = cell["served"], cell["delta"], cell["used"], cell["timely"]
    time, kept, billed, tilt = cell["time"], cell["kept"], cell["billed"], cell["tilt"]
    left = max(task["patience"] - seconds, 0.0)
    by_law(st, k, o, task["deadline"] - seconds, left, False, law)
    seller = st.sellers[st.seller_of[o]]
    utility = worth(cell, seller, ask, task["value"], st.classes[k]["loss"], task["delay_cost"])
    found = (
        utility, cell["timely"], cell["served"], cell["time"], cell["billed"], cell["kept"],
        cell["slope"] * cell["tilt"],
    )  # fmt: skip
    cell["served"], cell["delta"], cell["used"], cell["timely"] = served, delta, used, timely
    cell["time"], cell["kept"], cell["billed"], cell["tilt"] = time, kept, billed, tilt
    return found
