"""A class at an offer: how often it is right, the law of its work, and tables for its quotes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import quotes, rules, workload
from .accuracy import ability_for, class_accuracy
from .mechanisms.rating import start_rating
from .rules import HALFLIFE, HARD, LINEAR
from .schema.demand import TaskClass
from .schema.market import Market
from .schema.supply import Seller
from .sizes import Sizes, fill_work
from .state import CELL, OBSERVED, State
from .work import FIXED, SIZE_NODES, WORK


def _fill_accuracy(cell: Any, task: TaskClass, seller: Seller, thinking: float) -> None:
    """Fill what the cell knows of accuracy; `serves` stays 0 where nothing is known."""
    if not seller.serves(task.skill):
        return
    mean, sd = task.difficulty.mean, task.difficulty.sd
    cell["serves"], cell["ceiling"] = 1, 1.0
    if task.skill in seller.ability:
        item = seller.ability[task.skill]
        cell["floor"], cell["ceiling"] = item.floor, item.ceiling
        cell["skill"] = rules.ability(item.theta, item.beta, item.tau, thinking, seller.e0)
        true = class_accuracy(item.floor, item.ceiling, float(cell["skill"]), mean, sd)
    else:
        true = seller.accuracy.get(task.skill, seller.accuracy.get("*", 0.0))
        cell["skill"] = ability_for(true, mean, sd)
    cell["accuracy"] = cell["truth"] = true
    cell["claim"] = seller.claimed.get(task.skill, seller.claimed.get("*", true))


def _fill_slopes(
    cell: Any, sizes: Sizes, prefill: float, verbosity: float, variance: float
) -> None:
    """Fill how billed tokens go with work: the slopes of their regression on it."""
    if variance > 0.0:
        joint = sizes.covariance
        cell["in_per_work"] = (prefill * joint[0, 0] + verbosity * joint[0, 1]) / variance
        out = prefill * joint[0, 1] + verbosity * joint[1, 1]
        cell["out_per_work"] = verbosity * out / variance


def cells_of(market: Market, offers: Any, sellers: Any, traces: list[NDArray[np.float64]]) -> Any:
    """Return (cells, works, nodes, tabulated laws) of all classes at all offers."""
    shape = (len(market.tasks), len(offers))
    cells, works = np.zeros(shape, CELL), np.zeros(shape, WORK)
    nodes = np.zeros((*shape, SIZE_NODES))
    tables: list[NDArray[np.float64]] = []
    for k, task in enumerate(market.tasks):
        sizes = Sizes(task, traces[k])
        for o, offer in enumerate(offers):
            seller = market.sellers[offer["seller"]]
            cell = cells[k, o]
            _fill_accuracy(cell, task, seller, float(offer["thinking"]))
            start_rating(cell, market.platform.rating_prior)
            if market.quotes.accuracy == "claimed":
                cell["accuracy"] = cell["claim"]
            elif market.quotes.accuracy == "rated":
                cell["accuracy"] = cell["rating"]
            prefill = float(sellers[offer["seller"]]["prefill"])
            nodes[k, o] = fill_work(
                works[k, o], sizes, prefill, seller.verbosity, float(offer["thinking"]), tables
            )
            _fill_slopes(cell, sizes, prefill, seller.verbosity, float(works[k, o]["variance"]))
            cell["tokens_in"] = sizes.mean_input
            cell["billed_out"] = sizes.mean_output * seller.verbosity + offer["thinking"]
            cell["rate"], cell["pace"] = seller.speed, 1.0 / seller.speed
            cell["promise"] = np.inf
            cell["shape"] = cell["weight"] = cell["pace_weight"] = 1.0
            cell["served"] = cell["kept"] = cell["billed"] = 1.0
    rows = np.array(tables) if tables else np.zeros((1, 3, 2))
    return cells, works, nodes, rows


def tables_ahead(st: State) -> NDArray[np.float64]:
    """Tabulate what is left of a value after a wait, where all of a class share a deadline.

    Only for observed queues, at their full rate, of work that varies.
    """
    tables = [np.zeros((5, quotes.AHEAD + 1))]
    for k, o in np.ndindex(st.cells.shape):
        cell, kind, law = st.cells[k, o], st.classes[k], st.works[k, o]
        seller = st.sellers[st.offers[o]["seller"]]
        if not (cell["serves"] and kind["known"] and kind["deadline"]):
            continue
        if seller["quote"] != OBSERVED or math.isinf(seller["slots"]) or law["kind"] == FIXED:
            continue
        slack = float(st.laws[k, workload.DEADLINE]["a"] - kind["call"] - seller["outside"])
        grace = float(kind["late_parameter"])
        reach = slack + {HARD: 0.0, LINEAR: grace, HALFLIFE: 8.0 * grace}[int(kind["late_rule"])]
        if reach <= 0.0:
            continue
        cell["full_rate"] = rules.service_rate(
            float(seller["speed"]), float(seller["kappa"]), int(seller["slots"])
        )
        cell["reach"], cell["table"] = reach, len(tables)
        tables.append(np.zeros((5, quotes.AHEAD + 1)))
        quotes.fill_ahead(
            tables[-1], reach, slack, cell["full_rate"], kind["late_rule"], grace, law, st.rows,
            st.nodes[k, o],
        )  # fmt: skip
    return np.array(tables)
