"""Follow a few tasks through a market and tell what happens to each, for people to read.

Nothing is computed here that the market does not compute: who asks what and how it is scored is
read where the kernel stops for a Python rule, in a copy of the market; who won, when and at what
price is read from the task's row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..agents.economy import Economy
from ..market.asking import outside_of, quote_of
from ..market.clock import STATUS
from ..market.engine import Engine
from ..market.messages import Quote, name_of
from ..market.schema.fields import seconds, whole
from ..market.schema.market import Market
from ..market.schema.trading import DOUBLE
from ..market.state import CALLING, DECIDE, SERVED

_DIGITS = 6  # significant: what lies beyond may differ between machines
_ALIKE = 1e-9  # two utilities this near, relative to their size, are the same
_ROUNDED = 0.6e-9  # a price is rounded to whole nano-dollars


@dataclass
class _Story:
    """What is known of one task: its row, when it was decided, and what its buyer then saw."""

    row: Any
    decided: float
    quotes: list[Quote] = field(default_factory=list)
    sealed: bool = False
    outside: float = -math.inf

    @property
    def lost(self) -> float:
        """What the time of the call has cost the buyer, USD."""
        return float(self.row["delay_cost"]) * (self.decided - float(self.row["arrival"]))


def follow(
    market: Market, tasks: int = 3, *, until: float | str | None = None, seed: int = 0,
    base: str | Path = ".",
) -> str:  # fmt: skip
    """Return in words what happens to the first tasks of a market, task by task.

    For each: what it wants, what every offer on show asks and how its buyer scores it, who wins,
    at what price and why, when service begins and ends, what it was worth and who pays whom.
    Amounts in USD with six significant digits.

    Args:
        market: the spec.
        tasks: how many to follow, in order of arrival.
        until: simulated time, seconds or text; the spec's own when absent. Tasks that have not
            ended by then are left out.
        seed: the randomness, as in `run`: it is the same tasks.
        base: folder of trace files, as in `run`.

    Raises:
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
    whole("tasks", tasks, 1, 10_000, "10,000")
    end = market.run.until if until is None else float(seconds(until))  # type: ignore[arg-type]
    stories = _first(market, tasks, end, seed, Path(base))
    economy = Economy(market, seed, base=Path(base))
    for story in stories:
        _await(economy, story)
    economy = Economy(market, seed, base=Path(base))
    for story in sorted(stories, key=lambda story: story.decided):
        _look(economy, story)
    parts = [_told(market, number, story) for number, story in enumerate(stories, start=1)]
    return "\n\n".join([_heading(market), *parts]) + "\n"


def _first(market: Market, tasks: int, end: float, seed: int, base: Path) -> list[_Story]:
    """Return the first tasks by arrival, as rows of a run that goes on until they have ended."""
    kept: list[Any] = []
    economy = Economy(market, seed, base=base, keep=kept.append)
    economy.advance(end)
    economy.engine.flush()
    rows = np.concatenate(kept) if kept else economy.engine.state.trades[:0]
    order = np.lexsort((rows["id"], rows["arrival"]))[:tasks]
    return [_Story(rows[i], float(rows[i]["arrival"])) for i in order]


def _await(economy: Economy, story: _Story) -> None:
    """Note when a task is decided: when it comes, or when the call for its bids ends."""
    st = _at(economy, story.decided).state
    calling = (st.tasks["id"] == story.row["id"]) & (st.tasks["state"] == CALLING)
    for i in np.flatnonzero(calling):
        story.decided = float(st.events[len(st.sellers) + i]["time"])


def _look(economy: Economy, story: _Story) -> None:
    """Note what a task's buyer sees when it is decided, and what was bid in the end."""
    k, id_ = int(story.row["kind"]), story.row["id"]
    asked = _at(economy, story.decided, ask=k, about=id_)
    st = asked.state
    i, count = int(st.clock[0]["current"]), int(st.clock[0]["on_show"])
    if i < 0:
        return  # nobody was asked: it was decided before it came
    places = [j for j in range(count) if st.score[j] > -math.inf]
    story.quotes = [
        quote_of(asked, k, int(st.shown[j]), i, float(st.score[j]), lambda: False) for j in places
    ]
    if st.classes[k]["outside"] == 1:
        with np.errstate(over="ignore"):
            story.outside = float(outside_of(st, k, id_))
    story.sealed = bool(st.clock[0]["sealed"])
    if story.sealed:  # bids may be raised once all are known to be there
        st = _at(economy, story.decided).state
        story.quotes = [
            replace(quote, ask=float(st.bids[j]), utility=float(st.score[j]))
            for quote, j in zip(story.quotes, places, strict=True)
        ]


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


