"""What buyers of each class believe about each offer, and what it is worth to them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walras.market.quotes import expect, timely_work
from walras.market.schema.demand import HalfLife, Linear, TaskClass
from walras.market.schema.distributions import Constant, ShareOfValue
from walras.market.schema.market import Market, ScoringAuction
from walras.market.state import State
from walras.market.work import FIXED, WORK

from .station import LEVELS, Station
from .terms import Experience, Law, Terms, charge

FEW = 32
"""Up to so many offers lists are faster than arrays."""
RULES = {"hard": 0, "linear": 1, "halflife": 2}
Scores = list[float] | NDArray[np.float64]


class Outlook(NamedTuple):
    """Expectations of one buyer of one offer."""

    served: float
    delta: float
    used: float
    timely: float
    time: float
    kept: float
    early: float = 0.0


def constant(law: Any) -> bool:
    """Return whether a law of the spec draws the same for every task."""
    return (
        law is None or isinstance(law, Constant | ShareOfValue) or law.kind in ("none", "deadline")
    )


class Beliefs:
    """One class of buyers looking at all offers.

    Where all buyers of the class agree, the utilities are kept and renewed only for sellers that
    have changed (`stale`); elsewhere the expectations are kept, or only the laws.
    """

    def __init__(
        self, market: Market, k: int, tables: State, terms: list[Terms], stations: list[Station]
    ) -> None:  # fmt: skip
        spec: TaskClass = market.tasks[k]
        self.market, self.k, self.spec, self.tables = market, k, spec, tables
        self.terms, self.stations = terms, stations
        cells, count = tables.cells[k], len(terms)
        self.serving = [o for o in range(count) if cells[o]["serves"]]
        self.menu: dict[int, list[int]] = {}
        for o in self.serving:
            self.menu.setdefault(terms[o].seller, []).append(o)
        self.mean = tables.works["mean"].ravel().tolist()
        self.variance = tables.works["variance"].ravel().tolist()
        self.accuracy = cells["accuracy"].copy()
        self.claim = cells["claim"].tolist()
        self.tokens_in, self.billed_out = cells["tokens_in"].tolist(), cells["billed_out"].tolist()
        self.tie_key = tables.offers["tie_key"].tolist()
        self.rule = RULES[spec.lateness.kind]
        self.parameter = 0.0
        if isinstance(spec.lateness, Linear):
            self.parameter = spec.lateness.grace
        elif isinstance(spec.lateness, HalfLife):
            self.parameter = spec.lateness.half_life
        self.told = market.quotes.price == "exact"
        self.same_law = constant(spec.deadline) and constant(spec.patience) and not self.told
        self.alike = self.same_law and constant(spec.value) and constant(spec.delay_cost)
        auction = market.mechanism if isinstance(market.mechanism, ScoringAuction) else None
        self.auction, self.truthful = (
            auction is not None,
            auction is not None and auction.bid == "cost",
        )
        self.latency = market.quotes.latency
        self.past = [Experience(t.spec.speed, market.quotes.memory) for t in terms]
        self.laws = [Law(0.0, 0.0, 1.0, 1.0)] * count
        self.known: dict[tuple[int, Law], Outlook] = {}
        self.ask, self.cost, self.slope = np.zeros(count), np.zeros(count), np.zeros(count)
        self.shut = np.full(count, -np.inf)  # 0 on the market, −inf off it
        self.outlook = np.ones((7, count))
        self.fine, self.billed, self.asked = np.zeros(count), np.ones(count), np.zeros(count)
        self.more = np.zeros(count)
        self.penalty = np.array([t.spec.penalty for t in terms])
        self.base: Any = np.full(count, -np.inf)
        if count <= FEW:
            self.base = self.base.tolist()
        self.stale = set(range(len(stations)))
        self.order: list[int] = []
        self.set_asks()

    def set_asks(self) -> None:
        """Work out what a mean task is asked for and costs, and the platform's ranking."""
        for o in self.serving:
            sizes = self.tokens_in[o], self.billed_out[o]
            self.ask[o] = charge(self.terms[o].price, *sizes)
            self.cost[o] = charge(self.terms[o].cost, *sizes)
            if not self.auction and not self.told:
                cell, rates = self.tables.cells[self.k, o], self.terms[o].price
                self.slope[o] = rates[1] * cell["in_per_work"] + rates[2] * cell["out_per_work"]
        self.known.clear()
        by_price = self.market.platform.ranking == "price"
        asks = self.cost if self.truthful else self.ask
        merit = asks.tolist() if by_price else [-claim for claim in self.claim]
        self.order = sorted(self.serving, key=lambda o: (merit[o], self.tie_key[o]))
        self.stale.update(range(len(self.stations)))

    # --- laws -----------------------------------------------------------------------------------

    def observed(self, station: Station) -> Law:
        """Return the quote from the queue as it stands."""
        level = self.spec.priority if station.by_level else 0
        streams = len(station.running)
        if streams < station.slots:
            return Law(0.0, 0.0, 1.0, station.rate_of(streams + 1))
        if station.preempts(level):
            return Law(0.0, 0.0, 1.0, station.rate_of(streams))
        mean, variance = self.mean, self.variance
        work = spread = 0.0
        for cell, number in station.serving.items():
            work += number * mean[cell]
            spread += number * variance[cell]
        work /= streams
        spread /= streams
        for better in range(min(level + 1, LEVELS)):
            if station.waiting[better]:
                for cell, number in station.ahead[better].items():
                    work += number * mean[cell]
                    spread += number * variance[cell]
        rate = station.rate_of(streams)
        capacity = station.slots * rate
        wait, spread = work / capacity, spread / (capacity * capacity)
        shape = wait * wait / spread if spread > 1e-12 * wait * wait else 1e12
        return Law(1.0, wait, shape, rate)

    def believes_promise(self, o: int) -> bool:
        """Return whether the promise is the quote; in an auction an unbacked one is not."""
        return self.latency == "promised" and not (
            self.auction and self.terms[o].spec.penalty == 0.0
        )

    def promised(self, o: int, deadline: float) -> Outlook:
        """Return the outlook of a buyer who takes the promise at its word."""
        promise = self.terms[o].spec.promise
        assert promise is not None
        delta = self.delta(promise - deadline)
        return Outlook(1.0, delta, float(delta > 0.0), float(promise <= deadline), promise, 1.0)

    def delta(self, late: float) -> float:
        """Return the share of value left when so many seconds late."""
        if late <= 0.0:
            return 1.0
        if self.rule == 0:
            return 0.0
        if self.rule == 1:
            return max(0.0, 1.0 - late / self.parameter)
        return math.exp(-math.log(2.0) * late / self.parameter)

    def foresee(
        self, o: int, law: Law, deadline: float, patience: float, work: float | None = None
    ) -> Outlook:
        """Return a buyer's outlook under a law, of a task of the class or of this much work."""
        if self.believes_promise(o):
            return self.promised(o, deadline)
        return self.expected(o, law, deadline, patience, work)

    def expected(
        self, o: int, law: Law, deadline: float, patience: float, work: float | None = None
    ) -> Outlook:
        """Return the outlook of who knows the law of the queue."""
        spec, st, k = self.terms[o].spec, self.tables, self.k
        promise = math.inf
        if spec.promise is not None and spec.penalty > 0.0:
            promise = spec.promise
        cell = st.cells[k, o]
        usual = self.same_law and not self.believes_promise(o)
        reach = float(cell["reach"]) if usual and law.rate == cell["full_rate"] else 0.0
        outside, rates = self.terms[o].outside, st.works[k, o]
        if work is not None:
            rates = np.zeros(1, WORK)[0]
            rates["kind"], rates["shift"], rates["mean"] = FIXED, work, work
        early = 0.0
        tilted = bool(self.slope[o] and spec.refund_late and deadline < math.inf)
        if tilted:
            early = timely_work(law.chance, law.wait, law.shape, deadline - outside, law.rate,
                                patience, rates, st.rows, st.waits)  # fmt: skip
        outlook = Outlook(*expect(
            law.chance, law.wait, law.shape, outside, law.rate, patience, deadline, self.rule,
            self.parameter, promise, rates, st.rows, st.nodes[k, o], st.waits,
            st.ahead[cell["table"]], reach,
        ))  # fmt: skip
        if tilted:
            early -= float(rates["mean"]) * outlook.timely
        return outlook._replace(early=early)

    def billed_share(self, o: int, outlook: Outlook) -> float:
        """Return the expected share of the price that is paid and not refunded."""
        spec, right = self.terms[o].spec, float(self.accuracy[o])
        late, wrong = spec.refund_late, spec.refund_wrong
        in_time = outlook.timely
        overdue = outlook.served - in_time
        refund = overdue * (right * late + (1.0 - right) * max(late, wrong))
        return outlook.served - (refund + in_time * (1.0 - right) * wrong)

    def beyond(self, o: int, outlook: Outlook) -> float:
        """Return what is paid beyond ask times billed share: large tasks are the late ones."""
        spec, right = self.terms[o].spec, float(self.accuracy[o])
        late, wrong = spec.refund_late, spec.refund_wrong
        if_late = right * late + (1.0 - right) * max(late, wrong)
        return float(self.slope[o]) * (if_late - (1.0 - right) * wrong) * outlook.early

    def least(
        self, o: int, law: Law, deadline: float, patience: float, cost: float, outlook: Outlook,
        work: float | None = None,
    ) -> float:  # fmt: skip
        """Return the price that just covers what a seller expects; it knows its own queue."""
        if self.believes_promise(o):
            outlook = self.expected(o, law, deadline, patience, work)
        kept = self.billed_share(o, outlook) * (1.0 - self.market.platform.commission)
        fine = self.terms[o].spec.penalty * (outlook.served - outlook.kept)
        return (cost * outlook.served + fine) / kept if kept > 0.0 else math.inf

    # --- worth ----------------------------------------------------------------------------------

    def renew(self, deadline: float, patience: float) -> None:
        """Quote anew for the sellers that have changed."""
        for s in self.stale:
            offers = self.menu.get(s)
            if offers is None:
                continue
            station = self.stations[s]
            if station.down or not station.listed:
                for o in offers:
                    self.shut[o] = self.base[o] = -math.inf
                continue
            law = self.observed(station) if self.latency != "average" else None
            for o in offers:
                self.shut[o] = 0.0
                self.laws[o] = quote = self.past[o].law() if law is None else law
                if self.same_law:
                    self.look(o, quote, deadline, patience)
        self.stale.clear()

    def look(self, o: int, law: Law, deadline: float, patience: float) -> None:
        """Renew one offer's outlook and, where all buyers agree, its worth."""
        outlook = self.known.get((o, law))
        if outlook is None:
            if len(self.known) > 100_000:
                self.known.clear()
            self.known[o, law] = outlook = self.foresee(o, law, deadline, patience)
        billed = self.billed_share(o, outlook)
        fine = self.terms[o].spec.penalty * (outlook.served - outlook.kept)
        if self.truthful:
            self.asked[o] = self.least(o, law, deadline, patience, float(self.cost[o]), outlook)
        if not self.alike:
            self.outlook[:, o], self.billed[o], self.fine[o] = outlook, billed, fine
            self.more[o] = self.beyond(o, outlook)
            return
        value = self.spec.value.mean
        delay = self.spec.delay_cost
        cost = delay.per_second * value if isinstance(delay, ShareOfValue) else delay.mean
        right = float(self.accuracy[o])
        ask = float(self.asked[o] if self.truthful else self.ask[o])
        self.billed[o], self.asked[o] = billed, ask
        self.base[o] = -math.inf if ask == math.inf else (
            right * value * outlook.delta - (1.0 - right) * self.spec.loss * outlook.used
            - cost * outlook.time - (ask * billed + self.beyond(o, outlook) - fine)
        )  # fmt: skip

    def on_show(self, o: int) -> bool:
        """Return whether an offer is on the market; one that bids for no task is not."""
        silent = self.same_law and self.truthful and self.asked[o] == math.inf
        return bool(self.shut[o] == 0.0 and not silent)

    def bids(self, tokens_in: float, output: float) -> Any:
        """Return what all offers ask of a task: posted prices or truthful bids."""
        if self.alike or self.truthful:
            return self.asked
        if not self.told:
            return self.ask
        return np.array([
            charge(t.price, tokens_in, t.billed(output)) for t in self.terms
        ])  # fmt: skip

    def ask_around(self, deadline: float, patience: float, tokens_in: float, output: float) -> None:
        """Work out every offer's outlook and bid for one buyer's own terms."""
        for o in self.serving:
            if self.shut[o] != 0.0:
                continue
            terms, law = self.terms[o], self.laws[o]
            billed = terms.billed(output)
            work = tokens_in * terms.prefill + billed if self.told else None
            outlook = self.foresee(o, law, deadline, patience, work)
            self.outlook[:, o] = outlook
            self.billed[o] = self.billed_share(o, outlook)
            self.more[o] = self.beyond(o, outlook)
            if self.truthful:
                cost = charge(terms.cost, tokens_in, billed) if self.told else float(self.cost[o])
                self.asked[o] = self.least(o, law, deadline, patience, cost, outlook, work)
        self.fine = self.penalty * (self.outlook[0] - self.outlook[5])

    def worth(
        self, value: float, delay_cost: float, deadline: float, patience: float, tokens_in: float,
        output: float,
    ) -> Scores:  # fmt: skip
        """Return the expected utility of every offer to a buyer, −inf off the market."""
        if self.stale:
            self.renew(deadline, patience)
        if self.alike:
            return self.base  # type: ignore[no-any-return]
        if not self.same_law:
            self.ask_around(deadline, patience, tokens_in, output)
        _, delta, used, _, time, _, _ = self.outlook
        right = self.accuracy
        bids = self.bids(tokens_in, output)
        no_bid = np.isinf(bids)
        paid = np.where(no_bid, 0.0, bids) * self.billed + self.more - self.fine
        paid[no_bid] = np.inf
        utility = right * value * delta - (1.0 - right) * self.spec.loss * used
        utility = utility - delay_cost * time - paid + self.shut
        scores: Scores = utility.tolist() if len(utility) <= FEW else utility
        return scores
