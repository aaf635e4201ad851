"""Lint of queues and clocks: loads beyond capacity, memories and warm-ups too short, few tasks."""

from __future__ import annotations

import math

from ...market.schema.arrivals import Replay
from ...market.schema.auctions import sealed
from ...market.schema.demand import TaskClass
from ...market.schema.supply import Seller
from ..terms import Terms, latest, lightest, open_rate
from .rules import Found, Rule

_MOST_TASKS = 1e10
_MOST_DECISIONS = 1e7
_FEWEST_TASKS = 100
_NEGLIGIBLE = 0.01  # share of the run: a start-up bias that hardly shows


def overloads(terms: Terms) -> Found:
    """W204 and W205: work comes faster than it can be served, however buyers choose.

    One seller: ρ = Σ λ_k w_k / C over the classes that only it serves, w the work of its lightest
    offer (tokens), C = n·r(n) at all n slots (tokens/s). All sellers together: each is busy at most
    all the time, so Σ_k λ_k min_s(w_ks / C_s) must not exceed their number. W204 counts captive
    classes, which have neither outside option nor patience; W205 all, so that some have to leave.
    """
    market = terms.market
    choices = {task.name: lightest(terms.of_class(task)) for task in market.tasks}
    warned = False
    for s, seller in enumerate(market.sellers):
        alone = [t for t in market.tasks if [c.seller for c in choices[t.name]] == [seller]]
        code, load = _load(terms, alone, [seller])
        if code:
            warned = True
            yield code, ("sellers", s), f"seller `{seller.name}`: {_say(code, load)}"
    together = [t for t in market.tasks if len(choices[t.name]) > 1]
    names = {c.seller.name for t in together for c in choices[t.name]}
    code, load = _load(terms, together, [s for s in market.sellers if s.name in names])
    if code and not warned:
        yield code, ("sellers",), f"all sellers together: {_say(code, load)}"


def _load(terms: Terms, tasks: list[TaskClass], sellers: list[Seller]) -> tuple[str, float]:
    """Return the code to warn with, if any, and the load per seller that it is about."""
    loads = {True: 0.0, False: 0.0}
    for task in tasks:
        shares = [t.work / terms.capacity(t.seller) for t in lightest(terms.of_class(task))]
        load = open_rate(task) * min(shares)
        captive = not task.outside_option and task.patience.kind == "none"
        loads[captive] += load if math.isfinite(load) else 0.0
    count = max(len(sellers), 1)
    if loads[True] > count:
        return "W204", loads[True] / count
    total = loads[True] + loads[False]
    return ("W205" if total > count else ""), total / count


def _say(code: str, load: float) -> str:
    if code == "W204":
        return (f"captive load {load:.3g} exceeds capacity and nobody can leave; "
                "the queue grows without bound")  # fmt: skip
    return f"load {load:.3g} exceeds capacity; about {1 - 1 / load:.0%} of it has to leave"


def short_memory(terms: Terms) -> Found:
    """W206: average quotes forget faster than the queue itself, memory < τ (`Terms.slowest_queue`).

    Buyers then chase waits that have gone: cobwebs.
    """
    name, time = terms.slowest_queue
    quotes = terms.market.quotes
    if quotes.latency == "average" and quotes.memory < time:
        text = (
            f"average quotes remember {quotes.memory:.4g} s, but the queue of `{name}` takes about "
            f"{time:.4g} s to forget; buyers will chase waits that have gone"
        )
        yield "W206", ("quotes", "memory"), text


def warm_up(terms: Terms) -> Found:
    """W207: warm-up < τ (`Terms.slowest_queue`), unless τ < 1% of the run."""
    run = terms.market.run
    name, time = terms.slowest_queue
    if run.warmup < time and time > _NEGLIGIBLE * run.until:
        text = (
            f"the warm-up of {run.warmup:.4g} s is shorter than the {time:.4g} s or so that the "
            f"queue of `{name}` takes to fill; means are biased towards the empty market"
        )
        yield "W207", ("run", "warmup"), text


