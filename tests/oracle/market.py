"""The whole market: tasks come, buyers choose, sellers serve, money moves."""

from __future__ import annotations

import math
from itertools import compress
from operator import add
from typing import Any, NamedTuple

import numpy as np

from walras.market.schema.auctions import ScoringAuction, sealed
from walras.market.schema.demand import Logit
from walras.market.schema.market import Market
from walras.market.schema.trading import DOUBLE
from walras.market.state import State

from .beliefs import FEW, Beliefs, Scores
from .bidding import best_rival, upper
from .calendar import AGENT, ARRIVAL, RANKS, RENEGE, Calendar
from .draws import Draws
from .events import Event
from .exchange import Exchange
from .station import Process, Station
from .task import Task
from .terms import Terms, charge

STATUS = {"served": 0, "balked": 1, "reneged": 2, "failed": 3}


class Choice(NamedTuple):
    """What a buyer chose: an offer or −1, at a price."""

    id: int
    offer: int
    price: float
    utility: float


class Trade(NamedTuple):
    """How a task ended; the names are those of the kernel's rows, money is in nano-dollars."""

    id: int
    kind: int
    offer: int
    status: int
    right: bool
    late: bool
    arrival: float
    start: float
    finish: float
    wait: float
    sojourn: float
    price: int
    refund: int
    penalty: int
    commission: int
    returned: int
    cost: int
    taste: float
    utility: float
    surplus: float
    advertising: int = 0
    search: float = 0.0


def nano(usd: float) -> int:
    """Return nano-dollars, rounded half-even (as `round` does)."""
    return round(usd * 1e9)


