"""The clock: a SimPy environment that clears the market up to each of its events.

Agents are ordinary SimPy processes. Before an event happens the kernel is advanced to its time,
so a million tasks can clear between two events, and every process sees the market as it is then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappush
from typing import Any

import numpy as np
import simpy
from simpy.core import EmptySchedule
from simpy.events import NORMAL, URGENT

from . import kernel, workload
from .choice import ask_for, taste_for
from .engine import Engine
from .outcome import fresh
from .rng import SUBMIT, hashed
from .service import announce
from .state import BALKED, DECIDE, FAILED, HORIZON, RENEGED, SERVED

STATUS = {SERVED: "served", BALKED: "balked", RENEGED: "reneged", FAILED: "failed"}


@dataclass(frozen=True)
class Task:
    """A task that a process submits: a class, and what differs from the class's own draws.

    Its id is a hash of (parent, child), so other tasks' draws never change. A child of a task
    that is to be the same question again takes the parent's sizes, value and difficulty with
    `same=True`; its taste and the correctness of its answer are its own.
    """

    kind: str
    child: int
    parent: int = 0
    same: bool = False
    offer: str | None = None
    changes: dict[str, float] = field(default_factory=dict)
    """Fields set directly: input, output (tokens), value (USD), deadline, patience (s),
    delay_cost (USD/s), difficulty (logits)."""


@dataclass(frozen=True)
class Outcome:
    """How a submitted task ended. Times in seconds, money in USD; NaN where not reached."""

    id: int
    status: str
    offer: str | None
    arrival: float
    answer: float
    sojourn: float
    wait: float
    right: bool
    late: bool
    paid: float
    surplus: float


@dataclass(frozen=True)
class Quote:
    """What a Python rule sees of one offer: the buyer's expectations, and what is asked."""

    offer: str
    seller: str
    owner: str
    effort: str
    ask: float
    utility: float
    taste: float
    accuracy: float
    on_time: float
    served: float
    time: float


@dataclass(frozen=True)
class Award:
    """A Python rule's decision: an offer and, unless it is the posted price, the price in USD."""

    offer: str
    price: float | None = None


@dataclass(frozen=True)
class Ask:
    """The task that a Python rule decides about."""

    id: int
    kind: str
    time: float
    input: float
    output: float
    value: float
    loss: float
    delay_cost: float
    deadline: float


Rule = Callable[[Ask, list[Quote]], "Award | str | None"]
_CHANGES = ("input", "output", "value", "deadline", "patience", "delay_cost", "difficulty")


