"""A seller as an agent: opens, reprices by its strategy, fails, grows, and counts its trades."""

from __future__ import annotations

import math
import numbers
from collections.abc import Generator, Mapping
from typing import Any

import mesa
import numpy as np
import simpy

from ..market.clock import Clock
from ..market.rng import name_key, uniform
from ..market.schema.market import AddSlots, Outage
from ..market.schema.supply import HIGHEST_PRICE, Seller
from .strategies import Decision, Me, Rival, Strategy, checked, strategy_in, strategy_of

Process = Generator[simpy.Event, Any, None]


class SellerAgent(mesa.Agent):
    """A seller: opens, reprices by its strategy, and carries out what happens to it."""

    def __init__(
        self, model: mesa.Model, spec: Seller, index: int, clock: Clock, seed: int
    ) -> None:
        """Take the seller's spec, its number in the kernel, the clock and the run's seed."""
        super().__init__(model)
        self.clock, self.engine, self.market = clock, clock.engine, clock.engine.market
        self.seed = seed
        self.spec = spec
        self.index = index
        first = self.market.offers.index(spec.offers[0])
        self.offers = dict(zip(spec.effort, range(first, first + len(spec.effort)), strict=True))
        self.prices = dict.fromkeys(spec.effort, spec.price.lever)
        """The lever of each effort level: USD/Mtok of output, or USD/task."""
        self._posted, self._since = dict.fromkeys(spec.effort, 0.0), 0.0
        self._strategy = strategy_in(strategy_of(spec.pricing), self.market, spec.name)
        self._decisions = 0
        self._before: dict[str, float] = {}
        self._seen = self._count()

    def live(self) -> Process:
        """Open when it is time, then reprice every period, at a phase of the seller's own.

        The phase hangs on the name alone: other seeds and other sellers do not move it.
        """
        clock = self.clock
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
        self.engine.list_seller(self.index, is_open, self.clock.now)

    def set_prices(self, price: float | Mapping[str, float]) -> None:
        """Post a new price (USD/Mtok of output, or USD/task) for all effort levels, or by level.

        Raises:
            ValueError: a price is not a number from 0 to a million USD.
        """
        new: Mapping[str, Any] = (
            price if isinstance(price, Mapping) else dict.fromkeys(self.offers, price)
        )
        for effort, lever in new.items():
            if effort not in self.offers:
                raise ValueError(f'"{self.spec.name}" has no effort level "{effort}"')
            if not (isinstance(lever, numbers.Real) and 0 <= float(lever) <= HIGHEST_PRICE):
                raise ValueError(
                    f'the price of "{self.spec.name}" is {lever}; '
                    f"it must be from 0 to {HIGHEST_PRICE:,.0f} USD"
                )
        self.posted()
        for effort, lever in new.items():
            self.prices[effort] = float(lever)
            self.engine.set_price(self.offers[effort], price=float(lever))

    def posted(self) -> list[float]:
        """Return the integral of each effort level's price over time so far, lever · seconds."""
        now = self.clock.now
        for effort, price in self.prices.items():
            self._posted[effort] += price * (now - self._since)
        self._since = now
        return list(self._posted.values())

    def on_offer(self) -> list[str]:
        """Return the effort levels that are on the market; none while the seller is closed."""
        state = self.engine.state
        if not state.sellers[self.index]["listed"]:
            return []
        return [effort for effort, o in self.offers.items() if state.offers[o]["listed"]]

    def fail(self, outage: Outage) -> Process:
        """Go through an outage, from its start to its repair."""
        engine, clock = self.engine, self.clock
        engine.begin_outage(self.index, outage.in_service, clock.now)
        clock.deliver()
        yield clock.timeout(outage.duration)
        engine.end_outage(self.index, clock.now)

    def grow(self, order: AddSlots) -> Process:
        """Order slots and use them when they come."""
        yield self.clock.timeout(order.lead_time)
        self.engine.add_slots(self.index, order.slots, self.clock.now)

    def decide(self, strategy: Strategy) -> Decision:
        """Ask a strategy for a decision and carry it out.

        Raises:
            ValueError: the strategy answered something that is not a price.
        """
        me = self.look()
        key = [self.seed, int(name_key("pricing", self.spec.name)), self._decisions]
        decision = checked(strategy(me, self.rivals(), np.random.default_rng(key)), me)
        self._decisions += 1
        self.set_prices(decision.price)
        if decision.efforts is not None:
            for effort, offer in self.offers.items():
                self.engine.list_offer(offer, effort in decision.efforts)
        return decision

    def look(self) -> Me:
        """Return what the seller sees of itself; counts start anew at each look."""
        engine, clock = self.engine, self.clock
        state = engine.state.sellers[self.index]
        now, before = self._count(), self._seen
        self._seen = now
        capacity = now["slot_time"] - before["slot_time"]
        busy = now["run_time"] - before["run_time"]
        return Me(
            name=self.spec.name, owner=self.spec.owned_by, now=clock.now,
            prices=dict(self.prices), first_price=self.spec.price.lever,
            unit_cost=self.unit_cost(), tick=self.tick(), by_token=self.spec.price.by_token,
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
        """Return what other owners' sellers that serve a common task class post."""
        skills = {task.skill for task in self.market.tasks}
        mine = {skill for skill in skills if self.spec.serves(skill)}
        found = []
        for other in self.model.agents:
            if not isinstance(other, SellerAgent):
                continue
            theirs, spec = other.on_offer(), other.spec
            if spec.owned_by != self.spec.owned_by and theirs and any(map(spec.serves, mine)):
                prices = {effort: other.prices[effort] for effort in theirs}
                found.append(Rival(spec.name, spec.owned_by, prices, spec.price.by_token))
        return found

    def tick(self) -> float:
        """Return the smallest price step, in the unit of the lever."""
        return self.spec.tick or 0.01 * self.spec.price.lever or 0.01

    def unit_cost(self) -> float:
        """Return the lever at which a sale just covers marginal cost, commission and advertising.

        Over the classes the seller serves, weighted by their arrival rates, effort levels alike:
        p with Σ w·(p · units + what else is charged)·(1 − commission) = Σ w·cost.
        """
        posted, by_token = self.spec.price, self.spec.price.by_token
        cost, units, else_charged = 0.0, 0.0, 0.0
        for k in range(len(self.market.tasks)):
            weight = self.engine.arrival_rate(k)
            for cell in self.engine.state.cells[k, list(self.offers.values())]:
                if not cell["serves"]:
                    continue
                factor = float(self.engine.state.sellers[self.index]["factor"])
                cost += weight * (float(cell["cost"]) * factor + float(cell["fee"]))
                if by_token:  # per million output tokens; the input price moves along
                    ratio = posted.input / posted.output
                    units += weight * float(ratio * cell["tokens_in"] + cell["billed_out"]) / 1e6
                    else_charged += weight * posted.task
                else:
                    units += weight
                    else_charged += weight * posted.input * float(cell["tokens_in"]) / 1e6
        if units == 0:
            return 0.0
        keep = 1.0 - self.market.platform.commission
        return max(cost / keep - else_charged, 0.0) / units

    def remember(self) -> None:
        """Keep what has been counted so far: the market is about to start counting anew."""
        self._before = self._count()

    def _count(self) -> dict[str, float]:
        """Return totals since the start: money in nano-dollars, times in slot-seconds."""
        state = self.engine.state
        seller, stats = state.sellers[self.index], state.stats[:, list(self.offers.values())]
        kept = stats["paid"] - stats["refund"] - stats["penalty"] - stats["commission"]
        cost = stats["cost"] + stats["advertising"]
        kept = kept + stats["fee"]
        dt = self.clock.now - float(seller["touched"])
        slots = float(seller["slots"])
        since = {
            "assigned": stats["assigned"].sum(), "served": stats["served"].sum(),
            "revenue": kept.sum(), "profit": kept.sum() - cost.sum(),
            "run_time": seller["run_time"] + dt * seller["running"],
            "slot_time": seller["slot_time"] + (0.0 if math.isinf(slots) else dt * slots),
        }  # fmt: skip
        return {name: self._before.get(name, 0.0) + float(x) for name, x in since.items()}
