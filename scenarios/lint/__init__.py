"""Economic lint: what is allowed and yet hardly meant. Each rule gives its equation.

Rules use mean tasks and no queues (`scenarios.terms`), so they are warnings, never errors.
"""

from __future__ import annotations

from ...market.schema.errors import Problem, ordered
from ...market.schema.faults import Source
from ...market.schema.market import Market
from ..terms import Terms
from .auctions import AUCTION_RULES
from .contracts import CONTRACT_RULES
from .offers import OFFER_RULES
from .platform import PLATFORM_RULES
from .queues import QUEUE_RULES
from .reserves import RESERVE_RULES
from .rules import Rule
from .trading import TRADING_RULES

RULES: tuple[Rule, ...] = (
    *OFFER_RULES, *QUEUE_RULES, *PLATFORM_RULES, *CONTRACT_RULES, *TRADING_RULES, *AUCTION_RULES,
    *RESERVE_RULES,
)  # fmt: skip
"""All rules, in no particular order."""


def lint(market: Market, source: Source | None = None) -> list[Problem]:
    """Return what is allowed in a market and yet hardly meant, as warnings of all rules.

    `walras validate` says the same of a file. `print(problem.message)` reads one;
    `walras explain W203` gives its equation.

    Args:
        market: a valid market, from a file or made in Python.
        source: the file it comes from, to name lines.

    Returns:
        Warnings with `code`, `message` and `field`; none for a sound market.

    Example:
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> from walras.market.schema.arrivals import Poisson
        >>> market = Market(tasks=[TaskClass("ask", Poisson(1.0))], sellers=[Seller("one")])
        >>> [p.code for p in lint(market)]
        ['W203', 'W213']
    """
    where = source or Source({"tasks": [{"name": t.name} for t in market.tasks],
                              "sellers": [{"name": s.name} for s in market.sellers]})  # fmt: skip
    terms = Terms(market)
    return ordered(where.remark(*found) for rule in RULES for found in rule(terms))
