"""The clock: a SimPy environment that clears the market up to each of its events.

Agents are ordinary SimPy processes. Before an event happens the kernel is advanced to its time,
so a million tasks can clear between two events, and every process sees the market as it is then.
"""

from __future__ import annotations

import math
from heapq import heappush
from typing import Any

import numpy as np
import simpy
from simpy.core import EmptySchedule
from simpy.events import NORMAL, URGENT

from . import acts, kernel, workload
from .asking import ask_of, quote_of
from .engine import Engine
from .jit import plain
from .messages import Award, Changes, Outcome, Rule, Task, awarded, name_of
from .outcome import fresh
from .outlook import is_open
from .rng import SUBMIT, hashed
from .schema.fields import whole
from .state import BALKED, CALLING, DECIDE, FAILED, HORIZON, RENEGED, SERVED

STATUS = {SERVED: "served", BALKED: "balked", RENEGED: "reneged", FAILED: "failed"}


class Clock(simpy.Environment):
    """SimPy's clock over an engine; `step` clears the market to the time of the next event.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
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
        self._asked = -1
        """The task that a rule is asked about at the moment."""
        self._watched: dict[int, simpy.Event] = {}
        self._drawn_by: dict[int, int] = {}
        """Whose draws each submitted task has, by id."""
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
            ValueError: the class, the offer or a changed field is unknown or out of range, or a
                task of this kind, parent and child has been submitted before.
        """
        if not isinstance(task, Task):
            raise TypeError(f"submit takes a Task, not {task!r}")
        if task.same and not task.parent:
            raise ValueError("same=True asks a parent's question again: give its id as parent")
        k = _index(self._kinds, task.kind, "task class")
        pinned = -1 if task.offer is None else _index(self._offers, task.offer, "offer")
        changes = Changes(**dict(task.changes))
        changed = {name: getattr(changes, name) for name in changes.model_fields_set}
        id_ = self._new_id(k, task)
        engine = self.engine
        engine.make_place()
        st = engine.state
        kind = st.classes[k]
        with np.errstate(over="ignore"):
            first = self._drawn_by.get(task.parent, task.parent) if task.same else int(id_)
            self._drawn_by[int(id_)] = first
            drawn_by = np.uint64(first)
            st.clock[0]["free"] -= 1
            i = int(st.free[st.clock[0]["free"]])
            plain(fresh)(st, i)
            workload.draw(st.tasks, i, k, drawn_by, self.now, kind, st.laws[k], st.tables)
            place = st.tasks[i]
            place["id"], place["watched"] = id_, 1
            if kind["recorded_in"] or kind["recorded_out"] or kind["recorded_value"]:
                tokens_in, tokens_out, worth = engine.recorded_row(k, drawn_by)
                place["input"] = tokens_in if kind["recorded_in"] else place["input"]
                place["output"] = tokens_out if kind["recorded_out"] else place["output"]
                if kind["recorded_value"]:
                    workload.record_value(place, kind, st.laws[k], worth)
            if "deadline" in changed and kind["patience"] == 1:  # it waits as long as it is due
                place["patience"] = changed["deadline"]
            if "value" in changed and kind["delay_share"]:
                share = float(st.laws[k, workload.DELAY_COST]["a"])
                place["delay_cost"] = share * changed["value"]
            for name, value in changed.items():
                place[name] = value
            place["own"] = int(bool(changed))
            place["pinned"] = pinned
            acts.send(st, i, self.now)
        event = self.event()
        self._watched[i] = event
        return event

    def _new_id(self, k: int, task: Task) -> np.uint64:
        """Return the id of a submitted task; two with one id would share tastes and answers."""
        parent, child = (
            whole(name, getattr(task, name), 0, 2**64 - 1, "2^64 − 1")
            for name in ("parent", "child")
        )
        with np.errstate(over="ignore"):
            id_ = hashed(self.engine.state.classes[k]["key"], SUBMIT, parent, child)
        if int(id_) in self._drawn_by:
            raise ValueError(
                f'a task "{task.kind}" with parent {parent} and child {child} has been submitted '
                "before; give each task, and each attempt at one, a child number of its own"
            )
        return id_

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
            ValueError: the rule answered what is no award, names an offer that is not on show,
                or a price that is none.
        """
        st = self.engine.state
        clock = st.clock[0]
        i, clock["current"] = int(clock["current"]), -1
        self._now = max(self._now, self.engine.now)
        task = st.tasks[i]
        k = int(task["kind"])
        shown = [(int(st.shown[j]), float(st.score[j])) for j in range(clock["on_show"])]
        quotes = {
            self._offers[o]: (o, quote_of(self.engine, k, o, i, score, lambda: self._asked == i))
            for o, score in shown if score > -math.inf
        }  # fmt: skip
        ask = ask_of(self.engine, k, i)
        rule = self.rules[k]
        self._asked = i
        award = awarded(rule(ask, [quote for _, quote in quotes.values()]), rule) or Award(None)
        if award.offer is not None and award.offer not in quotes:
            raise ValueError(
                f'the rule `{name_of(rule)}` chose "{award.offer}", which is not on show; '
                f"on show: {', '.join(quotes) or 'nothing'}"
            )
        after = float(award.after)
        o, price, utility = -1, math.nan, 0.0
        if award.offer is not None:
            o, now = quotes[award.offer]
            then = now.after(after)
            # What the buyer expects at the price agreed, not at the price that was posted.
            price = math.nan if award.price is None else float(award.price)
            utility = then.utility if award.price is None else then.at(price)
        self._asked = -1
        if after > 0.0:
            self._talk(i, after, o, price, utility)
            return
        with np.errstate(over="ignore"):
            kernel.decide(st, i, o, price, utility)

    def _talk(self, i: int, after: float, o: int, price: float, utility: float) -> None:
        """Keep a task until what was agreed about it is carried out, as an agent's event.

        The kernel has no part in it: a task that it has asked about is in nobody's queue. Whose
        seller has closed or failed in the meantime does without, and so does, when its patience is
        over, one that would not wait so long.
        """
        patience = float(self.engine.state.tasks[i]["patience"])
        if after > patience:
            after, o = patience, -1
        self.engine.state.tasks[i]["state"] = CALLING
        self.engine.state.clock[0]["calling"] += 1

        def carry_out(_: simpy.Event) -> None:
            st = self.engine.state
            st.clock[0]["calling"] -= 1
            is_there = o >= 0 and plain(is_open)(st, o)
            with np.errstate(over="ignore"):
                if is_there:
                    kernel.decide(st, i, o, price, utility)
                else:
                    kernel.decide(st, i, -1, math.nan, 0.0)
            self.deliver()

        done = self.at(self.engine.now + after)
        callbacks: Any = done.callbacks
        callbacks.append(carry_out)


def _index(names: list[str], name: str, what: str) -> int:
    if name not in names:
        raise ValueError(f'unknown {what} "{name}"; known: {", ".join(names[:20])}')
    return names.index(name)
