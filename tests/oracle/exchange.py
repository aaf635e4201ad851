"""Double auctions, written from the model: a book of waiting tasks, traders, calls and shouts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from walras.market.accuracy import class_accuracy
from walras.market.schema.arrivals import Closed, Replay
from walras.market.state import State

from .beliefs import Beliefs, Outlook
from .bidding import upper
from .calendar import RENEGE, SESSION
from .lots import Lots
from .station import Process
from .task import Task
from .terms import charge
from .traders import Order, Trader, asked, hear, offered

if TYPE_CHECKING:
    from .market import Simulation


class Unit:
    """A free slot: the offer that would serve, at what cost per million tokens."""

    def __init__(self, offer: int, cost: float, factor: float) -> None:
        self.offer, self.cost, self.factor = offer, cost * factor, factor


class Exchange:
    """Where tasks of a market and free slots are traded."""

    def __init__(self, sim: Simulation, tables: State) -> None:
        """Take the simulation it serves and the tables of its market."""
        self.sim, self.lots = sim, Lots(tables)
        self.spec = cast(Any, sim.market.mechanism)
        self.tie_key = tables.offers["tie_key"].tolist()
        self.book: dict[Task, None] = {}
        owners = list(dict.fromkeys(s.owned_by for s in sim.market.sellers))
        self.owners = [owners.index(t.spec.owned_by) for t in sim.terms]
        self.buyers = [
            Trader(self.spec.buyers, t, buys=True) for t in tables.traders[: len(sim.beliefs)]
        ]
        self.sellers = [
            Trader(self.spec.sellers, t, buys=False) for t in tables.traders[len(sim.beliefs) :]
        ]
        self.tokens = [
            float(c["tokens_in"]) + (float(c["billed_out"]) - sim.terms[0].thinking)
            / sim.terms[0].verbosity
            for c in tables.cells[:, 0]
        ]  # fmt: skip
        self.cost = [self.unit_cost(o, tables) for o in range(len(sim.terms))]
        if self.spec.kind != "k_double":
            sim.calendar.process(self.sessions())

    # --- units ----------------------------------------------------------------------------------

    def unit_cost(self, o: int, tables: State) -> float:
        """Return the cost per million tokens paid for, infinite for an offer below the tier."""
        market, terms = self.sim.market, self.sim.terms[o]
        spent = tokens = 0.0
        for k, task in enumerate(market.tasks):
            cell = tables.cells[k, o]
            if not cell["serves"] or cell["accuracy"] < self.spec.least_accuracy:
                return math.inf
            if isinstance(task.arrivals, Replay):
                rate = len(task.arrivals.times or ()) / market.run.until
            elif isinstance(task.arrivals, Closed):
                rate = task.arrivals.users / task.arrivals.think_time.mean
            else:
                rate = task.arrivals.mean_rate
            right = class_accuracy(
                float(cell["floor"]), float(cell["ceiling"]), float(cell["skill"]),
                task.difficulty.mean, task.difficulty.sd,
            )  # fmt: skip
            spent += rate * charge(terms.cost, float(cell["tokens_in"]), float(cell["billed_out"]))
            tokens += rate * self.tokens[k] * (1.0 - (1.0 - right) * terms.spec.refund_wrong)
        return 1e6 * spent / (tokens * (1.0 - market.platform.commission))

    def free(self, o: int) -> float:
        """Return how many units an offer could deliver now."""
        station = self.sim.stations[self.sim.terms[o].seller]
        if not station.listed or station.down or self.cost[o] == math.inf:
            return 0.0
        return float(station.slots - len(station.running) - sum(station.waiting))

    def unit(self, offers: list[int], key: Any) -> Unit | None:
        """Return the cheapest free unit of some offers."""
        terms = self.sim.terms
        units = {}
        for o in offers:
            if self.free(o) >= 1.0:
                factor = upper(terms[o].spec.cost_factor, self.lots.tail(key, terms[o].seller))
                units[o] = Unit(o, self.cost[o], factor)
        best = min(units, key=lambda o: (units[o].cost, self.tie_key[o]), default=None)
        return None if best is None else units[best]

    def units(self, key: Any) -> dict[int, Unit]:
        """Return every owner's cheapest free unit."""
        found = {}
        for w in range(len(self.sellers)):
            unit = self.unit([o for o, owner in enumerate(self.owners) if owner == w], key)
            if unit is not None:
                found[w] = unit
        return found

    # --- worth ----------------------------------------------------------------------------------

    def outlook(self, beliefs: Beliefs, task: Task, o: int) -> Outlook:
        """Return what a buyer expects of an offer from now on."""
        gone = self.sim.calendar.now - task.time
        law = beliefs.laws[o]
        matters = task.deadline < math.inf or (task.patience < math.inf and law.chance > 0.0)
        if beliefs.same_law and not (gone > 0.0 and matters):
            return beliefs.seen[o]
        terms, work = self.sim.terms[o], None
        if beliefs.told:
            work = task.input * terms.prefill + terms.billed(task.output)
        patience = max(task.patience - gone, 0.0)
        return beliefs.foresee(o, law, task.deadline - gone, patience, work, usual=False)

    def prospect(self, task: Task, o: int) -> tuple[float, float]:
        """Return (what an offer is worth before its price, tokens it expects to pay for)."""
        beliefs = self.sim.beliefs[task.kind]
        seen = self.outlook(beliefs, task, o)
        right, spec = float(beliefs.accuracy[o]), self.sim.terms[o].spec
        gain = right * task.value * seen.delta - (1.0 - right) * beliefs.spec.loss * seen.used
        gain += spec.penalty * (seen.served - seen.kept) - task.delay_cost * seen.time
        tokens = task.input + task.output if beliefs.told else self.tokens[task.kind]
        tokens = tokens * beliefs.billed_share(o, seen) + beliefs.beyond(o, seen)
        return gain + float(self.sim.taste[task.row][o]), tokens

    def worth(self, task: Task) -> float:
        """Return the price per million tokens up to which a task gains, whoever delivers."""
        beliefs = self.sim.beliefs[task.kind]
        self.refresh(beliefs)
        without = self.sim.outside[task.row] if beliefs.spec.outside_option else 0.0
        lowest = math.inf
        for o in beliefs.serving:
            if self.free(o) < 1.0:
                continue
            gain, tokens = self.prospect(task, o)
            if tokens > 0.0:
                lowest = min(lowest, 1e6 * (gain - without) / tokens)
            elif gain < without:
                return -math.inf
        if math.isinf(lowest) or lowest == 0.0:
            return -math.inf if lowest else 0.0
        mantissa, exponent = math.frexp(lowest)  # what differs by rounding is equal
        return math.ldexp(math.floor(mantissa * 2**40 + 0.5) / 2**40, exponent)

    def refresh(self, beliefs: Beliefs) -> None:
        """Let a class look at the sellers that have changed."""
        if beliefs.stale:
            beliefs.renew(*beliefs.usual_times())

    # --- tasks ----------------------------------------------------------------------------------

    def arrive(self, task: Task) -> None:
        """Let a task meet the asks at once, or wait in the book."""
        if self.spec.kind == "k_double":
            self.meet(task)
            return
        self.book[task] = None
        self.sim.calling.add(task)
        self.sim.in_system += 1
        spec = self.sim.market.tasks[task.kind]
        useful = getattr(spec.lateness, "grace", 0.0)
        if spec.lateness.kind == "halflife":
            useful = math.inf
        last = task.time + min(task.patience, task.deadline + useful)
        if last < math.inf:
            self.sim.calendar.process(self.patience(task, last))

    def patience(self, task: Task, last: float) -> Process:
        """Let a task do without when it has waited in vain."""
        yield self.sim.calendar.at(max(last, task.time), RENEGE, task.id)
        if task in self.book:
            self.leave(task)
            self.go_without(task)

    def leave(self, task: Task) -> None:
        """Take a task out of the book, and the order that was for it."""
        del self.book[task]
        self.sim.calling.discard(task)
        self.sim.in_system -= 1
        buyer = self.buyers[task.kind]
        if buyer.order is not None and buyer.order.what is task:
            buyer.order = None

    def go_without(self, task: Task) -> None:
        """Let a task do without."""
        from .market import Choice

        outside = self.sim.beliefs[task.kind].spec.outside_option
        task.taste = self.sim.outside[task.row] if outside else 0.0
        self.sim.choices.append(Choice(task.id, -1, 0.0, 0.0))
        self.sim.end(task, "balked")

    def deliver(self, task: Task, o: int, price: float, factor: float) -> None:
        """Let a task join the offer it has traded with."""
        from .market import Choice

        sim, terms = self.sim, self.sim.terms[o]
        now = sim.calendar.now
        self.refresh(sim.beliefs[task.kind])
        gain, tokens = self.prospect(task, o)
        task.price = price * (task.input + task.output) / 1e6
        task.utility = gain - price * tokens / 1e6 - task.delay_cost * (now - task.time)
        task.taste = float(sim.taste[task.row][o])
        task.offer, task.cell = o, task.kind * len(sim.terms) + o
        task.factor, task.joined = factor, now
        if terms.spec.promise is not None:
            task.promise = terms.spec.promise
        task.work = task.left = task.input * terms.prefill + terms.billed(task.output)
        sim.choices.append(Choice(task.id, o, task.price, task.utility))
        sim.in_system += 1
        sim.stations[terms.seller].join(task, sim.beliefs[task.kind].spec.priority)

    # --- mechanisms -----------------------------------------------------------------------------

    def meet(self, task: Task) -> None:
        """Hold a k-double auction of one buyer and all owners."""
        key, buyer, lots = task.id, self.buyers[task.kind], self.lots
        units, first = self.units(key), len(self.buyers)
        worth = self.worth(task)
        bid = offered(buyer, worth, lots.alone(key))
        buyer.limit, asks = worth, []
        for w, unit in units.items():
            self.sellers[w].limit = unit.cost
            ask = asked(self.sellers[w], unit.cost, lots.quote(key, first + w))
            if ask is not None:
                asks.append((ask, -lots.coin(key, first + w), w))
        asks.sort()
        lowest = asks[0][0] if asks else math.inf
        second = asks[1][0] if len(asks) > 1 else math.inf
        traded = bid is not None and asks and bid >= lowest
        price = self.between(lowest, min(bid, second)) if traded and bid is not None else None
        self.learn_from_call(key, price, bid, lowest, [task.kind], list(units))
        if price is None:
            self.go_without(task)
        else:
            unit = units[asks[0][2]]
            self.deliver(task, unit.offer, price, unit.factor)

    def between(self, low: float, high: float) -> float:
        """Return the price in an interval of clearing prices."""
        k = self.spec.k
        if k in (0.0, 1.0):
            return float(high if k else low)
        return float(min(max(k * high + (1.0 - k) * low, low), high))

    def learn_from_call(
        self, key: Any, price: float | None, bid: float | None, ask: float, buyers: list[int],
        sellers: list[int],
    ) -> None:  # fmt: skip
        """Let ZIP traders learn from sealed quotes."""
        active = [*buyers, *(len(self.buyers) + w for w in sellers)]
        everyone = self.buyers + self.sellers
        if price is not None:
            hear(everyone, self.lots, price, True, (True, True), active, key)
            return
        if bid is not None:
            hear(everyone, self.lots, bid, False, (True, False), active, key)
        if ask < math.inf:
            hear(everyone, self.lots, ask, False, (False, True), active, key)

    def sessions(self) -> Process:
        """Hold one session after the other, at regular times."""
        calls = self.spec.kind == "call_market"
        step = self.spec.period if calls else 1.0 / self.spec.shouts
        number = 1
        while True:
            yield self.sim.calendar.at(number * step, SESSION, number)
            if calls:
                if self.book:
                    self.call(number)
            else:
                self.shout(number)
            number += 1

    def call(self, number: int) -> None:
        """Cross all bids with all asks at one price."""
        key, sim = self.lots.session(number), self.sim
        asks, bids = [], []
        for w, unit in self.units(key).items():
            self.sellers[w].limit = unit.cost
        for s in range(len(sim.stations)):
            mine = [o for o, t in enumerate(sim.terms) if t.seller == s]
            slot = self.unit(mine, key)
            if slot is None:
                continue
            u, coin = self.lots.ask(key, slot.offer)
            ask = asked(self.sellers[self.owners[slot.offer]], slot.cost, u)
            if ask is not None:
                asks.append((ask, coin, slot, self.free(slot.offer)))
        for k in {task.kind for task in self.book}:
            self.buyers[k].limit = math.nan
        for task in self.book:
            worth, buyer = self.worth(task), self.buyers[task.kind]
            buyer.limit = worth if math.isnan(buyer.limit) else max(buyer.limit, worth)
            bid = offered(buyer, worth, self.lots.bid(task.id, number))
            if bid is not None:
                bids.append((-bid, task.time, task.id, task))
        kinds = list({task.kind for task in self.book})
        bids.sort(key=lambda b: b[:3])
        asks.sort(key=lambda a: a[:2])
        supply = [(a, u) for a, _, u, many in asks for _ in range(int(min(many, len(bids) + 1)))]
        pairs = []
        for (minus, _, _, task), (ask, unit) in zip(bids, supply, strict=False):
            if -minus < ask:
                break
            pairs.append((task, unit))
        q = len(pairs)
        next_bid = -bids[q][0] if q < len(bids) else -math.inf
        next_ask = supply[q][0] if q < len(supply) else math.inf
        price = None
        if pairs:
            low, high = max(supply[q - 1][0], next_bid), min(-bids[q - 1][0], next_ask)
            price = self.between(low, high)
        owners = list(self.units(key))
        for task, unit in pairs:
            self.leave(task)
            assert price is not None
            self.deliver(task, unit.offer, price, unit.factor)
        best = next_bid if next_bid > -math.inf else None
        self.learn_from_call(key, price, best, next_ask, kinds, owners)

    # --- continuous -----------------------------------------------------------------------------

    def standing(self, side: list[Trader]) -> Iterator[tuple[Trader, Order]]:
        """Yield the traders of a side that have an order."""
        for trader in side:
            if trader.order is not None:
                yield trader, trader.order

    def tidy(self) -> None:
        """Withdraw orders that cannot be met or that would now be too dear."""
        for trader, order in self.standing(self.sellers):
            if self.free(order.what.offer) < 1.0:
                trader.order = None
        for trader, order in self.standing(self.buyers):
            if trader.rule.kind != "zi_u" and self.worth(order.what) < order.price:
                trader.order = None

    def first(self, k: int) -> tuple[float, Task]:
        """Return the waiting task of a class that is worth most, and what it is worth."""
        mine = [(self.worth(task), task) for task in self.book if task.kind == k]
        return min(mine, key=lambda m: (-m[0], m[1].time, m[1].id))

    def shout(self, number: int) -> None:
        """Let one trader quote."""
        key, first = self.lots.session(number), len(self.buyers)
        units = self.units(key)
        kinds = sorted({task.kind for task in self.book})
        self.tidy()
        if not units or not kinds:
            return
        active = [*kinds, *(first + w for w in units)]
        t = min(active, key=lambda t: self.lots.turn(key, t))
        tops = {k: self.first(k) for k in kinds if k == t or self.buyers[k].rule.kind == "zip"}
        for k, (worth, _) in tops.items():
            self.buyers[k].limit = worth
        for w, unit in units.items():
            self.sellers[w].limit = unit.cost
        u = self.lots.quote(key, t)
        bids = sorted((-o.price, o.number, b) for b, (_, o) in self.orders(self.buyers))
        asks = sorted((o.price, o.number, w) for w, (_, o) in self.orders(self.sellers))
        everyone = self.buyers + self.sellers
        if t < first:
            worth, what = tops[t]
            quote = offered(self.buyers[t], worth, u)
            meets = quote is not None and asks and quote >= asks[0][0]
            better = quote is not None and not (bids and quote <= -bids[0][0])
            other: Trader | None = self.sellers[asks[0][2]] if meets else None
            mine = Order(quote or 0.0, number, what)
        else:
            unit = units[t - first]
            quote = asked(self.sellers[t - first], unit.cost, u)
            meets = quote is not None and bids and quote <= -bids[0][0]
            better = quote is not None and not (asks and quote >= asks[0][0])
            other = self.buyers[bids[0][2]] if meets else None
            mine = Order(quote or 0.0, number, unit)
        if quote is None:
            return
        heard = (t < first, t >= first)
        if other is None:
            self.stand(everyone[t], mine, better)
            hear(everyone, self.lots, quote, False, heard, active, key)
            return
        assert other.order is not None
        price = other.order.price
        task, unit = (mine.what, other.order.what) if t < first else (other.order.what, mine.what)
        everyone[t].order = other.order = None
        if self.spec.book == "best":
            for trader in everyone:
                trader.order = None
        self.leave(task)
        self.deliver(task, unit.offer, price, unit.factor)
        hear(everyone, self.lots, price, True, heard, active, key)

    def orders(self, side: list[Trader]) -> Iterator[tuple[int, tuple[Trader, Order]]]:
        """Yield the number of each trader of a side with an order, and both."""
        for n, trader in enumerate(side):
            if trader.order is not None:
                yield n, (trader, trader.order)

    def stand(self, trader: Trader, order: Order, better: bool) -> None:
        """Let a quote stand, if the book takes it."""
        if self.spec.book == "best":
            if not better:
                return
            for other in self.buyers if trader.buys else self.sellers:
                other.order = None
        trader.order = order
