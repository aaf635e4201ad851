"""Follow a few tasks through a market and tell what happens to each, for people to read.

Nothing is computed here that the market does not compute: who asks what and how it is scored is
read where the kernel stops for a Python rule, in a copy of the market that is thrown away
afterwards; who won, when and at what price is read from the task's row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..agents.economy import Economy
from ..market.choice import outside_taste
from ..market.clock import STATUS
from ..market.messages import Quote, name_of
from ..market.schema.fields import seconds, whole
from ..market.schema.market import Market
from ..market.state import DECIDE

_DIGITS = 6  # significant: what lies beyond may differ between machines
_ALIKE = 1e-9  # two utilities this near, relative to their size, are the same


@dataclass
class _Story:
    """What is known of one task: its row, and the offers that were on show when it came."""

    row: Any
    quotes: list[Quote] = field(default_factory=list)
    outside: float = -math.inf


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
    return [_Story(rows[i]) for i in order]


def _look(economy: Economy, story: _Story) -> None:
    """Note what a task's buyer sees when it comes; the market is then as it was before."""
    engine, row = economy.engine, story.row
    arrival, k = float(row["arrival"]), int(row["kind"])
    if arrival > economy.clock.now:
        economy.advance(arrival)
    before = engine.state
    engine.state = before._replace(**{n: a.copy() for n, a in before._asdict().items()})
    try:
        engine.state.classes[k]["asks"] = 1
        while engine.advance(math.nextafter(arrival, math.inf)) == DECIDE:
            clock = engine.state.clock[0]
            i, clock["current"] = int(clock["current"]), -1
            if engine.state.tasks[i]["id"] != row["id"]:
                continue  # another of the same class and instant: it does not matter here
            story.quotes = [
                economy.clock.quote(k, j, i) for j in range(int(clock["on_show"]))
                if engine.state.score[j] > -math.inf
            ]  # fmt: skip
            if engine.state.classes[k]["outside"] == 1:
                with np.errstate(over="ignore"):
                    story.outside = float(outside_taste(engine.state, k, row["id"]))
            return
    finally:
        engine.state = before


# --- in words ----------------------------------------------------------------------------------


def _heading(market: Market) -> str:
    mechanism = market.mechanism
    if callable(mechanism):
        return f"{name_of(mechanism)}, a Python mechanism"
    given = {k: v for k, v in mechanism.model_dump().items() if k != "kind" and v is not None}
    told = ", ".join(f"{k} {_n(v) if isinstance(v, float) else v}" for k, v in given.items())
    return f"{mechanism.kind}{f' ({told})' if told else ''}"


def _told(market: Market, number: int, story: _Story) -> str:
    row, kind = story.row, market.tasks[int(story.row["kind"])]
    title = f"task {number}: {kind.name}, comes at {_n(row['arrival'])} s"
    lines = [("wants", _wants(row)), *_offers(story), *_award(market, story), *_service(story)]
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
    header = ("offer", "asks", "score", "of it taste", "right", "in time", "after s")
    body = [
        (q.offer, _n(q.ask), _n(q.utility), _n(q.taste), _n(q.accuracy), _n(q.on_time), _n(q.time))
        for q in story.quotes
    ]
    if story.outside > -math.inf:
        body.append(("doing without", "", _n(story.outside), _n(story.outside), "", "", ""))
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
    won = next((q for q in story.quotes if q.offer == offer), None)
    yield "takes", f"{offer}{_why(market, story, won) if won is not None else ''}"


def _why(market: Market, story: _Story, won: Quote) -> str:
    """Say what the score at the price agreed is equal to: that is what set the price."""
    score = float(story.row["utility"])
    if _alike(score, won.utility):
        return f" at what it asks; its score stays {_n(score)}"
    others = [q for q in story.quotes if q.owner != won.owner and _alike(q.utility, score)]
    if others:
        beat = f"that of {others[0].offer}, the best of another owner"
    elif _alike(score, getattr(market.mechanism, "reserve", None)):
        beat = "the reserve"
    elif _alike(score, story.outside):
        beat = "that of doing without"
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
