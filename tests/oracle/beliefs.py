"""What buyers of each class believe about each offer, and what it is worth to them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walras.market.quotes import expect, timely_work
from walras.market.schema.auctions import ScoringAuction, bidding_of, sealed
from walras.market.schema.demand import HalfLife, Linear, TaskClass
from walras.market.schema.distributions import Constant, ShareOfValue
from walras.market.schema.market import Market
from walras.market.schema.trading import DOUBLE
from walras.market.state import State
from walras.market.work import FIXED, WORK

from .bidding import STEPS, announced, best_rival, slot_cost, upper
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


class Look(NamedTuple):
    """What one look at an offer tells: the outlook, the ask, the share billed, what it scores."""

    outlook: Outlook
    ask: float
    billed: float
    score: float


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
        self.know_the_rules()
        self.latency = market.quotes.latency
        self.past = [Experience(t.spec.speed, market.quotes.memory) for t in terms]
        self.laws = [Law(0.0, 0.0, 1.0, 1.0)] * count
        self.known: dict[tuple[int, Law, float], Look] = {}
        self.ask, self.cost, self.slope = np.zeros(count), np.zeros(count), np.zeros(count)
        self.shut = np.full(count, -np.inf)  # 0 on the market, −inf off it
        self.seen = [Outlook(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)] * count
        self.outlook = np.ones((7, count))  # the same as an array, where buyers differ
        self.fine, self.billed, self.asked = np.zeros(count), np.ones(count), np.zeros(count)
        self.more = np.zeros(count)
        self.penalty = np.array([t.spec.penalty for t in terms])
        self.base: Any = np.full(count, -np.inf)
        if count <= FEW:
            self.base = self.base.tolist()
        self.stale = set(range(len(stations)))
        self.order: list[int] = []
        self.set_asks()

    def know_the_rules(self) -> None:
        """Note how sellers bid, what the buyer announces, and how long a call takes at first."""
        self.auction = auction = sealed(self.market.mechanism)
        self.rules = [bidding_of(auction, t.spec) if auction else None for t in self.terms]
        self.made = [rule is not None and rule.kind != "price" for rule in self.rules]
        self.by_slots = [rule is not None and rule.kind == "opportunity" for rule in self.rules]
        self.private = any(
            made and not constant(t.spec.cost_factor)
            for made, t in zip(self.made, self.terms, strict=True)
        )
        self.alike = self.same_law and constant(self.spec.value) and constant(self.spec.delay_cost)
        self.alike = self.alike and not self.private
        scoring = auction if isinstance(auction, ScoringAuction) else None
        self.linear = scoring.linear if scoring else 1.0
        self.quadratic = scoring.quadratic if scoring else 0.0
        self.plainly = self.linear == 1.0 and self.quadratic == 0.0
        self.bids_promises = scoring is not None and scoring.promise == "bid"
        self.promises = np.full(len(self.terms), math.inf)
        delay = self.spec.delay_cost
        self.mean_delay = (
            delay.per_second * self.spec.mean_value
            if isinstance(delay, ShareOfValue)
            else delay.mean
        )
        self.call, self.tabled = 0.0, True

    def set_asks(self) -> None:
        """Work out what a mean task is asked for and costs, and the platform's ranking."""
        for o in self.serving:
            sizes = self.tokens_in[o], self.billed_out[o]
            self.ask[o] = charge(self.terms[o].price, *sizes)
            self.cost[o] = charge(self.terms[o].cost, *sizes)
            if not self.auction and not self.told:
                cell, rates = self.tables.cells[self.k, o], self.terms[o].price
                self.slope[o] = rates[1] * cell["in_per_work"] + rates[2] * cell["out_per_work"]
                if isinstance(self.market.mechanism, DOUBLE):  # tokens of the commodity
                    verbosity = self.terms[o].verbosity
                    self.slope[o] = cell["in_per_work"] + cell["out_per_work"] / verbosity
        self.known.clear()
        by_price = self.market.platform.ranking == "price"
        means = np.array([t.spec.cost_factor.mean for t in self.terms])
        asks = np.where(self.made, self.cost * means, self.ask)
        merit = asks.tolist() if by_price else [-claim for claim in self.claim]
        self.order = sorted(self.serving, key=lambda o: (merit[o], self.tie_key[o]))
        self.stale.update(range(len(self.stations)))

    # --- laws -----------------------------------------------------------------------------------

    def observed(self, station: Station, level: int | None = None) -> Law:
        """Return the quote from the queue as it stands, at the class's level or another."""
        if level is None:
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

    def best_promise(
        self, o: int, law: Law, deadline: float, patience: float, work: float | None
    ) -> float:  # fmt: skip
        """Return the promise that scores best, for a buyer of mean value and delay cost."""
        st = self.tables
        mean = st.works[self.k, o]["mean"] if work is None else work
        usual = self.terms[o].outside + law.chance * law.wait + mean / law.rate
        tries = [deadline, *(usual * 2.0 ** (step / 2 - 1) for step in range(STEPS))]
        best, top = usual, -math.inf
        cost = float(self.cost[o]) * self.terms[o].spec.cost_factor.mean
        for promise in tries:
            if not 0.0 < promise < math.inf:
                continue
            outlook = self.promised(promise, deadline)
            self.promises[o] = promise
            ask = self.least(o, law, deadline, patience, cost, outlook, work)
            score = self.score(o, outlook, ask, self.spec.mean_value, self.mean_delay)
            if score > top:
                best, top = promise, score
        return float(best)

    def score(self, o: int, outlook: Outlook, ask: float, value: float, delay: float) -> float:
        """Return what an offer scores at a price, as announced."""
        before = self.before(o, outlook, value, delay)
        if ask == math.inf:
            return -math.inf
        told = before if self.plainly else announced(before, self.linear, self.quadratic)
        return told - ask * self.billed_share(o, outlook)

    def before(self, o: int, outlook: Outlook, value: float, delay: float) -> float:
        """Return the expected utility of an offer before price; penalties come on top."""
        right = float(self.accuracy[o])
        good = right * value * outlook.delta - (1.0 - right) * self.spec.loss * outlook.used
        fine = self.terms[o].spec.penalty * (outlook.served - outlook.kept)
        return good - delay * outlook.time - (self.beyond(o, outlook) - fine)

    def promised(self, promise: float, deadline: float) -> Outlook:
        """Return the outlook of a buyer who takes the promise at its word."""
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
        self, o: int, law: Law, deadline: float, patience: float, work: float | None = None,
        usual: bool = True,
    ) -> Outlook:  # fmt: skip
        """Return a buyer's outlook under a law, of a task of the class or of this much work."""
        if self.believes_promise(o):
            promise = self.terms[o].spec.promise
            if self.bids_promises:
                promise = self.best_promise(o, law, deadline, patience, work)
            assert promise is not None
            self.promises[o] = promise
            return self.promised(promise, deadline)
        return self.expected(o, law, deadline, patience, work, usual)

    def expected(
        self, o: int, law: Law, deadline: float, patience: float, work: float | None = None,
        usual: bool = True,
    ) -> Outlook:  # fmt: skip
        """Return the outlook of who knows the law of the queue."""
        spec, st, k = self.terms[o].spec, self.tables, self.k
        promise = math.inf
        if spec.penalty > 0.0 and self.bids_promises:
            promise = float(self.promises[o])
        elif spec.penalty > 0.0 and spec.promise is not None:
            promise = spec.promise
        cell = st.cells[k, o]
        usual = usual and self.same_law and self.tabled and not self.believes_promise(o)
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
        cost += self.slot_cost(o)
        if self.believes_promise(o):
            outlook = self.expected(o, law, deadline, patience, work)
        kept = self.billed_share(o, outlook) * (1.0 - self.market.platform.commission)
        fine = self.terms[o].spec.penalty * (outlook.served - outlook.kept)
        return (cost * outlook.served + fine) / kept if kept > 0.0 else math.inf

    def bid(
        self, o: int, law: Law, deadline: float, patience: float, outlook: Outlook, tail: float,
        sizes: tuple[float, float] | None = None,
    ) -> float:  # fmt: skip
        """Return what an offer bids, for a task of these tokens read and billed or a mean one."""
        terms, rule = self.terms[o], self.rules[o]
        assert rule is not None
        if rule.kind == "price":
            return charge(terms.price, *sizes) if sizes else float(self.ask[o])
        cost = charge(terms.cost, *sizes) if sizes else float(self.cost[o])
        work = sizes[0] * terms.prefill + sizes[1] if sizes else None

        def at(factor: float) -> float:
            return self.least(o, law, deadline, patience, cost * factor, outlook, work)

        least = at(upper(terms.spec.cost_factor, tail))
        if rule.kind == "markup":
            return least * (1.0 + rule.rate)
        return least

    def rivals_bid(
        self, o: int, times: tuple[float, float], outlook: Outlook, tail: float, limit: float,
        sizes: tuple[float, float] | None,
    ) -> float:  # fmt: skip
        """Return what the best rival is expected to ask, of sellers alike that ask more."""
        terms, rule = self.terms[o], self.rules[o]
        cost = charge(terms.cost, *sizes) if sizes else float(self.cost[o])
        work = sizes[0] * terms.prefill + sizes[1] if sizes else None
        found = [
            (self.least(o, self.laws[o], *times, cost * upper(terms.spec.cost_factor, tail * x),
                        outlook, work), weight)
            for x, weight in best_rival(rule.bidders)  # type: ignore[union-attr]
        ]  # fmt: skip
        return sum(min(price, limit) * weight for price, weight in found)

    # --- worth ----------------------------------------------------------------------------------

    def renew(self, deadline: float, patience: float) -> None:
        """Quote anew for the sellers that have changed."""
        for s in self.stale:
            offers = self.menu.get(s)
            if offers is None:
                continue
            station = self.stations[s]
            if station.down or not station.listed or self.silent(s):
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
        # The law says all that matters, but for bids that depend on how many slots are taken.
        key = o, law, self.slot_cost(o) if self.by_slots[o] else 0.0
        known = None if self.bids_promises else self.known.get(key)
        if known is None:
            if len(self.known) > 100_000:
                self.known.clear()
            self.known[key] = known = self.look_closely(o, law, deadline, patience)
        self.seen[o], self.asked[o], self.billed[o], score = known
        if self.alike:
            self.base[o] = score
            return
        outlook = self.seen[o]
        self.outlook[:, o], self.more[o] = outlook, self.beyond(o, outlook)
        self.fine[o] = self.terms[o].spec.penalty * (outlook.served - outlook.kept)

    def look_closely(self, o: int, law: Law, deadline: float, patience: float) -> Look:
        """Work out what a look at an offer tells."""
        outlook = self.foresee(o, law, deadline, patience)
        ask = float(self.ask[o])
        if self.auction:
            ask = self.bid(o, law, deadline, patience, outlook, 0.5)
        score = self.score(o, outlook, ask, self.spec.mean_value, self.mean_delay)
        return Look(outlook, ask, self.billed_share(o, outlook), score)

    def slot_cost(self, o: int) -> float:
        """Return what one more taken slot costs an offer's seller in sales lost, USD."""
        station = self.stations[self.terms[o].seller]
        taken = len(station.running) + sum(station.waiting)
        return slot_cost(self.rules[o], station.slots, taken)

    def on_show(self, o: int) -> bool:
        """Return whether an offer is on the market; one that bids for no task is not."""
        silent = self.same_law and self.made[o] and self.asked[o] == math.inf
        return bool(self.shut[o] == 0.0 and not silent)

    def bids(self, tokens_in: float, output: float) -> Any:
        """Return what all offers ask of a task: posted prices or truthful bids."""
        if self.alike or self.auction:
            return self.asked
        if not self.told:
            return self.ask
        return np.array([
            charge(t.price, tokens_in, t.billed(output)) for t in self.terms
        ])  # fmt: skip

    def ask_around(
        self, deadline: float, patience: float, tokens_in: float, output: float,
        tails: list[float],
    ) -> None:  # fmt: skip
        """Work out every offer's outlook and bid for one buyer's own terms."""
        for o in self.serving:
            if self.shut[o] != 0.0:
                continue
            terms, law = self.terms[o], self.laws[o]
            billed = terms.billed(output)
            work = tokens_in * terms.prefill + billed if self.told else None
            outlook = self.foresee(o, law, deadline, patience, work, usual=False)
            self.seen[o] = outlook
            self.outlook[:, o] = outlook
            self.billed[o] = self.billed_share(o, outlook)
            self.more[o] = self.beyond(o, outlook)
            if self.auction:
                sizes = (tokens_in, billed) if self.told else None
                tail = tails[terms.seller]
                self.asked[o] = self.bid(o, law, deadline, patience, outlook, tail, sizes)
        self.fine = self.penalty * (self.outlook[0] - self.outlook[5])

    def worth(
        self, value: float, delay_cost: float, deadline: float, patience: float, tokens_in: float,
        output: float, tails: list[float], alone: bool = False,
    ) -> Scores:  # fmt: skip
        """Return what every offer scores with a buyer, −inf off the market.

        `tails` are what the sellers have drawn for their costs; `alone` says that this buyer's
        call took another time than those of its class do now.
        """
        if self.stale:
            self.renew(*self.usual_times())
        if self.alike and not alone:
            return self.base  # type: ignore[no-any-return]
        if not self.same_law or alone:
            self.ask_around(deadline, patience, tokens_in, output, tails)
            if self.same_law:  # the next buyer's outlook is that of the class again
                self.stale.update(range(len(self.stations)))
        elif self.private:
            for o in self.serving:
                if self.shut[o] == 0.0:
                    tail, seen = tails[self.terms[o].seller], self.seen[o]
                    self.asked[o] = self.bid(o, self.laws[o], deadline, patience, seen, tail)
        _, delta, used, _, time, _, _ = self.outlook
        right = self.accuracy
        bids = self.bids(tokens_in, output)
        no_bid = np.isinf(bids)
        paid = np.where(no_bid, 0.0, bids) * self.billed
        paid[no_bid] = np.inf
        utility = right * value * delta - (1.0 - right) * self.spec.loss * used
        utility = utility - delay_cost * time - (self.more - self.fine)
        if not self.plainly:
            utility = np.array([announced(u, self.linear, self.quadratic) for u in utility])
        utility = utility - paid + self.shut
        scores: Scores = utility.tolist() if len(utility) <= FEW else utility
        return scores

    # --- calls ----------------------------------------------------------------------------------

    def silent(self, s: int) -> bool:
        """Return whether a seller's bids come after the deadline of the call."""
        return bool(self.auction) and self.answer(s) > self.last_call()

    def answer(self, s: int) -> float:
        """Return how long after the call a seller's bid is there."""
        spec = self.market.sellers[s]
        assert self.auction
        own = self.auction.bid_time if spec.bid_time is None else spec.bid_time
        return own + spec.network_time

    def last_call(self) -> float:
        """Return the deadline of a call."""
        assert self.auction
        return math.inf if self.auction.call is None else self.auction.call

    def time_call(self) -> bool:
        """Work out how long a call takes with the sellers now there; return whether that is new."""
        if not self.auction:
            return False
        there = [s for s in self.menu if self.stations[s].listed and not self.stations[s].down]
        call = min(max(map(self.answer, there), default=0.0), self.last_call())
        changed = call != self.call
        self.call = call
        if changed:
            self.known.clear()
            self.stale.update(range(len(self.stations)))
        return changed

    def usual_times(self) -> tuple[float, float]:
        """Return what is left of the class's deadline and patience after the call, if constant."""
        spec = self.spec
        deadline = math.inf if spec.deadline is None else spec.deadline.mean - self.call
        if spec.patience.kind == "none":
            return deadline, math.inf
        if spec.patience.kind == "deadline":
            return deadline, max(deadline, 0.0)
        return deadline, max(spec.patience.mean - self.call, 0.0)
