"""Lint of contracts: terms nobody gains by, windows nobody meets, periods cut short or too many."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...market.schema.arrivals import Closed
from ...market.schema.contracts import Contract
from ...market.schema.distributions import Constant
from ...market.schema.entries import Path
from ...market.schema.supply import Seller
from ..terms import Terms
from .rules import Found, Rule

_ROUNDING = 1e-9
_MOST_CHOICES = 1e6
_CROWD = 3000
"""Customers whose choices take as long as what a class takes whoever chooses, 0.8 ms a period."""


def _contracts(terms: Terms) -> Iterator[tuple[Path, Seller, str, Contract]]:
    for s, seller in enumerate(terms.market.sellers):
        for name, contract in seller.contracts.items():
            yield ("sellers", s, "contracts", name), seller, name, contract


def useless_contracts(terms: Terms) -> Found:
    """W231: rate ≥ 1 and fee ≥ quota · p, p the highest price per token, and nothing else is given.

    No level before every class's own, no time, no success: whatever is used, pay-as-you-go costs
    no more. A seller whose price may rise is left out.
    """
    moving = {e.seller for e in terms.market.events}
    for path, seller, name, contract in _contracts(terms):
        if seller.pricing is not None or seller.name in moving or contract.on_success:
            continue
        first = min((t.task.priority for t in terms.of_seller(seller)), default=0)
        if contract.within is not None or (contract.level is not None and contract.level <= first):
            continue
        per_token = max(seller.price.input, seller.price.output) / 1e6
        if seller.price.task > 0:
            per_token = math.inf
        covered = contract.quota * per_token if contract.quota > 0 else 0.0
        if contract.rate >= 1 and contract.fee >= covered * (1 - _ROUNDING):
            text = (
                f"contract `{name}` of `{seller.name}`: nobody gains by it; its fee buys "
                f"{covered:.4g} USD at most at the posted price, and the rest is no cheaper"
            )
            yield "W231", path, text


def lonely_customers(terms: Terms) -> Found:
    """W232: customers > 1 or a usage that varies, and no seller offers a contract."""
    if terms.market.contracts:
        return
    for k, task in enumerate(terms.market.tasks):
        if task.customers > 1 or not isinstance(task.usage, Constant):
            text = (
                f"task class `{task.name}`: which customer brings a task matters for contracts "
                "only, and no seller offers one"
            )
            yield "W232", ("tasks", k, "customers"), text


def broken_periods(terms: Terms) -> Found:
    """W233: fees > 0, and until or warm-up is no whole number of periods.

    Fees are due at the start of a period: means then count a whole fee for a part of a period.
    """
    run, period = terms.market.run, terms.market.platform.contract_period
    if not any(contract.fee > 0 for *_, contract in _contracts(terms)):
        return
    for name, time in (("until", run.until), ("warmup", run.warmup)):
        periods = time / period
        if abs(periods - round(periods)) > _ROUNDING * max(periods, 1.0):
            text = (
                f"run.{name} of {time:.4g} s is {periods:.4g} contract periods; means count whole "
                "fees for the part of a period"
            )
            yield "W233", ("run", name), text


def async_in_line(terms: Terms) -> Found:
    """W234: a contract gives a time (`within`), and the seller serves first come, first served."""
    for path, seller, name, contract in _contracts(terms):
        if contract.within is not None and seller.discipline == "fcfs":
            text = (
                f"contract `{name}` of `{seller.name}`: its tasks can wait, but are served in line "
                'with all others; discipline "priority" lets them stand aside'
            )
            yield "W234", (*path, "within"), text


def idle_contracts(terms: Terms) -> Found:
    """W235: a contract of a seller that no task class needs: there is nobody to pay the fee."""
    for path, seller, name, _ in _contracts(terms):
        if not terms.of_seller(seller):
            text = (
                f"contract `{name}` of `{seller.name}`: nobody will take it; no task class needs a "
                "skill the seller has"
            )
            yield "W235", path, text


def impossible_windows(terms: Terms) -> Found:
    """W236: within < network + start-up + E[S] of every class: answers are late, and not billed."""
    for path, seller, name, contract in _contracts(terms):
        mine = [t.latency for t in terms.of_seller(seller) if math.isfinite(t.latency)]
        if contract.within is not None and mine and min(mine) > contract.within:
            text = (
                f"contract `{name}` of `{seller.name}`: within {contract.within:.4g} s no mean "
                f"answer comes, the fastest takes {min(mine):.4g} s with nobody waiting"
            )
            yield "W236", (*path, "within"), text


def few_per_customer(terms: Terms) -> Found:
    """W237: λ · period / customers < 1: most customers bring nothing in a period to judge by."""
    if not terms.market.contracts:
        return
    period = terms.market.platform.contract_period
    for k, task in enumerate(terms.market.tasks):
        if isinstance(task.arrivals, Closed) or not math.isfinite(task.arrivals.mean_rate):
            continue
        each = task.arrivals.mean_rate * period / task.customers
        if each < 1:
            text = (
                f"task class `{task.name}`: a customer brings {each:.3g} tasks in a contract "
                f"period of {period:.4g} s; most will learn of no bill"
            )
            yield "W237", ("tasks", k, "customers"), text


def many_periods(terms: Terms) -> Found:
    """W238: until / period · Σ (1 + customers / 3,000) over classes > 10⁶: a quarter of an hour."""
    market = terms.market
    until, period = market.run.until, market.platform.contract_period
    if not market.contracts:
        return
    count = until / period * sum(1 + task.customers / _CROWD for task in market.tasks)
    if count > _MOST_CHOICES:
        text = (
            f"a contract period of {period:.3g} s means {until / period:.1g} periods in the run; "
            f"for all customers to choose in each takes some {count * 0.8e-3 / 3600:.3g} hours"
        )
        yield "W238", ("platform", "contract_period"), text


CONTRACT_RULES: tuple[Rule, ...] = (
    useless_contracts, lonely_customers, broken_periods, async_in_line, idle_contracts,
    impossible_windows, few_per_customer, many_periods,
)  # fmt: skip