class Clock(simpy.Environment):
    """SimPy's clock over an engine; `step` clears the market to the time of the next event.

    Example:
        >>> from walras.market.arrivals import Poisson
        >>> from walras.market.spec import Market, Seller, TaskClass
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> market = Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)])
        >>> clock = Clock(Engine(market, seed=1))
        >>> def visitor():
        ...     yield clock.timeout(10.0)
        ...     outcome = yield clock.submit(Task("chat", child=1))
        ...     return outcome.status
        >>> clock.run(until=clock.process(visitor()))
        'served'
    """

    def __init__(self, engine: Engine) -> None:
        """Start at time 0 with nothing scheduled."""
        super().__init__(0.0)
        self.engine = engine
        self.rules: dict[int, Rule] = {}
        """Python rules by class index: a mechanism or a buyer's choice."""
        self._watched: dict[int, simpy.Event] = {}
        market = engine.market
        self._offers = market.offers
        self._kinds = [task.name for task in market.tasks]

    def step(self) -> None:
        """Clear the market up to the next event's time, then process that event.

        Raises:
            EmptySchedule: nothing is scheduled and the market has nothing left to do.
        """
        while True:
            reason = self.engine.advance(self.peek())
            if reason == HORIZON:
                break
            if reason == DECIDE:
                self._decide()
            self.deliver()
        if math.isinf(self.peek()):
            raise EmptySchedule
        super().step()

    def at(self, time: float, priority: int = NORMAL) -> simpy.Event:
        """Return an event that fires at a time, to the last bit: now + (time − now) may differ."""
        event = self.event()
        event._ok, event._value = True, None
        self._at(time, event, priority)
        return event

    def _at(self, time: float, event: simpy.Event, priority: int = NORMAL) -> None:
        queue: list[Any] = self._queue
        heappush(queue, (time, priority, next(self._eid), event))

    def run(self, until: float | simpy.Event | None = None) -> Any:
        """Run to a time (before what else happens at that time), an event, or the end.

        Raises:
            ValueError: the time has passed.
        """
        if until is None or isinstance(until, simpy.Event):
            return super().run(until)
        if until <= self.now:
            raise ValueError(f"until is {until}; it must be after {self.now}")
        return super().run(self.at(float(until), URGENT))

    def submit(self, task: Task) -> simpy.Event:
        """Bring a task to the market now; the event fires with its `Outcome` at the answer.

        Raises:
            ValueError: the class, the offer or a changed field is unknown or out of range.
        """
        k = self._index(self._kinds, task.kind, "task class")
        unknown = sorted(set(task.changes) - set(_CHANGES))
        if unknown:
            raise ValueError(f"unknown field {unknown[0]}; fields are {', '.join(_CHANGES)}")
        for name, value in task.changes.items():
            endless = name in ("deadline", "patience")
            if math.isnan(value) or (name != "difficulty" and value < 0):
                raise ValueError(f"{name} is {value}; it must be 0 or more")
            if math.isinf(value) and not endless:
                raise ValueError(f"{name} is {value}; it must be finite")
        engine = self.engine
        engine.make_place()
        st = engine.state
        kind = st.classes[k]
        with np.errstate(over="ignore"):
            id_ = hashed(kind["key"], SUBMIT, task.parent, task.child)
            drawn_by = np.uint64(task.parent) if task.same else id_
            st.clock[0]["free"] -= 1
            i = int(st.free[st.clock[0]["free"]])
            fresh(st, i)
            workload.draw(st.tasks, i, k, drawn_by, self.now, kind, st.laws[k], st.tables)
            place = st.tasks[i]
            place["id"], place["watched"] = id_, 1
            if "value" in task.changes and kind["delay_share"]:
                share = float(st.laws[k, workload.DELAY_COST]["a"])
                place["delay_cost"] = share * task.changes["value"]
            for name, value in task.changes.items():
                place[name] = value
            place["own"] = int(bool(task.changes))
            if task.offer is not None:
                place["pinned"] = self._index(self._offers, task.offer, "offer")
            announce(st, i, self.now)
        event = self.event()
        self._watched[i] = event
        return event

    @staticmethod
    def _index(names: list[str], name: str, what: str) -> int:
        if name not in names:
            raise ValueError(f'unknown {what} "{name}"; known: {", ".join(names[:20])}')
        return names.index(name)

    def deliver(self) -> None:
        """Fire the events of watched tasks that have ended, each at the time of its answer."""
        st = self.engine.state
        self._now = max(self._now, self.engine.now)
        st.clock[0]["current"] = -1
        ended = [i for i in self._watched if st.tasks[i]["watched"] >= 2]
        if not ended:
            return
        rows = {int(r["id"]): r for r in st.trades[: st.clock[0]["rows"]]}
        for i in ended:
            event = self._watched.pop(i)
            row = rows[int(st.tasks[i]["id"])]
            self.engine.give_back(i)
            event._ok, event._value = True, self._outcome(row)
            answer = row["answer"]
            self._at(self._now if math.isnan(answer) else max(float(answer), self._now), event)

    def _outcome(self, row: Any) -> Outcome:
        return Outcome(
            id=int(row["id"]), status=STATUS[int(row["status"])],
            offer=self._offers[int(row["offer"])] if row["offer"] >= 0 else None,
            arrival=float(row["arrival"]), answer=float(row["answer"]),
            sojourn=float(row["sojourn"]), wait=float(row["wait"]), right=bool(row["right"]),
            late=bool(row["late"]),
            paid=float(row["price"] - row["refund"] - row["penalty"]) * 1e-9,
            surplus=float(row["surplus"]),
        )  # fmt: skip

    def _decide(self) -> None:
        """Ask the class's Python rule and carry out what it says.

        Raises:
            ValueError: the rule names an offer that is not on show, or a price that is none.
        """
        st = self.engine.state
        clock = st.clock[0]
        i, clock["current"] = int(clock["current"]), -1
        self._now = max(self._now, self.engine.now)
        task = st.tasks[i]
        k = int(task["kind"])
        quotes = {
            self._offers[int(st.shown[j])]: (int(st.shown[j]), self._quote(k, j, i))
            for j in range(clock["on_show"])
            if st.score[j] > -math.inf
        }
        ask = Ask(
            id=int(task["id"]), kind=self._kinds[k], time=float(task["time"]),
            input=float(task["input"]), output=float(task["output"]), value=float(task["value"]),
            loss=float(st.classes[k]["loss"]), delay_cost=float(task["delay_cost"]),
            deadline=float(task["deadline"]),
        )  # fmt: skip
        answer = self.rules[k](ask, [quote for _, quote in quotes.values()])
        award = Award(answer) if isinstance(answer, str) else answer
        with np.errstate(over="ignore"):
            if award is None:
                kernel.decide(st, i, -1, math.nan, 0.0)
                return
            if award.offer not in quotes:
                raise ValueError(f'the rule chose "{award.offer}", which is not on show')
            price = math.nan if award.price is None else float(award.price)
            if award.price is not None and not 0 <= price < math.inf:
                raise ValueError(f"the rule's price is {award.price}; it must be 0 USD or more")
            o, quote = quotes[award.offer]
            kernel.decide(st, i, o, price, quote.utility)

    def _quote(self, k: int, place: int, i: int) -> Quote:
        st = self.engine.state
        o = int(st.shown[place])
        cell = st.cells[k, o]
        name = self._offers[o]
        seller = self.engine.market.sellers[int(st.offers[o]["seller"])]
        with np.errstate(over="ignore"):
            taste = float(taste_for(st, k, o, st.tasks[i]["id"]))
            ask = float(ask_for(st, k, o, i))
        return Quote(
            offer=name, seller=seller.name, owner=seller.owned_by, effort=name.split("/", 1)[1],
            ask=ask, utility=float(st.score[place]), taste=taste, accuracy=float(cell["accuracy"]),
            on_time=float(cell["timely"]), served=float(cell["served"]), time=float(cell["time"]),
        )  # fmt: skip
