"""The draws of a double auction: who shouts, what zero intelligence quotes, what costs are."""

from __future__ import annotations

from typing import Any

import numpy as np

from walras.market.rng import ADAPT, QUOTE, SHOUT, hashed, uniform


class Lots:
    """Draws by what they are for; a session's or a task's key comes first."""

    def __init__(self, tables: Any) -> None:
        """Take the market's key, the traders' and the sellers'."""
        self.key = np.uint64(tables.clock[0]["market_key"])
        self.trader = [np.uint64(t["key"]) for t in tables.traders]
        self.offer = [np.uint64(o["tie_key"]) for o in tables.offers]
        self.cost = [np.uint64(s["cost_key"]) for s in tables.sellers]

    def session(self, number: int) -> np.uint64:
        """Return the key of a session."""
        return hashed(self.key, number)

    def tail(self, key: Any, seller: int) -> float:
        """Return the probability of a higher cost factor than a seller's."""
        return float(uniform(hashed(key, self.cost[seller])))

    def turn(self, key: Any, trader: int) -> int:
        """Return the number that decides who shouts: the smallest."""
        return int(hashed(key, SHOUT, self.trader[trader]))

    def coin(self, key: Any, trader: int) -> int:
        """Return the number that decides between equal asks for one buyer: the largest."""
        return int(hashed(key, self.trader[trader]))

    def alone(self, id_: int) -> float:
        """Return the draw of a buyer that meets all asks at once."""
        return float(uniform(hashed(id_, QUOTE)))

    def quote(self, key: Any, trader: int) -> float:
        """Return the draw of a trader's quote."""
        return float(uniform(hashed(key, QUOTE, self.trader[trader])))

    def bid(self, id_: int, number: int) -> float:
        """Return the draw of a task's bid in a session."""
        return float(uniform(hashed(id_, QUOTE, number)))

    def ask(self, key: Any, offer: int) -> tuple[float, int]:
        """Return the draw of a seller's ask in a session, and its number among equal asks."""
        bits = hashed(key, QUOTE, self.offer[offer])
        return float(uniform(bits)), int(bits)

    def lesson(self, key: Any, trader: int) -> tuple[float, float]:
        """Return the draws with which a ZIP trader sets its target."""
        bits = hashed(key, ADAPT, self.trader[trader])
        return float(uniform(bits)), float(uniform(hashed(bits, ADAPT)))
