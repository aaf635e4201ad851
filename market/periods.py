"""Between the periods of contracts: what one would be worth, and who takes which."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contracts import expect_under
from .jit import compiled
from .ledger import LIMIT, post
from .outlook import by_law
from .rng import USAGE, hash2, hashed
from .rules import share_of
from .sampling import LAW, law_row, quantile_table, sample
from .schema.arrivals import Closed
from .schema.distributions import Quantiles
from .schema.market import Market
from .state import CONTRACT, CUSTOMER, LEVELS, MET, State


@compiled
def prospect(
    st: State, k: int, o: int, c: int, chance: float, wait: float, rate: float, deadline: float,
    patience: float,
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Return what a class expects of an offer under a contract (−1: none) and a law of the wait.

    (E[δ], Pr(δ > 0), E[T] in s, share of the price that is paid, expected penalty in USD, what
    refunds to the large tasks add to the payment, USD). With a chance there is a wait, exponential
    with this mean (s); service runs at `rate` tokens/s.
    """
    cell, seller = st.cells[k, o], st.sellers[st.offers[o]["seller"]]
    st.spare[0] = cell
    st.told[0] = st.works[k, o]
    cell["chance"], cell["wait"], cell["shape"], cell["rate"] = chance, wait, 1.0, rate
    if c >= 0:
        expect_under(st, k, o, c, deadline, patience)
    else:
        by_law(st, k, o, deadline, patience, False, st.told[0])
    found = (
        cell["delta"], cell["used"], cell["time"], cell["billed"],
        seller["penalty"] * (cell["served"] - cell["kept"]), cell["slope"] * cell["tilt"],
    )  # fmt: skip
    st.cells[k, o] = st.spare[0]
    return found


def take_contracts(st: State, k: int, holds: NDArray[np.int64]) -> None:
    """Let the customers of a class hold these contracts (−1: none) for a period, fees due now.

    Each fee is rounded once; the platform keeps round(rate · fee), the seller the remainder.
    """
    kind, books = st.classes[k], st.ledger
    mine = st.customers[kind["member"] : kind["member"] + kind["customers"]]
    mine["holds"] = holds
    mine["quota"] = np.append(st.contracts["quota"], 0.0)[holds]
    platform = len(st.classes) + len(st.sellers)
    for c, count in enumerate(np.bincount(holds[holds >= 0], minlength=len(st.contracts))):
        contract = st.contracts[c]
        fee, s = int(contract["fee"]), int(contract["seller"])
        if fee == 0 or count == 0:
            continue
        kept = int(share_of(fee, st.clock[0]["commission"]))
        for payee, each in ((platform, kept), (len(st.classes) + s, fee - kept)):
            post(books, k, payee, min(int(count) * each, LIMIT + 1))
        if books[-1] == 0:
            stat = st.stats[k, st.sellers[s]["first"]]
            stat["fee"] += int(count) * fee
            stat["commission"] += int(count) * kept


@compiled
def _fill_usage(customers: Any, key: np.uint64, law: Any, tables: NDArray[np.float64]) -> None:
    """Draw each customer's use and fill in the shares of the tasks up to each."""
    total = 0.0
    for j in range(len(customers)):
        total += sample(law, tables, hash2(key, np.uint64(j)))
        customers[j]["upto"] = total
    for j in range(len(customers)):
        if total > 0.0:
            customers[j]["upto"] /= total
        else:
            customers[j]["upto"] = (j + 1.0) / len(customers)
    customers[len(customers) - 1]["upto"] = 1.0


def parts_of(market: Market, classes: Any) -> tuple[Any, Any, Any]:
    """Return (contracts, customers, what was met) of a market before its first period."""
    contracts = np.zeros(len(market.contracts), CONTRACT)
    terms = [(s, seller, c) for s, seller in enumerate(market.sellers)
             for c in seller.contracts.values()]  # fmt: skip
    for row, (s, seller, c) in zip(contracts, terms, strict=True):
        row["seller"], row["rate"], row["quota"] = s, c.rate, c.quota
        row["level"], row["success"] = c.level_at(seller.discipline), int(c.on_success)
        row["within"] = math.inf if c.within is None else c.within
        row["fee"] = round(c.fee * 1e9)
    counts = [
        t.arrivals.users if isinstance(t.arrivals, Closed) else t.customers for t in market.tasks
    ]
    if not terms:
        counts = [0] * len(counts)
    customers = np.zeros(max(sum(counts), 1), CUSTOMER)
    customers["holds"] = -1
    first = 0
    for kind, task, count in zip(classes, market.tasks, counts, strict=True):
        kind["member"], kind["customers"] = first, count
        if count:
            found: list[Quantiles] = []
            law = np.zeros(1, LAW)
            law[0] = law_row(task.usage, found)
            with np.errstate(over="ignore"):
                _fill_usage(
                    customers[first : first + count], hashed(int(kind["key"]), USAGE), law[0],
                    quantile_table(found),
                )  # fmt: skip
        first += count
    return contracts, customers, np.zeros((len(market.sellers), LEVELS), MET)
