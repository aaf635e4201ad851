"""The agents' events of a market, one list that the engine and the oracle both follow."""

from __future__ import annotations

import math
from typing import NamedTuple

from walras.market.engine import Engine
from walras.market.schema.market import AddSlots, Enter, Exit, Market, Outage, PriceChange


class Event(NamedTuple):
    """What happens to a seller at a time; `value` is a price, slots, or what an outage does."""

    time: float
    what: str
    seller: int
    value: float | str = 0.0


def agent_events(market: Market) -> list[Event]:
    """Return the events of a market in order of time; at one instant, as the spec lists them."""
    number = {seller.name: s for s, seller in enumerate(market.sellers)}
    found = [
        Event(seller.enters, "enter", s) for s, seller in enumerate(market.sellers) if seller.enters
    ]
    for event in market.events:
        s = number[event.seller]
        if isinstance(event, PriceChange):
            found.append(Event(event.at, "price", s, event.price))
        elif isinstance(event, Exit):
            found.append(Event(event.at, "exit", s))
        elif isinstance(event, Enter):
            found.append(Event(event.at, "enter", s))
        elif isinstance(event, Outage):
            found.append(Event(event.at, "break", s, event.in_service))
            found.append(Event(event.at + event.duration, "repair", s))
        elif isinstance(event, AddSlots):
            found.append(Event(event.at + event.lead_time, "slots", s, event.slots))
    if market.platform.ranking == "rating":
        period = market.platform.rerank_every
        turns = range(1, math.ceil(market.run.until / period))
        found += [Event(turn * period, "rank", 0) for turn in turns]
    return sorted(found, key=lambda event: event.time)


def apply(engine: Engine, event: Event) -> None:
    """Let an event happen to an engine that has been advanced to its time."""
    if event.what == "price":
        for o, offer in enumerate(engine.state.offers):
            if offer["seller"] == event.seller:
                engine.set_price(o, price=float(event.value))
    elif event.what in ("enter", "exit"):
        engine.list_seller(event.seller, event.what == "enter", event.time)
    elif event.what == "break":
        engine.begin_outage(event.seller, str(event.value), event.time)
    elif event.what == "rank":
        engine.rank()
    elif event.what == "repair":
        engine.end_outage(event.seller, event.time)
    else:
        engine.add_slots(event.seller, int(event.value), event.time)
