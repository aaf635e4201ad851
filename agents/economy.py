"""The economy: sellers, buyer populations and the platform as Mesa agents on a SimPy clock.

Mesa holds the agents and owns neither clock nor randomness nor results: the clock is SimPy's,
the market between two of its events is cleared by the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mesa
import numpy as np
import simpy

from ..market.clock import Clock, Task
from ..market.engine import Engine
from ..market.rng import name_key, uniform
from ..market.spec import (
    AddSlots,
    Enter,
    Event,
    Exit,
    Market,
    Outage,
    PriceChange,
    Seller,
    TaskClass,
)  # fmt: skip
from .strategies import Decision, Me, Rival, Strategy, checked, strategy_of

Process = Generator[simpy.Event, Any, None]


class SellerAgent(mesa.Agent):
    """A seller: opens, reprices by its strategy, and carries out what happens to it."""

    def __init__(self, model: Economy, spec: Seller, index: int) -> None:
        """Take the seller's spec and its number in the kernel."""
        super().__init__(model)
        self.economy = model
        self.spec = spec
        self.index = index
        self.price = spec.price.lever
        first = model.market.offers.index(spec.offers[0])
        self.offers = dict(zip(spec.effort, range(first, first + len(spec.effort)), strict=True))
        self._strategy = strategy_of(spec.pricing)
        self._decisions = 0
        self._last = self._count()

    def live(self) -> Process:
        """Open when it is time, then reprice every period, at a phase of the seller's own."""
        clock = self.economy.clock
        if self.spec.enters > 0:
            yield clock.at(self.spec.enters)
            self.open(True)
        if self._strategy is None:
            return
        period = self.spec.reprice_every
        yield clock.timeout(period * uniform(name_key("phase", self.spec.name)))
        while True:
            self.decide(self._strategy)
            yield clock.timeout(period)

    def open(self, is_open: bool) -> None:
        """Come to the market, or leave it; tasks already taken are finished."""
        self.economy.engine.list_seller(self.index, is_open, self.economy.clock.now)

    def set_price(self, price: float, effort: str | None = None) -> None:
        """Post a new price (USD/Mtok of output, or USD/task), for one effort level or all."""
        for name, offer in self.offers.items():
            if effort in (None, name):
                self.economy.engine.set_price(offer, price=price)
        self.price = price

    def fail(self, outage: Outage) -> Process:
        """Go through an outage, from its start to its repair."""
        engine, clock = self.economy.engine, self.economy.clock
        engine.begin_outage(self.index, outage.in_service, clock.now)
        clock.deliver()
        yield clock.timeout(outage.duration)
        engine.end_outage(self.index, clock.now)

    def grow(self, order: AddSlots) -> Process:
        """Order slots and use them when they come."""
        yield self.economy.clock.timeout(order.lead_time)
        self.economy.engine.add_slots(self.index, order.slots, self.economy.clock.now)

    def decide(self, strategy: Strategy) -> Decision:
        """Ask a strategy for a decision and carry it out.

        Raises:
            ValueError: the strategy answered something that is not a price.
        """
        me = self.look()
        key = [self.economy.seed, int(name_key("pricing", self.spec.name)), self._decisions]
        decision = checked(strategy(me, self.rivals(), np.random.default_rng(key)), me)
        self._decisions += 1
        if isinstance(decision.price, Mapping):
            for effort, price in decision.price.items():
                self.set_price(float(price), effort)
        else:
            self.set_price(float(decision.price))
        if decision.efforts is not None:
            for effort, offer in self.offers.items():
                self.economy.engine.list_offer(offer, effort in decision.efforts)
        return decision

    def look(self) -> Me:
        """Return what the seller sees of itself; counts start anew at each look."""
        engine, clock = self.economy.engine, self.economy.clock
        state = engine.state.sellers[self.index]
        now, before = self._count(), self._last
        self._last = now
        capacity = now["slot_time"] - before["slot_time"]
        busy = now["run_time"] - before["run_time"]
        return Me(
            name=self.spec.name, owner=self.spec.owned_by, now=clock.now, price=self.price,
            first_price=self.spec.price.lever, unit_cost=self.unit_cost(), tick=self.tick(),
            by_token=self.spec.price.by_token,
            efforts={e: bool(engine.state.offers[o]["listed"]) for e, o in self.offers.items()},
            slots=float(state["slots"]), running=int(state["running"]),
            waiting=int(state["waiting"]),
            utilisation=busy / capacity if capacity > 0 else math.nan,
            assigned=int(now["assigned"] - before["assigned"]),
            served=int(now["served"] - before["served"]),
            revenue=(now["revenue"] - before["revenue"]) * 1e-9,
            profit=(now["profit"] - before["profit"]) * 1e-9,
            period=self.spec.reprice_every,
        )  # fmt: skip

    def rivals(self) -> list[Rival]:
        """Return the posted prices of other owners' sellers that serve a common task class."""
        found = []
        for other in self.economy.sellers:
            common = any(
                self.spec.serves(t.skill) and other.spec.serves(t.skill)
                for t in self.economy.market.tasks
            )
            listed = self.economy.engine.state.sellers[other.index]["listed"]
            if other.spec.owned_by != self.spec.owned_by and common and listed:
                found.append(
                    Rival(other.spec.name, other.spec.owned_by, other.price,
                          other.spec.price.by_token)
                )  # fmt: skip
        return found

    def tick(self) -> float:
        """Return the smallest price step, in the unit of the lever."""
        return self.spec.tick or 0.01 * self.spec.price.lever or 0.01

    def unit_cost(self) -> float:
        """Return the lever at which a sale just covers marginal cost and commission.

        Over the classes the seller serves, weighted by their arrival rates, effort levels alike:
        p with Σ w·(p · tokens + per-task price)·(1 − commission) = Σ w·cost.
        """
        cells, offers = self.economy.engine.state.cells, self.economy.engine.state.offers
        ratio = self.spec.price.input / self.spec.price.output if self.spec.price.by_token else 0.0
        cost, units, fixed = 0.0, 0.0, 0.0
        for k, task in enumerate(self.economy.market.tasks):
            rate = self.economy.market.arrival_rate(task)
            weight = rate if math.isfinite(rate) else 1.0
            for o in self.offers.values():
                cell = cells[k, o]
                if cell["serves"]:
                    cost += weight * float(cell["cost"])
                    tokens = ratio * cell["tokens_in"] + cell["billed_out"]
                    units += weight * (tokens / 1e6 if self.spec.price.by_token else 1.0)
                    fixed += weight * (offers[o]["price_task"] if self.spec.price.by_token else 0.0)
        keep = 1.0 - self.economy.market.platform.commission
        return max(cost / keep - fixed, 0.0) / units if units > 0 else 0.0

    def _count(self) -> dict[str, float]:
        """Return totals since the start: money in nano-dollars, times in slot-seconds."""
        engine, s = self.economy.engine, self.index
        seller = engine.state.sellers[s]
        total = self.economy.totals
        mine = list(self.offers.values())
        stats = engine.state.stats[:, mine]
        kept = stats["paid"] - stats["refund"] - stats["penalty"] - stats["commission"]
        dt = self.economy.clock.now - float(seller["touched"])
        slots = float(seller["slots"])
        return {
            "assigned": total[s]["assigned"] + stats["assigned"].sum(),
            "served": total[s]["served"] + stats["served"].sum(),
            "revenue": total[s]["revenue"] + kept.sum(),
            "profit": total[s]["revenue"] - total[s]["cost"] + kept.sum() - stats["cost"].sum(),
            "run_time": total[s]["run_time"] + seller["run_time"] + dt * seller["running"],
            "slot_time": total[s]["slot_time"] + seller["slot_time"]
            + (0.0 if math.isinf(slots) else dt * slots),
        }  # fmt: skip