# --- in words ----------------------------------------------------------------------------------


def settings_of(mechanism: Any) -> str:
    """Return what a mechanism is set to, in words; empty if there is nothing to set.

    Example:
        >>> from walras.market.schema.auctions import ScoringAuction
        >>> settings_of(ScoringAuction(reserve=0.1, bid={"kind": "markup"}))
        'bid markup (rate 0.2), ...reserve 0.1, ...'
    """
    if callable(mechanism):
        return "a Python function"
    return _settings(mechanism.model_dump())


def _settings(values: dict[str, Any]) -> str:
    told = []
    for name, value in values.items():
        if isinstance(value, dict):
            inner = _settings(value)
            told.append(f"{name} {value.get('kind', '')}{f' ({inner})' if inner else ''}")
        elif name != "kind" and value is not None:
            told.append(f"{name} {_n(value) if isinstance(value, float) else value}")
    return ", ".join(told)


def _heading(market: Market) -> str:
    mechanism = market.mechanism
    if callable(mechanism):
        return f"{name_of(mechanism)}: {settings_of(mechanism)}"
    given = mechanism.model_fields_set  # a default that is added later changes no text
    told = _settings({n: v for n, v in mechanism.model_dump().items() if n in given})
    return f"{mechanism.kind}: {told}" if told else str(mechanism.kind)


def _told(market: Market, number: int, story: _Story) -> str:
    row, kind = story.row, market.tasks[int(story.row["kind"])]
    title = f"task {number}: {kind.name}, comes at {_n(row['arrival'])} s"
    traded = isinstance(market.mechanism, DOUBLE)  # then a buyer sees a market, and no offers
    seen = () if traded else _offers(story)
    lines = [("wants", _wants(row)), *seen, *_award(market, story), *_service(story)]
    lines += _money(market, row)
    return "\n".join([title, *(f"  {name:<10} {text}".rstrip() for name, text in lines)])


def _wants(row: Any) -> str:
    text = f"an answer of {_n(row['output'])} tokens to {_n(row['input'])}"
    text += f", worth {_n(row['value'])} if right"
    if math.isfinite(row["deadline"]):
        text += f" and there within {_n(row['deadline'])} s"
    cost = row["delay_cost"]
    return text + (f"; each second costs {_n(cost)}" if cost else "")


def _offers(story: _Story) -> Iterator[tuple[str, str]]:
    """Yield a table of what is on show; the scores of those who are not chosen are in it, too."""
    asks = "bids" if story.sealed else "asks"
    header = ("offer", asks, "score", "of it taste", "right", "in time", "after s")
    body = [
        (
            q.offer,
            _n(q.ask),
            _score(q.utility),
            _n(q.taste),
            _n(q.accuracy),
            _n(q.on_time),
            _n(q.time),
        )
        for q in story.quotes
    ]
    if story.outside > -math.inf:
        body.append(("doing without", "", _n(story.outside), _n(story.outside), "", "", ""))
    if story.decided > story.row["arrival"]:
        waited = f"until {_n(story.decided)} s"
        yield "calls", f"for bids {waited}{f', which costs {_n(story.lost)}' if story.lost else ''}"
    if not body:
        yield "sees", "no offer"
        return
    sizes = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    for i, (first, *rest) in enumerate((header, *body)):
        cells = [cell.rjust(size) for cell, size in zip(rest, sizes[1:], strict=True)]
        yield ("sees" if i == 0 else ""), "  ".join([first.ljust(sizes[0]), *cells]).rstrip()


def _award(market: Market, story: _Story) -> Iterator[tuple[str, str]]:
    row = story.row
    if row["offer"] < 0:
        best = max((q.utility for q in story.quotes), default=-math.inf)
        why = "" if not story.quotes else f": the best score is {_n(best)}"
        yield "takes", f"nothing{why}"
        return
    offer = market.offers[int(row["offer"])]
    if isinstance(market.mechanism, DOUBLE):
        tokens = float(row["input"] + row["output"])
        dear = row["status"] == SERVED and tokens > 0.0
        price = f" at {_n(row['price'] * 1e-3 / tokens)} per million tokens" if dear else ""
        yield "takes", f"{offer}{price}"
        return
    won = next((q for q in story.quotes if q.offer == offer), None)
    yield "takes", f"{offer}{_why(market, story, won) if won is not None else ''}"


