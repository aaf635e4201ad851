"""What an offer charges, and what buyers have met at it."""

from __future__ import annotations

import math
from typing import NamedTuple

from walras.market.schema.market import Market


class Law(NamedTuple):
    """Law of the time to the answer: waits with a chance, then gamma; then served at a rate."""

    chance: float
    wait: float
    shape: float
    rate: float


class Terms:
    """An offer's rates, USD per token and per task, and what it makes of a task."""

    def __init__(self, market: Market, seller: int, effort: str, owner: int) -> None:
        spec = market.sellers[seller]
        self.spec, self.seller, self.owner = spec, seller, owner
        self.thinking, self.verbosity = spec.effort[effort], spec.verbosity
        self.prefill = spec.speed / spec.prefill_rate
        self.outside = spec.startup_time + spec.network_time
        self.price = [spec.price.task, spec.price.input / 1e6, spec.price.output / 1e6]
        self.cost = [spec.cost.task, spec.cost.input / 1e6, spec.cost.output / 1e6]

    def move(self, lever: float) -> None:
        """Change the output price, input in proportion, or the price per task."""
        rates = self.spec.price
        if rates.by_token:
            self.price[1:] = [lever / 1e6 * (rates.input / rates.output), lever / 1e6]
        else:
            self.price[0] = lever

    def billed(self, output: float) -> float:
        """Return the output tokens that are billed."""
        return output * self.verbosity + self.thinking


def charge(rates: list[float], tokens_in: float, tokens_out: float) -> float:
    """Return what tokens cost at rates (per task, per input, per output token), USD."""
    return rates[0] + rates[1] * tokens_in + rates[2] * tokens_out


class Experience:
    """What buyers of a class have met at an offer: exponentially weighted averages."""

    def __init__(self, speed: float, memory: float) -> None:
        """Begin with one answer at time 0, unloaded."""
        self.memory = memory
        self.weight, self.seen, self.waited, self.wait, self.started = 1.0, 0.0, 0.0, 0.0, 0.0
        self.pace_weight, self.pace_seen, self.pace = 1.0, 0.0, 1.0 / speed
        self.alone = self.pace

    def learn(self, now: float, wait: float, started: bool, pace: float | None) -> None:
        """Add an answer: how long it waited, whether it was served, its seconds per token."""
        self.weight = self.weight * math.exp((self.seen - now) / self.memory) + 1.0
        self.seen = now
        waited = wait > 0.0
        self.waited += (waited - self.waited) / self.weight
        self.wait += (wait - self.wait) / self.weight
        self.started += ((waited and started) - self.started) / self.weight
        if pace is not None:
            self.pace_weight *= math.exp((self.pace_seen - now) / self.memory)
            self.pace_weight += 1.0
            self.pace_seen = now
            if abs(pace - self.alone) <= 1e-9 * self.alone:
                pace = self.alone
            self.pace += (pace - self.pace) / self.pace_weight

    def law(self) -> Law:
        """Return the quote: an exponential wait of those who wait, censored by those who left."""
        wait = 0.0
        if self.waited > 0.0:
            wait = self.wait / max(self.started, 0.5 / self.weight)
        return Law(self.waited, wait, 1.0, 1.0 / self.pace)