class BuyerPopulation(mesa.Agent):
    """The buyers of one task class; a Python choice rule, if they have one, decides for them."""

    def __init__(self, model: Economy, spec: TaskClass, index: int) -> None:
        """Take the class's spec and its number in the kernel."""
        super().__init__(model)
        self.spec = spec
        self.index = index
        if callable(spec.choice):
            model.clock.rules[index] = spec.choice


class PlatformAgent(mesa.Agent):
    """The marketplace: runs a Python mechanism, if there is one, and what is scheduled."""

    def __init__(self, model: Economy) -> None:
        """Install the mechanism for every class."""
        super().__init__(model)
        self.economy = model
        mechanism = model.market.mechanism
        if callable(mechanism):
            for k in range(len(model.market.tasks)):
                model.clock.rules[k] = mechanism

    def await_event(self, event: Event) -> Process:
        """Let one scheduled event of the spec happen at its time; at one time, as listed."""
        yield self.economy.clock.at(event.at)
        self.happen(event)

    def happen(self, event: Event) -> None:
        """Let one scheduled event happen now."""
        seller = self.economy.seller(event.seller)
        if isinstance(event, PriceChange):
            seller.set_price(event.price)
        elif isinstance(event, Exit):
            seller.open(False)
        elif isinstance(event, Enter):
            seller.open(True)
        elif isinstance(event, Outage):
            self.economy.clock.process(seller.fail(event))
        else:
            self.economy.clock.process(seller.grow(event))