def _why(market: Market, story: _Story, won: Quote) -> str:
    """Say what the price agreed, or the score at it, is equal to: that is what set the price."""
    score = float(story.row["utility"]) + story.lost
    if _alike(score, won.utility):
        told = "at what it bids" if story.sealed else "at what it asks"
        return f" {told}; its score stays {_n(score)}"
    price = int(story.row["price"]) * 1e-9 if story.row["status"] == SERVED else math.nan
    reserve = getattr(market.mechanism, "reserve", None)
    others = [q for q in story.quotes if q.owner != won.owner]
    scored = [q.offer for q in others if _alike(q.utility, score)]
    bid = [q.offer for q in others if abs(q.ask - price) <= _ROUNDED]
    if scored:
        beat = f"that of {scored[0]}, the best of another owner"
    elif _alike(score, story.outside):
        beat = "that of doing without"
    elif _alike(score, reserve):
        beat = "the reserve"
    elif bid:
        return f" at the bid of {bid[0]}, the lowest of another owner, with a score of {_n(score)}"
    elif reserve is not None and abs(reserve - price) <= _ROUNDED:
        return f" at the reserve, with a score of {_n(score)}"
    else:
        beat = "as agreed"
    return f" at a price that takes its score from {_n(won.utility)} to {_n(score)}, {beat}"


def _alike(a: float, b: float | None) -> bool:
    return b is not None and math.isfinite(b) and abs(a - b) <= _ALIKE * max(abs(a), abs(b), 1e-6)


def _service(story: _Story) -> Iterator[tuple[str, str]]:
    row = story.row
    status = STATUS[int(row["status"])]
    if status == "balked":
        return
    if status != "served":
        yield status, f"at {_n(row['finish'])} s, after {_n(row['sojourn'])} s"
        return
    waited = f" after waiting {_n(row['wait'])} s" if row["wait"] > 0 else ", at once"
    yield "served", f"from {_n(row['start'])} s{waited}, to {_n(row['finish'])} s"
    late = "late" if row["late"] else "in time"
    right = "right" if row["right"] else "wrong"
    yield "answer", f"at {_n(row['answer'])} s, after {_n(row['sojourn'])} s: {right}, {late}"


def _money(market: Market, row: Any) -> Iterator[tuple[str, str]]:
    price, refund, penalty, cut, back, cost = (
        int(row[n]) for n in ("price", "refund", "penalty", "commission", "returned", "cost")
    )
    if STATUS[int(row["status"])] == "served":
        paid = f"pay {_usd(price)}"
        paid += f", get back {_usd(refund)}" if refund else ""
        paid += f", get {_usd(penalty)} for a broken promise" if penalty else ""
        net = price - refund - penalty
        yield "buyers", f"{paid}, net {_usd(net)}; surplus {_n(row['surplus'])}, taste included"
        seller = market.offers[int(row["offer"])].rpartition("/")[0]
        kept = net - (cut - back)
        share = f"; the platform {_usd(cut - back)}" if cut else ""
        told = f"{seller} gets {_usd(kept)}, spends {_usd(cost)}, gains {_usd(kept - cost)}{share}"
        yield "sellers", told
    else:
        yield "buyers", f"pay nothing; surplus {_n(row['surplus'])}, taste included"


def _usd(nano: int) -> str:
    """Return whole nano-dollars as USD, exactly.

    Example:
        >>> _usd(1_500_000_000), _usd(-20), _usd(0)
        ('1.5', '−0.00000002', '0')
    """
    sign, nano = ("−" if nano < 0 else ""), abs(nano)
    text = f"{nano // 10**9}.{nano % 10**9:09}".rstrip("0").rstrip(".")
    return f"{sign}{text}"


def _score(x: float) -> str:
    """Return a score; an owner enters its best bid only."""
    return _n(x) if x > -math.inf else "not entered"


def _n(x: Any) -> str:
    """Return a number with few enough digits to be the same on every machine.

    Example:
        >>> _n(1 / 3), _n(2.0), _n(-1e-17)
        ('0.333333', '2', '0')
    """
    x = float(x)
    if abs(x) < 1e-12:
        return "0"
    return f"{x:.{_DIGITS}g}".replace("-", "−") if math.isfinite(x) else "never"