class Simulation:
    """A market to be run once."""

    believes: type[Beliefs] = Beliefs

    def __init__(
        self, market: Market, tables: State, draws: Draws, events: list[Event],
        ranks: tuple[int, int, int, int] = RANKS,
    ) -> None:  # fmt: skip
        """Take the spec, its tables (not touched), all draws and the agents' events."""
        self.market, self.draws, self.events = market, draws, events
        self.calendar = calendar = Calendar(ranks)
        self.trades: list[Trade] = []
        self.choices: list[Choice] = []
        self.fees: list[tuple[int, int, int, int]] = []  # class, seller, fee, commission on it
        self.in_system = 0
        owners: dict[str, int] = {}
        self.terms = [
            Terms(market, s, effort, owners.setdefault(seller.owned_by, len(owners)))
            for s, seller in enumerate(market.sellers)
            for effort in seller.effort
        ]
        self.owner = [t.owner for t in self.terms]
        self.owners = np.array(self.owner)
        self.rivals_of = [[owner != mine for owner in self.owner] for mine in range(len(owners))]
        self.few = len(self.terms) <= FEW
        self.beliefs: list[Beliefs] = []
        self.stations = [
            Station(calendar, seller, self.note_of(s), self.end)
            for s, seller in enumerate(market.sellers)
        ]
        self.beliefs += [
            self.believes(market, k, tables, self.terms, self.stations)
            for k in range(len(market.tasks))
        ]
        self.shares_experience = market.quotes.latency == "average"
        self.stale = [b.stale for b in self.beliefs]
        skill = tables.cells
        self.floor, self.ceiling = skill["floor"].tolist(), skill["ceiling"].tolist()
        self.skill = skill["skill"].tolist()
        self.logit = [isinstance(t.choice, Logit) for t in market.tasks]
        self.taste: Any = draws.taste.tolist() if self.few else draws.taste
        self.right: Any = draws.right.tolist() if self.few else draws.right
        self.outside = draws.outside.tolist()
        self.auction = auction = sealed(market.mechanism)
        none = -math.inf if isinstance(auction, ScoringAuction) else math.inf
        self.reserve = none if auction is None or auction.reserve is None else auction.reserve
        self.tails = draws.tail.tolist()
        self.calling: set[Task] = set()
        self.exchange = Exchange(self, tables) if isinstance(market.mechanism, DOUBLE) else None
        for beliefs in self.beliefs:
            beliefs.time_call()
        calendar.process(self.arrivals())
        calendar.process(self.agents())
        for k, rows in draws.users:
            calendar.process(self.user(k, rows))

    def note_of(self, s: int) -> Any:
        """Return a function that notes a change at seller s."""

        def note() -> None:
            for stale in self.stale:
                stale.add(s)

        return note

    def run(self, until: float) -> None:
        """Simulate [0, until): completions at the end still count."""
        self.calendar.run(self.calendar.at(until, AGENT, 0))

    # --- processes ------------------------------------------------------------------------------

    def arrivals(self) -> Process:
        """Let the tasks of open classes come."""
        demand = self.draws.demand
        closed = sum(len(rows) for _, rows in self.draws.users)
        open_ = demand[: len(demand) - closed]
        at = self.calendar.at
        for row, values in enumerate(
            zip(*(open_[n].tolist() for n in open_.dtype.names), strict=True)
        ):
            task = Task(row, *values)
            yield at(task.time, ARRIVAL, task.id)
            self.arrive(task)

    def user(self, k: int, rows: list[int]) -> Process:
        """Think, ask, wait for the end, think again."""
        since = 0.0
        for row in rows:
            task = Task(row, *self.draws.demand[row].item())
            task.time = since + task.time
            task.ended = self.calendar.event()
            yield self.calendar.at(task.time, ARRIVAL, task.id)
            self.arrive(task)
            yield task.ended
            since = self.calendar.now
            if task.served:
                since += self.terms[task.offer].outside
        raise RuntimeError("a closed user ran out of draws")

    def agents(self) -> Process:
        """Let the agents act."""
        for number, event in enumerate(self.events, start=1):
            yield self.calendar.at(event.time, AGENT, number)
            if event.what == "rank":
                self.rank()
                continue
            station = self.stations[event.seller]
            if event.what == "price":
                self.set_price(event.seller, float(event.value))
            elif event.what == "break":
                station.break_down(str(event.value))
            elif event.what == "repair":
                station.repair()
            elif event.what == "slots":
                station.add_slots(float(event.value))
            else:
                station.list(event.what == "enter")
            for k, beliefs in enumerate(self.beliefs):
                if beliefs.time_call():
                    beliefs.tabled = False
                    for task in self.calling:
                        task.alone = task.alone or task.kind == k

    def set_price(self, s: int, lever: float) -> None:
        """Change the price of all offers of a seller."""
        for terms in self.terms:
            if terms.seller == s:
                terms.move(lever)
        for beliefs in self.beliefs:
            beliefs.set_asks()

    def rank(self) -> None:
        """Rank offers anew, where the platform does so from time to time."""

    # --- choice ---------------------------------------------------------------------------------

    def arrive(self, task: Task) -> None:
        """Let a buyer choose, at once or when bids are in, or trade."""
        if self.exchange is not None:
            self.exchange.arrive(task)
            return
        if self.auction and self.beliefs[task.kind].call > 0.0:
            self.in_system += 1
            self.calling.add(task)
            self.calendar.process(self.collect_bids(task))
        else:
            self.choose(task)

    def collect_bids(self, task: Task) -> Process:
        """Wait until bids are in."""
        call, waits = self.beliefs[task.kind].call, True
        if task.patience < call:
            yield self.calendar.at(self.calendar.now + task.patience, RENEGE, task.id)
            waits = False
        else:
            yield self.calendar.at(self.calendar.now + call, ARRIVAL, task.id)
        self.calling.discard(task)
        self.in_system -= 1
        if waits:
            self.choose(task)
        else:
            outside = self.outside[task.row]
            task.taste = outside if self.beliefs[task.kind].spec.outside_option else 0.0
            self.choices.append(Choice(task.id, -1, 0.0, 0.0))
            self.end(task, "balked")

    def choose(self, task: Task) -> None:
        """Let a buyer choose, and its task join the seller."""
        k, now = task.kind, self.calendar.now
        beliefs = self.beliefs[k]
        task.joined = now
        gone = now - task.time if task.alone else beliefs.call
        tails = self.tails[task.row]
        score = beliefs.worth(
            task.value, task.delay_cost, task.deadline - gone, max(task.patience - gone, 0.0),
            task.input, task.output, tails, task.alone,
        )  # fmt: skip
        score = self.score_for(beliefs, task, score)
        if self.logit[k]:
            taste = self.taste[task.row]
            score = list(map(add, score, taste)) if self.few else score + taste
        if beliefs.spec.consideration is not None:
            score = self.limit(beliefs, task, score)
        outside = self.outside[task.row] if beliefs.spec.outside_option else -math.inf
        if self.auction:
            o, task.price = self.award(beliefs, task, score, outside)
        else:
            o = self.best(score, outside, task.row)
        if o < 0:
            task.taste = outside if beliefs.spec.outside_option else 0.0
            self.choices.append(Choice(task.id, -1, 0.0, 0.0))
            self.end(task, "balked")
            return
        terms = self.terms[o]
        billed = terms.billed(task.output)
        task.taste = float(self.taste[task.row][o])
        if self.auction:
            lost = task.delay_cost * (now - task.time)
            task.utility = self.liked(beliefs, task, o, task.price) - lost
        else:
            task.price, task.utility = charge(terms.price, task.input, billed), float(score[o])
        task.offer, task.cell = o, k * len(self.terms) + o
        task.factor = upper(terms.spec.cost_factor, tails[terms.seller])
        if terms.spec.promise is not None:
            task.promise = terms.spec.promise
        if beliefs.bids_promises and terms.spec.penalty > 0.0:
            task.promise = float(beliefs.promises[o])
        task.work = task.left = task.input * terms.prefill + billed
        level = self.ordered(task)
        self.choices.append(Choice(task.id, o, task.price, task.utility))
        self.in_system += 1
        self.stations[terms.seller].join(task, level)

    def limit(self, beliefs: Beliefs, task: Task, score: Scores) -> Scores:
        """Leave only the offers that the platform shows."""
        number = beliefs.spec.consideration
        order = beliefs.order
        if self.market.platform.ranking == "random":
            shown = self.draws.shown[task.row].tolist()
            order = sorted(order, key=lambda o: shown[o])
        left = [-math.inf] * len(self.terms)
        for o in [o for o in order if beliefs.on_show(o)][:number]:
            left[o] = float(score[o])
        return left if self.few else np.array(left)

    def best(self, score: Scores, least: float, row: int) -> int:
        """Return the offer with the highest score, or −1 if all are below `least`."""
        if isinstance(score, list):
            top = max(score)
            ties = score.count(top) > 1
            o = score.index(top)
        else:
            o = int(score.argmax())
            top = score[o]
            ties = bool(np.count_nonzero(score == top) > 1)
        if top < least or top == -math.inf:
            return -1
        if ties:
            coin = self.draws.tie[row].tolist()
            o = max((j for j in range(len(coin)) if score[j] == top), key=lambda j: coin[j])
        return o

    def award(
        self, beliefs: Beliefs, task: Task, score: Scores, outside: float
    ) -> tuple[int, float]:
        """Return who wins the auction of a task, −1 for nobody, and the price it is paid."""
        assert self.auction
        bids: Any = beliefs.bids(task.input, task.output)
        if task.joined > task.time:
            score = [
                s if self.stations[terms.seller].opened <= task.time else -math.inf
                for s, terms in zip(score, self.terms, strict=True)
            ]
        if not isinstance(self.auction, ScoringAuction):
            return self.procure(beliefs, task, list(score), bids.tolist(), outside)
        least = max(outside, self.reserve)
        if not beliefs.plainly:
            score = [
                s if s > -math.inf and self.liked(beliefs, task, o, bids[o]) >= outside
                else -math.inf for o, s in enumerate(score)
            ]  # fmt: skip
        if self.auction.kind == "first_score":
            bids = bids.tolist()
            score = self.shade(beliefs, task, score, bids, least)
        o = self.best(score, least, task.row)
        if o < 0:
            return o, 0.0
        limit, price, billed = math.inf, float(bids[o]), float(beliefs.billed[o])
        if not beliefs.plainly and outside > -math.inf and billed > 0.0:
            limit = price + (self.liked(beliefs, task, o, price) - outside) / billed
        if self.auction.kind == "second_score":
            price = self.second_score(beliefs, score, price, o, least)
        return o, min(price, limit)

    def liked(self, beliefs: Beliefs, task: Task, o: int, price: float) -> float:
        """Return the buyer's true expected utility of an offer at a price, taste included."""
        before = beliefs.before(o, beliefs.seen[o], task.value, task.delay_cost)
        return before + float(self.taste[task.row][o]) - price * float(beliefs.billed[o])

    def second_score(
        self, beliefs: Beliefs, score: Scores, bid: float, o: int, least: float
    ) -> float:
        """Return the price at which the winner just scores the score to beat."""
        mine = self.owner[o]
        if isinstance(score, list):
            beat = max(least, max(compress(score, self.rivals_of[mine]), default=-math.inf))
        else:
            beat = max(least, float(score[self.owners != mine].max(initial=-math.inf)))
        billed = float(beliefs.billed[o])
        if beat == -math.inf or billed <= 0.0:
            return bid
        return bid + (float(score[o]) - beat) / billed

    def procure(
        self, beliefs: Beliefs, task: Task, score: Scores, bids: list[float], outside: float
    ) -> tuple[int, float]:
        """Return the lowest acceptable bidder and its price, by its own bid or the next one's."""
        assert self.auction
        if self.auction.kind == "first_price":
            self.shade_prices(beliefs, task, score, bids, outside)
        fit = [
            o for o in beliefs.serving
            if score[o] >= outside and score[o] > -math.inf and bids[o] <= self.reserve
        ]  # fmt: skip
        if not fit:
            return -1, 0.0
        coin = self.draws.tie[task.row].tolist()
        o = min(fit, key=lambda o: (bids[o], -coin[o]))
        if self.auction.kind == "first_price":
            return o, bids[o]
        limits = [bids[j] for j in fit if self.owner[j] != self.owner[o]]
        billed = float(beliefs.billed[o])
        if outside > -math.inf and billed > 0.0:
            limits.append(bids[o] + (float(score[o]) - outside) / billed)
        price = min([*limits, self.reserve])
        return o, bids[o] if price == math.inf else max(price, bids[o])

    def shade_prices(
        self, beliefs: Beliefs, task: Task, score: Scores, bids: list[float], outside: float
    ) -> None:
        """Let each seller with equilibrium bids ask what its best rival is expected to."""
        for o in beliefs.serving:
            rule = beliefs.rules[o]
            if rule is None or rule.kind != "equilibrium" or score[o] == -math.inf:
                continue
            billed, limit = float(beliefs.billed[o]), self.reserve
            if outside > -math.inf and billed > 0.0:
                limit = min(limit, bids[o] + (float(score[o]) - outside) / billed)
            terms = self.terms[o]
            sizes = (task.input, terms.billed(task.output)) if beliefs.told else None
            tail, outlook = self.tails[task.row][terms.seller], beliefs.seen[o]
            times = self.times_left(beliefs, task)
            bid = beliefs.rivals_bid(o, times, outlook, tail, limit, sizes)
            if bid > bids[o]:
                score[o] -= (bid - bids[o]) * billed
                bids[o] = bid

    def times_left(self, beliefs: Beliefs, task: Task) -> tuple[float, float]:
        """Return what is left of a task's deadline and patience after the call."""
        if beliefs.same_law and not task.alone:
            return beliefs.usual_times()
        gone = task.joined - task.time if task.alone else beliefs.call
        return task.deadline - gone, max(task.patience - gone, 0.0)

    def shade(
        self, beliefs: Beliefs, task: Task, score: Scores, bids: list[float], least: float
    ) -> Scores:
        """Let each owner with equilibrium bids leave the buyer what its best rival would."""
        by_owner: dict[int, list[int]] = {}
        for o in beliefs.serving:
            if score[o] > -math.inf:
                by_owner.setdefault(self.owner[o], []).append(o)
        tails, out = self.tails[task.row], list(score)
        for menu in by_owner.values():
            best = max(menu, key=lambda o: score[o])
            rule = beliefs.rules[best]
            assert rule is not None
            if rule.kind != "equilibrium":
                continue
            tail = tails[self.terms[best].seller]
            left = sum(
                weight * max(self.could_score(beliefs, task, score, menu, tail * x), least)
                for x, weight in best_rival(rule.bidders)
            )
            billed = float(beliefs.billed[best])
            for o in menu:
                out[o] = -math.inf if o != best else score[best]
            if left < score[best] and billed > 0.0:
                bids[best] += (float(score[best]) - left) / billed
                out[best] = left
        return out

    def could_score(
        self, beliefs: Beliefs, task: Task, score: Scores, menu: list[int], tail: float
    ) -> float:
        """Return the best score of an owner at another cost factor."""
        found = []
        for o in menu:
            spec, terms = self.terms[o].spec, self.terms[o]
            sizes = (task.input, terms.billed(task.output)) if beliefs.told else None
            outlook, law = beliefs.seen[o], beliefs.laws[o]
            times = self.times_left(beliefs, task)
            cost = charge(terms.cost, *sizes) if sizes else float(beliefs.cost[o])
            work = sizes[0] * terms.prefill + sizes[1] if sizes else None
            own, other = (
                beliefs.least(o, law, *times, cost * upper(spec.cost_factor, q), outlook, work)
                for q in (self.tails[task.row][terms.seller], tail)
            )
            found.append(float(score[o]) - (other - own) * float(beliefs.billed[o]))
        return max(found)

    # --- what contracts change (tests/oracle/contracts.py) ---------------------------------------

    def score_for(self, beliefs: Beliefs, task: Task, score: Scores) -> Scores:
        """Return the expected utilities of all offers to this buyer."""
        return score

    def ordered(self, task: Task) -> int:
        """Note that a task has been ordered; return its queue level."""
        return self.beliefs[task.kind].spec.priority

    def judged(
        self, task: Task, right: bool, sojourn: float, price: int, refund: int, penalty: int
    ) -> tuple[int, int]:  # fmt: skip
        """Return (refund, penalty) of a served task."""
        return refund, penalty

    def unserved(self, task: Task, status: str) -> None:
        """Note that a task has not been served."""

    def teaches(self, task: Task) -> bool:
        """Return whether other buyers learn from a task's delay."""
        return True

    # --- the end of a task ----------------------------------------------------------------------

    def end(self, task: Task, status: str) -> None:
        """Write the row of a task that has ended and tell whoever waits for it."""
        if status == "served":
            task.served = True
            self.settle(task)
        else:
            self.give_up(task, status)
        if task.offer >= 0:
            self.in_system -= 1
        if task.ended is not None:
            task.ended.succeed()

    def settle(self, task: Task) -> None:
        """Judge and pay a task that has been served."""
        k, o, now = task.kind, task.offer, self.calendar.now
        terms, beliefs = self.terms[o], self.beliefs[k]
        spec = terms.spec
        sojourn = now - task.time + terms.outside
        # Times are rounded at the size of the clock: due to the last bit is not late.
        grain = 1e-15
        past = sojourn - task.deadline
        past = past if past > grain * (now + task.deadline) else 0.0
        late = past > 0.0
        right = bool(self.right[task.row][o] < self.accuracy(k, o, task.difficulty))
        price = nano(task.price)
        share = max(spec.refund_late if late else 0.0, 0.0 if right else spec.refund_wrong)
        refund = round(price * share)
        promise = task.promise
        taken = now - task.joined + terms.outside
        broken = taken - promise > grain * (now + promise)
        penalty = nano(spec.penalty) if broken else 0
        rate = self.market.platform.commission
        refund, penalty = self.judged(task, right, sojourn, price, refund, penalty)
        cost = nano(charge(terms.cost, task.input, terms.billed(task.output)) * task.factor)
        delta = beliefs.delta(past)
        worth = task.value * delta if right else -(beliefs.spec.loss if delta > 0.0 else 0.0)
        surplus = worth - task.delay_cost * sojourn - (price - refund - penalty) * 1e-9
        self.trades.append(Trade(
            task.id, k, o, 0, right, late, task.time, task.started, now, task.wait, sojourn, price,
            refund, penalty, round(price * rate), round(refund * rate), cost, task.taste,
            task.utility, task.taste + surplus,
        ))  # fmt: skip
        if self.shares_experience and self.teaches(task):
            pace = task.service / task.work if task.work > 0.0 else None
            beliefs.past[o].learn(now, task.wait, True, pace)
            beliefs.stale.add(terms.seller)

    def accuracy(self, k: int, o: int, difficulty: float) -> float:
        """Return the probability of a right answer to a task of this difficulty."""
        floor, ceiling, gap = self.floor[k][o], self.ceiling[k][o], difficulty - self.skill[k][o]
        if gap > 700.0:
            return float(floor)
        return float(floor + (ceiling - floor) / (1.0 + math.exp(gap)))

    def give_up(self, task: Task, status: str) -> None:
        """Write the row of a task that was not served: it pays nothing and has lost its time."""
        now = self.calendar.now
        wait, time = task.wait, now - task.time
        self.unserved(task, status)
        if status == "balked":
            wait, time, lost = math.nan, math.nan, task.delay_cost * time
        else:
            lost = task.delay_cost * time
        self.trades.append(Trade(
            task.id, task.kind, task.offer, STATUS[status], False, False, task.time, task.started,
            now, wait, time, 0, 0, 0, 0, 0, 0, task.taste, task.utility, task.taste - lost,
        ))  # fmt: skip
        if status == "reneged" and self.shares_experience and self.teaches(task):
            beliefs = self.beliefs[task.kind]
            beliefs.past[task.offer].learn(now, time, False, None)
            beliefs.stale.add(self.terms[task.offer].seller)
