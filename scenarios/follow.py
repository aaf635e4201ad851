"""Follow a few tasks through a market and tell what happens to each, for people to read.

Nothing is computed here that the market does not compute: who asks what and how it is scored is
read where the kernel stops for a Python rule, in a copy of the market; who won, when and at what
price is read from the task's row.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..agents.economy import Economy
from ..agents.negotiation import talk
from ..market.asking import ask_of, own_share, quote_of
from ..market.engine import Engine
from ..market.rng import hash2
from ..market.schema.fields import seconds, whole
from ..market.schema.market import Market
from ..market.schema.negotiation import Negotiation
from ..market.state import CALLING, DECIDE
from .load import market_of
from .story import Story
from .telling import heading, told


def follow(
    market: Market | str | os.PathLike[str], tasks: int = 3, *,
    until: float | str | None = None, seed: int = 0, base: str | Path = ".",
) -> str:  # fmt: skip
    """Return in words what happens to the first tasks of a market, task by task.

    For each: what it wants, what every offer on show asks and how its buyer scores it, what it
    looks at where looking costs, who wins, at what price and why, when service begins and ends,
    what it was worth and who pays whom.
    Amounts in USD with six significant digits.

    Args:
        market: the spec, or a scenario's name or file as `load` takes them.
        tasks: how many to follow, in order of arrival.
        until: simulated time, seconds or text; the spec's own when absent. Tasks that have not
            ended by then are left out.
        seed: the randomness, as in `run`: it is the same tasks.
        base: folder of trace files, as in `run`.

    Raises:
        BadInputError: there is no such scenario, or it has errors.
        ValueError: an argument is out of range.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Rates, Seller
        >>> ask = TaskClass("chat", Poisson(0.1), value=1.0)
        >>> one = Seller("one", accuracy=1.0, price=Rates(task=0.25))
        >>> print(follow(Market([ask], [one]), 1, until="5 min").splitlines()[-2])
          buyers     pay 0.25, net 0.25; surplus 0.75, taste included
    """
    market = market_of(market)
    whole("tasks", tasks, 1, 10_000, "10,000")
    end = market.run.until if until is None else float(seconds(until))  # type: ignore[arg-type]
    stories = _first(market, tasks, end, seed, Path(base))
    economy = Economy(market, seed, base=Path(base))
    for story in stories:
        _await(economy, story)
    economy = Economy(market, seed, base=Path(base))
    for story in sorted(stories, key=lambda story: story.decided):
        _look(economy, story)
    parts = [told(market, number, story) for number, story in enumerate(stories, start=1)]
    return "\n\n".join([heading(market), *parts]) + "\n"


def _first(market: Market, tasks: int, end: float, seed: int, base: Path) -> list[Story]:
    """Return the first tasks by arrival, as rows of a run that goes on until they have ended."""
    kept: list[Any] = []
    economy = Economy(market, seed, base=base, keep=kept.append)
    economy.advance(end)
    economy.engine.flush()
    rows = np.concatenate(kept) if kept else economy.engine.state.trades[:0]
    order = np.lexsort((rows["id"], rows["arrival"]))[:tasks]
    return [Story(rows[i], float(rows[i]["arrival"])) for i in order]


def _await(economy: Economy, story: Story) -> None:
    """Note when a task is decided: when it comes, or when the call for its bids ends."""
    st = _at(economy, story.decided).state
    calling = (st.tasks["id"] == story.row["id"]) & (st.tasks["state"] == CALLING)
    for i in np.flatnonzero(calling):
        story.decided = float(st.events[len(st.sellers) + i]["time"])


def _look(economy: Economy, story: Story) -> None:
    """Note what a task's buyer sees when it is decided, and what was bid in the end."""
    k, id_ = int(story.row["kind"]), story.row["id"]
    asked = _at(economy, story.decided, ask=k, about=id_)
    st, market = asked.state, asked.market
    i, count = int(st.clock[0]["current"]), int(st.clock[0]["on_show"])
    if i < 0:
        return  # nobody was asked: it was decided before it came
    places = [j for j in range(count) if st.score[j] > -math.inf]
    story.quotes = [
        quote_of(asked, k, int(st.shown[j]), i, float(st.score[j]), lambda: True) for j in places
    ]
    _look_at_list(asked, story, k, places)
    ask = ask_of(asked, k, i)
    story.outside = ask.outside
    if isinstance(market.mechanism, Negotiation):
        story.talks = talk(market.mechanism, ask, story.quotes, market.platform.commission)
    if st.clock[0]["contracts"] == 1:
        _look_under(asked, story, k, i)
    story.sealed = bool(st.clock[0]["sealed"])
    if story.sealed:  # bids may be raised once all are known to be there
        st = _at(economy, story.decided).state
        story.quotes = [
            replace(quote, ask=float(st.bids[j]), utility=float(st.score[j]))
            for quote, j in zip(story.quotes, places, strict=True)
        ]


def _look_at_list(asked: Engine, story: Story, k: int, places: list[int]) -> None:
    """Note how offers are listed, what positions cost, and in which order they are looked at."""
    st, platform, kind = asked.state, asked.market.platform, asked.state.classes[k]
    on_market = int((st.base[k, st.menu[k, : kind["offers"]]] > -math.inf).sum())
    story.listed = on_market if 0 < kind["consider"] < on_market else 0
    offers = st.shown[places]
    story.fees = st.cells[k, offers]["fee"].tolist()
    if platform.ranking == "rating" and asked.market.quotes.accuracy != "rated":
        story.ratings = st.cells[k, offers]["rating"].tolist()
    if platform.search_cost > 0.0:
        story.reservations = [q.utility + float(kind["look"]) for q in story.quotes]
        with np.errstate(over="ignore"):  # ties go by the task's own coin
            keys = st.offers["tie_key"][offers]
            coins = np.array([hash2(story.row["id"], key) for key in keys], np.uint64)
        scores = np.array([q.utility for q in story.quotes])
        story.order = np.lexsort((~coins, -scores)).tolist()
        story.looks = round(float(story.row["search"]) / platform.search_cost)


def _look_under(asked: Engine, story: Story, k: int, i: int) -> None:
    """Note the contract that a task's customer holds, and what it is asked under it."""
    st, market = asked.state, asked.market
    c = int(st.customers[st.tasks[i]["customer"]]["holds"])
    if c < 0:
        return
    story.holds, story.left = (
        market.contracts[c],
        float(st.customers[st.tasks[i]["customer"]]["quota"]),
    )
    for place, quote in enumerate(story.quotes):
        o = market.offers.index(quote.offer)
        if st.seller_of[o] == st.contracts[c]["seller"]:
            share = float(own_share(st, k, o, i, c))
            story.quotes[place] = replace(
                quote, ask=quote.ask * share, on_time=math.nan, time=math.nan
            )


def _at(economy: Economy, instant: float, *, ask: int = -1, about: int = 0) -> Engine:
    """Return a copy of the market as an instant leaves it.

    With `ask`, a class, it stops where that class's task `about` is to be decided.
    """
    if instant > economy.clock.now:
        economy.advance(instant)
    engine = economy.engine.copy()
    if ask >= 0:
        engine.state.classes[ask]["asks"] = 1
    while engine.advance(math.nextafter(instant, math.inf)) == DECIDE:
        clock = engine.state.clock[0]
        if ask >= 0 and engine.state.tasks[clock["current"]]["id"] == about:
            break
        clock["current"] = -1
    return engine