class Economy(mesa.Model):
    """A market with its agents, ready to run.

    Example:
        >>> from walras.market.arrivals import Poisson
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> economy = Economy(Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)]), seed=3)
        >>> economy.advance(50.0)
        >>> economy.clock.now
        50.0
    """

    def __init__(
        self, market: Market, seed: int, *, warmup: float = 0.0,
        share: float | Sequence[float] = 1.0, base: Path = Path(),
        keep: Callable[[Any], None] | None = None,
    ) -> None:  # fmt: skip
        """Build the state and the agents; the arguments are those of `Engine`."""
        super().__init__(rng=np.random.default_rng(0))
        self.market = market
        self.seed = seed
        self.engine = Engine(market, seed, warmup=warmup, share=share, base=base, keep=keep)
        self.clock = Clock(self.engine)
        self.totals = [
            dict.fromkeys(("assigned", "served", "revenue", "cost", "run_time", "slot_time"), 0.0)
            for _ in market.sellers
        ]
        self.sellers: list[SellerAgent] = []
        for s, seller in enumerate(market.sellers):
            self.sellers.append(SellerAgent(self, seller, s))
        self.buyers = [BuyerPopulation(self, task, k) for k, task in enumerate(market.tasks)]
        self.platform = PlatformAgent(self)
        for seller in self.sellers:
            self.clock.process(seller.live())
        for event in market.events:
            self.clock.process(self.platform.await_event(event))

    def seller(self, name: str) -> SellerAgent:
        """Return a seller by name.

        Raises:
            KeyError: there is none.
        """
        for seller in self.sellers:
            if seller.spec.name == name:
                return seller
        raise KeyError(name)

    def submit(self, task: Task) -> simpy.Event:
        """Bring a task to the market; the event fires with its outcome (see `Clock.submit`)."""
        return self.clock.submit(task)

    def advance(self, until: float) -> None:
        """Run clock and market to a time, seconds; completions at that instant included."""
        if until > self.clock.now:
            self.clock.run(until=until)

    def forget(self) -> None:
        """Move what has been counted into the sellers' totals and start counting anew."""
        state = self.engine.state
        stats = state.stats
        kept = stats["paid"] - stats["refund"] - stats["penalty"] - stats["commission"]
        for total, seller in zip(self.totals, self.sellers, strict=True):
            mine = list(seller.offers.values())
            total["assigned"] += stats["assigned"][:, mine].sum()
            total["served"] += stats["served"][:, mine].sum()
            total["revenue"] += kept[:, mine].sum()
            total["cost"] += stats["cost"][:, mine].sum()
            total["run_time"] += state.sellers[seller.index]["run_time"]
            total["slot_time"] += state.sellers[seller.index]["slot_time"]
        stats[...] = np.zeros((), stats.dtype)
        for name in ("run_time", "wait_time", "busy", "up_time", "slot_time", "open_time"):
            state.sellers[name] = 0.0
