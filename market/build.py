"""From the spec to the state: a market as the arrays that the kernel runs on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import tastes, waits, workload
from .bidders import private_costs, rivals_of, shadow_table
from .cells import cells_of, tables_ahead
from .mechanisms.bidding import (
    COST,
    EQUILIBRIUM,
    MARKUP,
    OPPORTUNITY,
    PRICE,
)  # fmt: skip
from .mechanisms.search import reservation
from .menu import set_asks, set_calls, set_menu
from .periods import parts_of
from .rng import name_key
from .rules import HALFLIFE, HARD, LINEAR
from .sampling import LAW, law_row, quantile_table
from .schema.arrivals import Closed, Replay
from .schema.auctions import ScoringAuction, answer_time, bidding_of, sealed
from .schema.demand import Logit
from .schema.distributions import Constant, Quantiles, Recorded, ShareOfValue
from .schema.market import Market
from .schema.negotiation import Negotiation
from .schema.supply import Rates
from .state import (
    ARGMAX,
    AVERAGE,
    BID,
    CELL,
    CHANGES,
    CLASS,
    CLOCK,
    CROWD,
    DEMAND,
    FCFS,
    FIRST_PRICE,
    FIRST_SCORE,
    LATENCY_BINS,
    LEVELS,
    LOGIT,
    OBSERVED,
    OFFER,
    POSTED_PRICE,
    PREEMPTIVE,
    PRIORITY,
    PROMISED,
    QUEUE,
    QUOTED,
    RATED,
    SALE,
    SECOND_SCORE,
    SELLER,
    STAT,
    TRADE,
    UNRATED,
    VICKREY,
    State,
    empty_pool,
)  # fmt: skip
from .trading import set_clock, set_units, traders_of
from .work import WORK

BLOCK = 4096
TRADE_ROWS = 4096
_MTOK = 1e6
_QUOTE = {"observed": OBSERVED, "average": AVERAGE, "promised": PROMISED}
_DISCIPLINE = {"fcfs": FCFS, "priority": PRIORITY, "priority_preemptive": PREEMPTIVE}
_MECHANISM = {
    "first_price": FIRST_PRICE, "vickrey": VICKREY, "first_score": FIRST_SCORE,
    "second_score": SECOND_SCORE,
}  # fmt: skip
_BID = {
    "cost": COST, "price": PRICE, "markup": MARKUP, "equilibrium": EQUILIBRIUM,
    "opportunity": OPPORTUNITY,
}  # fmt: skip
_LATE = {"hard": HARD, "linear": LINEAR, "halflife": HALFLIFE}


# --- the parts of the state --------------------------------------------------------------------


def _asks(mechanism: Any) -> bool:
    return callable(mechanism) or isinstance(mechanism, Negotiation)


def _constant(law: Any) -> bool:
    return isinstance(law, Constant)


def _classes(market: Market, seed: int, laws: Any, tables: list[Quantiles]) -> Any:
    classes = np.zeros(len(market.tasks), CLASS)
    users = 0
    for k, task in enumerate(market.tasks):
        c = classes[k]
        c["key"], c["level"] = workload.class_key(seed, task.name), task.priority
        c["late_rule"] = _LATE[task.lateness.kind]
        c["late_parameter"] = getattr(
            task.lateness, "grace", getattr(task.lateness, "half_life", 0)
        )
        c["deadline"] = int(task.deadline is not None)
        c["patience"] = {"none": 0, "deadline": 1}.get(task.patience.kind, 2)
        share = isinstance(task.delay_cost, ShareOfValue)
        c["delay_share"] = int(share)
        c["difficulty"], c["spread"] = task.difficulty.mean, task.difficulty.sd
        c["loss"], c["consider"] = task.loss, task.consideration or 0
        c["outside"], c["nest"] = int(task.outside_option), 1.0
        c["choice"] = ARGMAX
        if isinstance(task.choice, Logit):
            c["choice"], c["scale"], c["nest"] = LOGIT, task.choice.scale, task.choice.nest
        if callable(task.choice) or _asks(market.mechanism):
            c["asks"] = 1
        c["recorded_in"] = int(isinstance(task.input_tokens, Recorded))
        c["recorded_out"] = int(isinstance(task.output_tokens, Recorded))
        c["recorded_value"] = int(isinstance(task.value, Recorded))
        c["closed"] = users
        users += task.arrivals.users if isinstance(task.arrivals, Closed) else 0
        drawn = {
            workload.INPUT: task.input_tokens, workload.OUTPUT: task.output_tokens,
            workload.VALUE: task.value, workload.DEADLINE: task.deadline,
            workload.DELAY_COST: Constant(value=task.delay_cost.per_second)
            if isinstance(task.delay_cost, ShareOfValue) else task.delay_cost,
            workload.PATIENCE: task.patience if c["patience"] == 2 else None,
            workload.THINK: getattr(task.arrivals, "think_time", None),
        }  # fmt: skip
        for row, law in drawn.items():
            if law is not None and not isinstance(law, Recorded):
                laws[k, row] = law_row(law, tables)
        known = (task.deadline is None or _constant(task.deadline)) and (
            c["patience"] < 2 or _constant(task.patience)
        )
        plain = known and _constant(task.value) and (share or _constant(task.delay_cost))
        plain = plain and not private_costs(market)
        c["mean_value"] = task.mean_value
        c["mean_delay"] = (
            task.delay_cost.per_second * task.mean_value
            if isinstance(task.delay_cost, ShareOfValue) else task.delay_cost.mean
        )  # fmt: skip
        c["known"] = int(known and market.quotes.price == "expected")
        c["look"] = reservation(market.platform.search_cost, float(c["scale"]))
        c["plain"] = int(plain and c["known"])
    return classes


def _sellers(market: Market) -> Any:
    sellers = np.zeros(len(market.sellers), SELLER)
    auction = sealed(market.mechanism)
    for s, seller in zip(sellers, market.sellers, strict=True):
        s["taste_key"] = name_key("nest", seller.name)
        s["speed"], s["kappa"], s["slots"] = seller.speed, seller.kappa, seller.slots
        s["discipline"] = _DISCIPLINE[seller.discipline]
        s["prefill"] = (
            0.0 if math.isinf(seller.prefill_rate) else seller.speed / seller.prefill_rate
        )
        s["outside"] = seller.startup_time + seller.network_time
        s["refund_late"], s["refund_wrong"] = seller.refund_late, seller.refund_wrong
        s["promise"] = math.inf if seller.promise is None else seller.promise
        s["penalty"] = seller.penalty
        s["quote"] = _QUOTE[market.quotes.latency]
        if auction and s["quote"] == PROMISED and seller.penalty == 0:
            s["quote"] = OBSERVED  # a promise that costs nothing to break is not believed
        s["cost_key"] = name_key("cost", seller.owned_by)
        s["factor"] = seller.cost_factor.mean
        if auction:
            rule = bidding_of(auction, seller)
            s["bid_rule"] = _BID[rule.kind]
            s["bid_rate"] = getattr(rule, "rate", getattr(rule, "margin", 0.0))
            s["answer"] = answer_time(auction, seller)
        s["listed"] = int(seller.enters == 0)
        s["sponsor"] = seller.sponsor
    return sellers


def set_rates(offer: Any, side: str, rates: Rates) -> None:
    """Give an offer its posted price or its cost (`side`), per token and per task."""
    offer[f"{side}_in"], offer[f"{side}_out"] = rates.input / _MTOK, rates.output / _MTOK
    offer[f"{side}_task"] = rates.task


def _offers(market: Market) -> Any:
    offers = np.zeros(len(market.offers), OFFER)
    owners: dict[str, int] = {}
    menu = [
        (s, seller, effort) for s, seller in enumerate(market.sellers) for effort in seller.effort
    ]
    for offer, (s, seller, effort) in zip(offers, menu, strict=True):
        offer["seller"] = s
        offer["owner"] = owners.setdefault(seller.owned_by, len(owners))
        for use in ("taste", "right", "tie", "shown"):
            offer[f"{use}_key"] = name_key(use, seller.name, effort)
        offer["thinking"], offer["verbosity"] = seller.effort[effort], seller.verbosity
        offer["listed"] = 1
        set_rates(offer, "price", seller.price)
        set_rates(offer, "cost", seller.cost)
    return offers


def _clock(market: Market, warmup: float, seed: int) -> Any:
    clock = np.zeros(1, CLOCK)
    c = clock[0]
    c["current"] = -1
    c["mechanism"] = POSTED_PRICE
    c["linear"] = 1.0
    auction = sealed(market.mechanism)
    if auction:
        c["mechanism"], c["sealed"] = _MECHANISM[auction.kind], 1
        c["call"] = math.inf if auction.call is None else auction.call
        none = -math.inf if isinstance(auction, ScoringAuction) else math.inf
        c["reserve"] = none if auction.reserve is None else auction.reserve
    if isinstance(auction, ScoringAuction):
        c["linear"], c["quadratic"] = auction.linear, auction.quadratic
        c["choose_promise"] = int(auction.promise == "bid")
    c["exact_price"] = int(market.quotes.price == "exact")
    c["commission"], c["memory"] = market.platform.commission, market.quotes.memory
    c["ranking"] = int(market.platform.ranking == "random")
    c["record_from"] = warmup
    c["search_cost"] = market.platform.search_cost
    c["ratings"] = RATED if market.platform.ranking == "rating" else UNRATED
    if market.quotes.accuracy == "rated":
        c["ratings"] = QUOTED
    c["contracts"] = int(bool(market.contracts))
    set_clock(c, market, seed)
    return clock


def set_shares(classes: Any, share: float | Sequence[float]) -> None:
    """Set the share of tasks that leave a trade row, of each class or of all."""
    shares = np.broadcast_to(share, len(classes))
    classes["share"] = [np.uint64(min(int(x * 2.0**64), 2**64 - 1)) for x in shares]


def build(
    market: Market, seed: int, *, warmup: float = 0.0, share: float | Sequence[float] = 1.0,
    base: Path = Path(), block: int = BLOCK, rows: int = TRADE_ROWS, places: int = 1024,
) -> tuple[State, Any, NDArray[np.float64]]:  # fmt: skip
    """Return (state, arrival sources, traces) of a market before its first task.

    `warmup` seconds are left out of latency histograms, `share` is the share of tasks that leave
    a trade row, of each class or of all, `base` the folder that relative trace files are taken
    from; `block`, `rows` and `places` are sizes of buffers and change no result.
    """
    sources, trace = workload.sources_of(market, seed, base)
    parts = [
        trace[:, s["first"] : s["first"] + s["length"]]
        if isinstance(t.arrivals, Replay) else np.zeros((4, 0))
        for s, t in zip(sources, market.tasks, strict=True)
    ]  # fmt: skip
    quantile_laws: list[Quantiles] = []
    laws = np.zeros((len(market.tasks), workload.DRAWS), LAW)
    classes = _classes(market, seed, laws, quantile_laws)
    factors = np.zeros(len(market.sellers), LAW)
    for s, seller in enumerate(market.sellers):
        factors[s] = law_row(seller.cost_factor, quantile_laws)
    set_shares(classes, share)
    sellers, offers = _sellers(market), _offers(market)
    contracts, customers, met = parts_of(market, classes)
    cells, works, nodes, work_rows = cells_of(market, offers, sellers, parts)
    for s in range(len(sellers)):
        mine = np.flatnonzero(offers["seller"] == s)
        sellers[s]["first"], sellers[s]["offers"] = mine[0], len(mine)
    tasks, events, heap, free = empty_pool(len(sellers), places)
    clock = _clock(market, warmup, seed)
    clock[0]["free"] = places
    k_count, o_count, s_count = len(classes), len(offers), len(sellers)
    users = sum(t.arrivals.users for t in market.tasks if isinstance(t.arrivals, Closed))
    st = State(
        clock=clock, classes=classes, laws=laws, tables=quantile_table(quantile_laws),
        menu=np.zeros((k_count, o_count), np.int64), offers=offers, sellers=sellers,
        queues=np.zeros((s_count, LEVELS), QUEUE), cells=cells, works=works, told=np.zeros(1, WORK),
        base=np.full((k_count, o_count), -np.inf), stamp=np.full((k_count, o_count), -1, np.int64),
        version=np.zeros(s_count, np.int64), changes=np.zeros(CHANGES, np.int64),
        seller_of=offers["seller"].copy(), taste_keys=offers["taste_key"].copy(),
        rows=work_rows, nodes=nodes, ahead=np.zeros((1, 5, 1)),
        alone=np.full((k_count, o_count, CROWD, 9), np.nan),
        waits=waits.wait_table(), gumbels=tastes.gumbel_table(),
        stables=np.array([tastes.stable_table(float(c["nest"])) for c in classes]),
        tasks=tasks, events=events, heap=heap, run=np.zeros((s_count, 64), np.int64), free=free,
        block=np.zeros(block, DEMAND), users=np.zeros(max(users, 1), np.int64),
        stats=np.zeros((k_count, o_count + 1), STAT),
        latencies=np.zeros((k_count, o_count, LATENCY_BINS), np.int64),
        odds=np.zeros((k_count, o_count + 1)), chances=np.zeros((5, o_count)),
        ways=np.zeros((k_count, 1, o_count + 1)), swayed=np.zeros((2, o_count + 3)),
        note_ids=np.zeros(2, np.uint64), notes=np.zeros((2, 7)),
        ledger=np.zeros(k_count + s_count + 3, np.int64), trades=np.zeros(rows, TRADE),
        score=np.zeros(o_count), shown=np.zeros(o_count, np.int64), bids=np.zeros(o_count),
        factors=factors, rivals=rivals_of(sealed(market.mechanism), market),
        shadow=shadow_table(market, [s.slots for s in market.sellers]),
        contracts=contracts, customers=customers, met=met, spare=np.zeros(1, CELL),
        traders=traders_of(market, seed), book=np.zeros(places, BID),
        bid_order=np.zeros(places, np.int64), sales=np.zeros(s_count, SALE),
        sale_order=np.zeros(s_count, np.int64),
    )  # fmt: skip
    set_calls(st)
    st = st._replace(ahead=tables_ahead(st))
    for o in range(o_count):
        set_asks(st, o)
    set_menu(st, market.platform.ranking)
    set_units(st, market, sources, parts)
    return st, sources, trace
