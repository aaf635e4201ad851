"""The economy: sellers, buyer populations and the platform as Mesa agents on a SimPy clock.

Mesa holds the agents and owns neither clock nor randomness nor results: the clock is SimPy's,
the market between two of its events is cleared by the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mesa
import numpy as np
import simpy
from simpy.events import NORMAL

from ..market.clock import Clock
from ..market.engine import Engine
from ..market.messages import Task
from ..market.schema.demand import TaskClass
from ..market.schema.errors import shown
from ..market.schema.fields import whole
from ..market.schema.market import Enter, Event, Exit, Market, Outage, PriceChange
from ..market.schema.negotiation import Negotiation
from .contracts import Customers, Waits
from .negotiation import negotiator
from .seller import Process, SellerAgent


class BuyerPopulation(mesa.Agent):
    """The buyers of one task class: a Python choice rule, if they have one, decides for them.

    Where sellers offer contracts they are `customers`, who choose one for each period.
    """

    def __init__(self, model: Economy, spec: TaskClass, index: int) -> None:
        """Take the class's spec and its number in the kernel."""
        super().__init__(model)
        self.spec = spec
        self.index = index
        self.customers = Customers(model.engine, index) if model.market.contracts else None
        if callable(spec.choice):
            model.clock.rules[index] = spec.choice


class PlatformAgent(mesa.Agent):
    """The marketplace: runs a Python mechanism, if there is one, ranks, and what is scheduled."""

    def __init__(self, model: Economy) -> None:
        """Install the mechanism for every class."""
        super().__init__(model)
        self.economy = model
        mechanism = model.market.mechanism
        if isinstance(mechanism, Negotiation):
            mechanism = negotiator(mechanism, model.market.platform.commission)
        if callable(mechanism):
            for k in range(len(model.market.tasks)):
                model.clock.rules[k] = mechanism

    def keep_ranking(self) -> Process:
        """Rank offers by rating every period; what buyers have said in between counts then."""
        period, turn = self.economy.market.platform.rerank_every, 1
        while True:
            yield self.economy.clock.at(turn * period)
            self.economy.engine.rank()
            turn += 1

    def await_event(self, event: Event) -> Process:
        """Let one scheduled event of the spec happen at its time; at one time, as listed."""
        yield self.economy.clock.at(event.at)
        self.happen(event)

    def happen(self, event: Event) -> None:
        """Let one scheduled event happen now."""
        seller = self.economy.seller(event.seller)
        if isinstance(event, PriceChange):
            seller.set_prices(event.price)
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
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
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
        """Build the state and the agents; the arguments are those of `Engine`.

        Raises:
            TypeError: market is not a `Market`.
            ValueError: the seed is no whole number from 0 to 2⁶³ − 1.
        """
        if not isinstance(market, Market):
            raise TypeError(f"market is {shown(market)}; give a Market, such as walras.load makes")
        seed = whole("seed", seed, 0, 2**63 - 1, "2^63 − 1")
        super().__init__(rng=np.random.default_rng(0))
        self.market = market
        self.seed = seed
        self.engine = Engine(market, seed, warmup=warmup, share=share, base=base, keep=keep)
        self.clock = Clock(self.engine)
        self.sellers = [
            SellerAgent(self, seller, s, self.clock, seed)
            for s, seller in enumerate(market.sellers)
        ]
        self.buyers = [BuyerPopulation(self, task, k) for k, task in enumerate(market.tasks)]
        self.platform = PlatformAgent(self)
        # Mesa 3 numbers agents in a table of their class that keeps every model for ever.
        getattr(mesa.Agent, "_ids", {}).pop(self, None)
        for seller in self.sellers:
            self.clock.process(seller.live())
        for event in market.events:
            self.clock.process(self.platform.await_event(event))
        if market.platform.ranking == "rating":
            self.clock.process(self.platform.keep_ranking())
        if market.contracts:
            self.clock.process(self.renew_contracts())

    def seller(self, name: str) -> SellerAgent:
        """Return a seller by name.

        Raises:
            KeyError: there is none.
        """
        for seller in self.sellers:
            if seller.spec.name == name:
                return seller
        raise KeyError(name)

    def renew_contracts(self) -> Process:
        """Let all customers choose at the start of each period, after whatever else agents do."""
        waits, period = Waits(self.engine), self.market.platform.contract_period
        number = 0
        while True:
            yield self.clock.at(number * period, NORMAL + 1)
            self.engine.state.clock[0]["period"] = number
            if number > 0:
                waits.learn()
            for buyers in self.buyers:
                if buyers.customers is not None:
                    if number > 0:
                        buyers.customers.learn()
                    buyers.customers.choose(waits, self.clock.now)
            number += 1

    def submit(self, task: Task) -> simpy.Event:
        """Bring a task to the market; the event fires with its outcome (see `Clock.submit`)."""
        return self.clock.submit(task)

    def advance(self, until: float) -> None:
        """Run clock and market to a time, seconds; completions at that instant included.

        Raises:
            ValueError: the time has passed or is not finite.
        """
        if not self.clock.now <= until < math.inf:
            raise ValueError(f"until is {until}; it must be finite and not before {self.clock.now}")
        if until > self.clock.now:
            self.clock.run(until=until)

    def forget(self) -> None:
        """Start counting anew; what sellers have seen of their own trades stays with them."""
        self.engine.close_epoch()
        for seller in self.sellers:
            seller.remember()
        state = self.engine.state
        state.stats[...] = np.zeros((), state.stats.dtype)
        for name in ("run_time", "wait_time", "busy", "up_time", "slot_time", "open_time"):
            state.sellers[name] = 0.0