def few_tasks(terms: Terms) -> Found:
    """W210: λ · (until − warm-up) < 100 tasks of a class; of a list of times, its length."""
    run = terms.market.run
    for k, task in enumerate(terms.market.tasks):
        count = task.arrivals.mean_rate * (run.until - run.warmup)
        if isinstance(task.arrivals, Replay) and task.arrivals.times is not None:
            count = len(task.arrivals.times)
        if 0 < count < _FEWEST_TASKS:
            text = (
                f"task class `{task.name}`: about {count:.3g} tasks after the warm-up; "
                f"with fewer than {_FEWEST_TASKS} shares and waits are mostly noise"
            )
            yield "W210", ("tasks", k, "arrivals"), text


def many_tasks(terms: Terms) -> Found:
    """W215: λ · until > 10¹⁰ tasks of a class, hours of computing at a million a second."""
    run = terms.market.run
    for k, task in enumerate(terms.market.tasks):
        count = task.arrivals.mean_rate * run.until
        if count > _MOST_TASKS:
            text = (
                f"task class `{task.name}`: about {count:.1g} tasks would come; "
                f"at a million a second that takes {count / 3.6e9:,.0f} hours"
            )
            yield "W215", ("tasks", k, "arrivals"), text


def many_decisions(terms: Terms) -> Found:
    """W218: until / reprice_every > 10⁷ decisions of a strategy, which run in Python."""
    until = terms.market.run.until
    for s, seller in enumerate(terms.market.sellers):
        count = until / seller.reprice_every
        if seller.pricing is not None and count > _MOST_DECISIONS:
            text = (
                f"seller `{seller.name}`: repricing every {seller.reprice_every:.3g} s means "
                f"{count:.1g} decisions in the run; at 10,000 a second they take "
                f"{count / 3.6e7:,.1f} hours"
            )
            yield "W218", ("sellers", s, "reprice_every"), text


def long_epoch(terms: Terms) -> Found:
    """W212: epoch > until."""
    run = terms.market.run
    if run.epoch is not None and run.epoch > run.until:
        yield (
            "W212",
            ("run", "epoch"),
            (f"an epoch of {run.epoch:.4g} s is longer than the run of {run.until:.4g} s"),
        )


def late_events(terms: Terms) -> Found:
    """W216: at ≥ until (of a seller: enters ≥ until), so that it never happens."""
    until = terms.market.run.until
    for s, seller in enumerate(terms.market.sellers):
        if seller.enters >= until:
            text = (
                f"seller `{seller.name}` enters at {seller.enters:.4g} s, after the end of the run "
                f"at {until:.4g} s"
            )
            yield "W216", ("sellers", s, "enters"), text
    for i, event in enumerate(terms.market.events):
        if event.at >= until:
            text = (
                f"the {event.kind} of `{event.seller}` at {event.at:.4g} s comes after the end of "
                f"the run at {until:.4g} s"
            )
            yield "W216", ("events", i, "at"), text


def late_promises(terms: Terms) -> Found:
    """W220: promise > max D (+ grace) of every class served, where buyers go by promises.

    They then expect to be late for certain. Not for half-lives, nor where promises are bid or, in
    auctions, cost nothing to break and are not believed (W269).
    """
    market = terms.market
    bid = getattr(market.mechanism, "promise", "posted") == "bid"
    sealed_bids = sealed(market.mechanism) is not None
    if market.quotes.latency != "promised" or bid:
        return
    for s, seller in enumerate(market.sellers):
        dues = [
            math.inf if t.task.lateness.kind == "halflife" else latest(t.task)
            for t in terms.of_seller(seller)
        ]
        if seller.promise is None or (sealed_bids and seller.penalty == 0):
            continue
        if dues and seller.promise > max(dues):
            text = (
                f"seller `{seller.name}` promises an answer within {seller.promise:.4g} s, and "
                f"buyers who go by that have {max(dues):.4g} s at most: it is worth nothing to them"
            )
            yield "W220", ("sellers", s, "promise"), text


QUEUE_RULES: tuple[Rule, ...] = (
    overloads, short_memory, warm_up, few_tasks, many_tasks, many_decisions, long_epoch,
    late_events, late_promises,
)  # fmt: skip
