"""An event market that goes on for as long as somebody looks, in memory that does not grow.

What happened is kept in spells: sums over stretches of simulated time. When there are too many,
neighbours are joined, so that a day of watching takes no more room than a minute. Of the tasks
that ended, a keyed sample is kept, the last ones of each class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...agents.economy import Economy
from ...market.schema.market import Market
from ...market.state import FAILED, RENEGED, SERVED
from ..equilibrium.response import thinks

Floats = NDArray[np.float64]
SPELLS = 240
"""Spells kept at most."""
TASKS = 200
"""Tasks kept of each class."""
_SAMPLE = 4_000  # tasks of a class that are looked at in the time the scenario gives
NANO = 1e-9


@dataclass
class Spell:
    """What happened in a stretch of simulated time; K classes, O offers, W owners.

    Attributes:
        end: of the stretch, s.
        length: of it, s.
        asks: price of a mean task at its end, USD, shape [K, O].
        chosen: tasks given to an offer, doing without last, shape [K, O + 1].
        served: tasks served, shape [K, O].
        right: of them with a right answer, shape [K, O].
        late: of them too late, shape [K, O].
        reneged: tasks that left the queue, shape [K, O].
        failed: tasks that failed, shape [K, O].
        paid: by buyers for tasks, net of refunds and penalties, USD, shape [K, O].
        received: by owners, less commission, USD, shape [W].
        welfare: buyers' surplus, profits after fixed cost and the platform's revenue, USD.
    """

    end: float
    length: float
    asks: Floats
    chosen: Floats
    served: Floats
    right: Floats
    late: Floats
    reneged: Floats
    failed: Floats
    paid: Floats
    received: Floats
    welfare: float

    def joined(self, after: Spell) -> Spell:
        """Return this spell and the one after it as one."""
        both = {
            name: getattr(self, name) + getattr(after, name)
            for name in ("length", "chosen", "served", "right", "late", "reneged", "failed", "paid",
                         "received", "welfare")
        }  # fmt: skip
        return Spell(end=after.end, asks=after.asks, **both)


class LiveMarket:
    """A market that runs on and tells what happened.

    Args:
        market: the spec; its run's length does not count here. What happened in its warm-up is left
            out of `total` once that is over.
        seed: of all randomness.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> live = LiveMarket(Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)]), seed=3)
        >>> for _ in range(1_000):
        ...     live.advance(60.0)
        >>> live.now, len(live.spells) <= SPELLS, len(live.tasks(0)) == TASKS
        (60000.0, True, True)
    """

    def __init__(self, market: Market, seed: int) -> None:
        self.market = market
        expected = [market.arrival_rate(task) * market.run.until for task in market.tasks]
        share = [min(1.0, _SAMPLE / n) if n > 0 and np.isfinite(n) else 1.0 for n in expected]
        self.economy = Economy(market, seed, share=share, keep=self._keep)
        self.spells: list[Spell] = []
        self.total: Spell | None = None
        none = self.economy.engine.state.trades[:0].copy()
        self._rows: list[NDArray[Any]] = [none] * len(market.tasks)
        self._thinks = thinks(market)
        owners = list(dict.fromkeys(s.owned_by for s in market.sellers))
        of = [owners.index(s.owned_by) for s in market.sellers for _ in s.effort]
        self._owner_of, self._owners = np.array(of), len(owners)
        self._rent = np.array([s.rent for s in market.sellers]) / 3600.0
        self._fixed = np.array([s.fixed_cost for s in market.sellers]) / 3600.0

    @property
    def now(self) -> float:
        """Simulated time, s."""
        return float(self.economy.clock.now)

    def advance(self, seconds: float) -> None:
        """Let the market run on for so long, and note what happened.

        Raises:
            LedgerOverflowError: an account went beyond 4.6e9 USD.
        """
        self.economy.advance(self.now + seconds)
        engine = self.economy.engine
        engine.close_epoch()
        engine.flush()
        spell = self._spell(seconds)
        self.economy.forget()
        warmed = spell.end - spell.length < self.market.run.warmup <= spell.end
        self.total = spell if self.total is None or warmed else self.total.joined(spell)
        self.spells.append(spell)
        if len(self.spells) > SPELLS:
            pairs = zip(self.spells[::2], [*self.spells[1::2], None], strict=False)
            self.spells = [a if b is None else a.joined(b) for a, b in pairs]

    def tasks(self, k: int) -> NDArray[Any]:
        """Return the last tasks of the sample of class k that ended, rows of `TRADE`."""
        return self._rows[k]

    def _keep(self, rows: Any) -> None:
        rows = rows[rows["sampled"] == 1]
        for k in np.unique(rows["kind"]):
            both = np.concatenate([self._rows[k], rows[rows["kind"] == k]])
            self._rows[k] = both[-TASKS:]

    def _spell(self, seconds: float) -> Spell:
        state = self.economy.engine.state
        stats, each = state.stats, state.stats[:, :-1]
        count = {name: each[name].astype(np.float64)
                 for name in ("served", "right", "late", "reneged", "failed")}  # fmt: skip
        posted = ("paid", "refund", "penalty", "fee", "commission", "cost")
        money = {name: each[name] * NANO for name in posted}
        net = money["paid"] - money["refund"] - money["penalty"] + money["fee"]
        received = np.zeros(self._owners)
        np.add.at(received, self._owner_of, (net - money["commission"]).sum(axis=0))
        fixed = self._rent @ state.sellers["slot_time"] + self._fixed @ state.sellers["open_time"]
        gained = sum(float(stats[n].sum()) for n in ("value", "taste"))
        lost = sum(float(stats[n].sum()) for n in ("loss", "delay_cost", "search"))
        return Spell(
            end=self.now, length=seconds, asks=state.cells["ask"].copy(),
            chosen=stats["assigned"].astype(np.float64), paid=net, received=received,
            welfare=gained - lost - float(money["cost"].sum()) - float(fixed), **count,
        )  # fmt: skip

    def values(self, spell: Spell) -> dict[str, float]:
        """Return the key figures of a spell, as `numbers.of_selection` does; nan where none are."""
        given = spell.chosen[:, :-1].sum(axis=0)
        served, gone = spell.served.sum(), spell.reneged.sum() + spell.failed.sum()
        received = np.maximum(spell.received, 0.0)
        return {
            "welfare": spell.welfare / spell.length * 3600.0,
            "reasoning": _over(given[self._thinks].sum(), given.sum()),
            "miss": _over(spell.late.sum() + gone, served + gone),
            "price": _over(spell.paid.sum(), served),
            "hhi": _over(np.square(received).sum(), received.sum() ** 2),
        }


def ended(rows: NDArray[Any], offers: int, classes: int) -> tuple[Floats, ...]:
    """Return counts of tasks by what became of them, as `serving.outcomes` takes them.

    Args:
        rows: tasks that ended, rows of `TRADE`.
        offers: how many there are, O.
        classes: how many there are, K.

    Returns:
        served, right, late, reneged, failed, each [K, O], and who did without, [K].
    """
    given = rows[rows["offer"] >= 0]
    served = given[given["status"] == SERVED]

    def count(some: NDArray[Any]) -> Floats:
        found = np.zeros((classes, offers))
        np.add.at(found, (some["kind"], some["offer"]), 1.0)
        return found

    without = np.bincount(rows["kind"][rows["offer"] < 0], minlength=classes).astype(np.float64)
    return (
        count(served), count(served[served["right"] == 1]), count(served[served["late"] == 1]),
        count(given[given["status"] == RENEGED]), count(given[given["status"] == FAILED]), without,
    )  # fmt: skip


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
