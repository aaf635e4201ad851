"""What a Python rule is asked and told: the task, the offers on show, and what is left later.

A mechanism is told what both sides expect; whoever plays a buyer should not look at `cost`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .bids import factor_for
from .choice import ask_for, cost_of, outside_taste, taste_for, told_work
from .engine import Engine
from .messages import LONGEST, Ask, Quote
from .outlook import by_law, worth


def ask_of(engine: Engine, k: int, i: int) -> Ask:
    """Return the task in place i, of class k, as a rule is asked about it."""
    st = engine.state
    task, kind = st.tasks[i], st.classes[k]
    outside = -math.inf
    if kind["outside"] == 1:
        with np.errstate(over="ignore"):
            outside = float(outside_taste(st, k, task["id"]))
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
    cell, s = st.cells[k, o], int(st.offers[o]["seller"])
    seller = engine.market.sellers[s]
    effort = list(seller.effort)[o - int(st.sellers[s]["first"])]
    with np.errstate(over="ignore"):
        taste = float(taste_for(st, k, o, st.tasks[i]["id"]))
        ask = float(ask_for(st, k, o, i))
        cost = float(cost_of(st, o, i) if st.clock[0]["exact_price"] == 1 else cell["cost"])
        cost *= float(factor_for(st, s, st.tasks[i]["id"]))

    def later(seconds: float) -> Quote:
        if not is_asked():
            raise ValueError("a quote looks ahead only while the rule is asked about its task")
        if not 0.0 <= seconds <= LONGEST:
            raise ValueError(f"a quote after {seconds} s; it must be from 0 to {LONGEST:,.0f} s")
        return _later(engine, quote, k, o, i, cost, seconds)

    quote = Quote(
        offer=f"{seller.name}/{effort}", seller=seller.name, owner=seller.owned_by, effort=effort,
        ask=ask, utility=utility, taste=taste, accuracy=float(cell["accuracy"]),
        **_expected(cell, ask, cost, utility, seller.penalty), _later=later,
    )  # fmt: skip
    return quote


def _later(
    engine: Engine, quote: Quote, k: int, o: int, i: int, cost: float, seconds: float
) -> Quote:
    """Return the quote to a task that would join so much later; the cell stays as it is."""
    st = engine.state
    task, cell = st.tasks[i], st.cells[k, o]
    delay = float(task["delay_cost"]) * seconds
    if math.isinf(task["deadline"]) and math.isinf(task["patience"]):
        return replace(quote, utility=quote.utility - delay, worth=quote.worth - delay, _later=None)
    before, s = cell.copy(), int(st.offers[o]["seller"])
    with np.errstate(over="ignore"):
        work = told_work(st, o, i) if st.clock[0]["exact_price"] == 1 else st.works[k, o]
        left, patience = float(task["deadline"]) - seconds, float(task["patience"])
        by_law(st, k, o, left, max(patience - seconds, 0.0), False, work)
        utility = quote.taste - delay + float(worth(
            cell, st.sellers[s], quote.ask, task["value"], st.classes[k]["loss"],
            task["delay_cost"],
        ))  # fmt: skip
    expected = _expected(cell, quote.ask, cost, utility, engine.market.sellers[s].penalty)
    st.cells[k, o] = before
    return replace(quote, utility=utility, **expected, _later=None)


def _expected(
    cell: Any, ask: float, cost: float, utility: float, penalty: float
) -> dict[str, float]:
    """Return what a quote says of an offer's expectations, by the names of its fields."""
    served, billed = float(cell["served"]), float(cell["billed"])
    return {
        "on_time": float(cell["timely"]), "served": served, "time": float(cell["time"]),
        "billed": billed, "cost": cost * served + penalty * (served - float(cell["kept"])),
        # A price agreed for the task is the same however large it is: no `tilt` (`outlook._bill`).
        "worth": utility + ask * billed + float(cell["slope"] * cell["tilt"]),
    }  # fmt: skip
