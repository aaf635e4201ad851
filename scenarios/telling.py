"""What happened to a task, in words: what it wanted, saw and took, who served it, who was paid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..market.clock import STATUS
from ..market.messages import name_of
from ..market.schema.market import Market
from ..market.schema.trading import DOUBLE
from . import reasons
from .story import Story, exact, short

_RANKED = {
    "price": "cheapest first", "accuracy": "in the order of their claims", "random": "drawn",
    "rating": "best rated first at the last ranking", "sponsored": "highest bid for position first",
}  # fmt: skip
_EXPECTED = {"true": "right", "claimed": "claimed", "rated": "rated"}
"""Head of the accuracy that buyers reckon with."""


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
            told.append(
                " ".join(filter(None, (name, value.get("kind"), f"({inner})" if inner else "")))
            )
        elif name != "kind" and value is not None:
            told.append(f"{name} {short(value) if isinstance(value, float) else value}")
    return ", ".join(told)


def heading(market: Market) -> str:
    """Return a market's mechanism and what was set of it."""
    mechanism = market.mechanism
    if callable(mechanism):
        return f"{name_of(mechanism)}: {settings_of(mechanism)}"
    given = mechanism.model_fields_set  # a default that is added later changes no text
    told = _settings({n: v for n, v in mechanism.model_dump().items() if n in given})
    return f"{mechanism.kind}: {told}" if told else str(mechanism.kind)


def told(market: Market, number: int, story: Story) -> str:
    """Return the story of one task, a few lines."""
    row, kind = story.row, market.tasks[int(story.row["kind"])]
    title = f"task {number}: {kind.name}, comes at {short(row['arrival'])} s"
    traded = isinstance(market.mechanism, DOUBLE)  # then a buyer sees a market, and no offers
    seen = () if traded else _offers(market, story)
    lines = [("wants", _wants(row)), *_contract(story), *seen]
    lines += [*reasons.looks(market, story), *reasons.talks(market, story)]
    lines += [*reasons.award(market, story), *_service(story)]
    lines += _money(market, row)
    return "\n".join([title, *(f"  {name:<10} {text}".rstrip() for name, text in lines)])


def _wants(row: Any) -> str:
    text = f"an answer of {short(row['output'])} tokens to {short(row['input'])}"
    text += f", worth {short(row['value'])} if right"
    if math.isfinite(row["deadline"]):
        text += f" and there within {short(row['deadline'])} s"
    cost = row["delay_cost"]
    return text + (f"; each second costs {short(cost)}" if cost else "")


def _contract(story: Story) -> Iterator[tuple[str, str]]:
    if story.holds:
        seller, _, name = story.holds.rpartition("/")
        quota = f", with {short(story.left)} tokens left of its quota" if story.left else ""
        yield "holds", f"{name} of {seller}{quota}; what follows is asked under it"


def _offers(market: Market, story: Story) -> Iterator[tuple[str, str]]:
    """Yield a table of what is on show; the scores of those who are not chosen are in it, too."""
    if story.decided > story.row["arrival"]:
        waited = f"until {short(story.decided)} s"
        cost = f", which costs {short(story.lost)}" if story.lost else ""
        yield "calls", f"for bids {waited}{cost}"
    if story.listed:
        ranking = _RANKED[market.platform.ranking]
        yield "list", f"{len(story.quotes)} of {story.listed} offers, {ranking}"
    columns = _columns(market, story)
    if not columns["offer"]:
        yield "sees", "no offer"
        return
    table = [(head, *cells) for head, cells in columns.items()]
    sizes = [max(map(len, column)) for column in table]
    for i, (first, *rest) in enumerate(zip(*table, strict=True)):
        cells = [cell.rjust(size) for cell, size in zip(rest, sizes[1:], strict=True)]
        yield ("sees" if i == 0 else ""), "  ".join([first.ljust(sizes[0]), *cells]).rstrip()


def _columns(market: Market, story: Story) -> dict[str, list[str]]:
    """Return the columns of the table of offers by their heads, doing without in the last row."""
    quotes = story.quotes
    columns = {
        "offer": [q.offer for q in quotes],
        "bids" if story.sealed else "asks": [short(q.ask) for q in quotes],
        "score": [_score(q.utility) for q in quotes],
        "of it taste": [short(q.taste) for q in quotes],
        _EXPECTED[market.quotes.accuracy]: [short(q.accuracy) for q in quotes],
        "in time": [_known(q.on_time) for q in quotes],
        "after s": [_known(q.time) for q in quotes],
    }
    if story.order:  # a taste is learnt by looking
        del columns["of it taste"]
        columns["reservation"] = [short(x) for x in story.reservations]
    if story.ratings:
        columns["rating"] = [short(x) for x in story.ratings]
    if any(story.fees):
        columns["fee of a sale"] = [short(x) for x in story.fees]
    if story.outside > -math.inf:
        without = {"offer": "doing without", "score": short(story.outside)}
        without["of it taste"] = without["score"]
        for head, cells in columns.items():
            cells.append(without.get(head, ""))
    return columns


def _service(story: Story) -> Iterator[tuple[str, str]]:
    row = story.row
    status = STATUS[int(row["status"])]
    if status == "balked":
        return
    if status != "served":
        yield status, f"at {short(row['finish'])} s, after {short(row['sojourn'])} s"
        return
    waited = f" after waiting {short(row['wait'])} s" if row["wait"] > 0 else ", at once"
    yield "served", f"from {short(row['start'])} s{waited}, to {short(row['finish'])} s"
    late = "late" if row["late"] else "in time"
    right = "right" if row["right"] else "wrong"
    yield "answer", f"at {short(row['answer'])} s, after {short(row['sojourn'])} s: {right}, {late}"


def _money(market: Market, row: Any) -> Iterator[tuple[str, str]]:
    price, refund, penalty, cut, back, cost, fee = (
        int(row[n])
        for n in ("price", "refund", "penalty", "commission", "returned", "cost", "advertising")
    )
    surplus = f"surplus {short(row['surplus'])}, taste included"
    surplus += f", {short(row['search'])} for looks taken off" if row["search"] else ""
    if STATUS[int(row["status"])] == "served":
        paid = f"pay {exact(price)}"
        paid += f", get back {exact(refund)}" if refund else ""
        paid += f", get {exact(penalty)} for a broken promise" if penalty else ""
        net = price - refund - penalty
        yield "buyers", f"{paid}, net {exact(net)}; {surplus}"
        seller = market.offers[int(row["offer"])].rpartition("/")[0]
        kept = net - (cut - back)
        told = f"{seller} gets {exact(kept)}, spends {exact(cost)}"
        told += f", pays {exact(fee)} for its position" if fee else ""
        told += f", gains {exact(kept - cost - fee)}"
        told += f"; the platform {exact(cut - back + fee)}" if cut or fee else ""
        yield "sellers", told
    else:
        yield "buyers", f"pay nothing; {surplus}"


def _known(x: float) -> str:
    """Return a number, blank where it is not known: that of a class, under a contract of one."""
    return "" if math.isnan(x) else short(x)


def _score(x: float) -> str:
    """Return a score; an owner enters its best bid only."""
    return short(x) if x > -math.inf else "not entered"
