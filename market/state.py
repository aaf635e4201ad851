"""The state of a market as flat arrays: what the kernel reads and writes, field by field.

Records keep what is used together side by side; every array is plain data, so a state can be
copied, hashed and handed to compiled code as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .heaps import NODE

# Why `advance` came back.
HORIZON, WATCHED, DECIDE, REFILL, FLUSH, GROW, OVERFLOW = range(7)
# Ranks that settle equal times; agent events have rank 1 and live on the clock.
COMPLETION, AGENT, ARRIVAL, SESSION, RENEGE = range(5)
# Where a task is, and how it ended.
FREE, COMING, WAITING, RUNNING, CALLING = range(5)
SERVED, BALKED, RENEGED, FAILED = range(4)
# Quotes, disciplines, choice rules, mechanisms.
OBSERVED, AVERAGE, PROMISED = range(3)
FCFS, PRIORITY, PREEMPTIVE = range(3)
ARGMAX, LOGIT = range(2)
POSTED_PRICE, FIRST_PRICE, VICKREY, FIRST_SCORE, SECOND_SCORE = range(5)
UNRATED, RATED, QUOTED = range(3)
K_DOUBLE, CALL_MARKET, CONTINUOUS = range(10, 13)
BOOKED = 9
"""Where a task is whose bid waits in the book."""
LEVELS = 8
CROWD = 128
"""Streams of a seller up to which what a free slot promises is kept."""
CHANGES = 256
"""How many changes of quotes are remembered, a power of two."""
LATENCY_BINS = 128
BINS_PER_OCTAVE = 4
FIRST_OCTAVE = -10

_f, _i, _u = "f8", "i8", "u8"

CLOCK = np.dtype([
    ("now", _f), ("scheduled", _i), ("free", _i), ("next", _i), ("filled", _i), ("rows", _i),
    ("current", _i), ("grow", _i), ("mechanism", _i), ("sealed", _i), ("exact_price", _i),
    ("commission", _f), ("memory", _f), ("ranking", _i), ("tasks", _i), ("changes", _i),
    ("record_from", _f), ("on_show", _i), ("reserve", _f), ("call", _f), ("calling", _i),
    ("linear", _f), ("quadratic", _f), ("choose_promise", _i), ("search_cost", _f), ("ratings", _i),
    ("contracts", _i), ("period", _i),
    ("session_at", _f), ("session", _i), ("step", _f), ("k", _f), ("full", _i), ("book", _i),
    ("market_key", _u), ("odds", _i), ("noted", _i),
], align=True)  # fmt: skip
"""One record: time, sizes of heaps and buffers, market-wide settings. sealed: sellers bid; call:
deadline of a call for bids; calling: tasks whose call is out; reserve: a price or a score;
ratings: UNRATED (not kept), RATED, or QUOTED as the accuracy that buyers expect; contracts:
somebody offers one; period: the number of the present one. session_at: when the next session of a
double auction is, session its number, step the time between two; k: where in the interval of
clearing prices the price is; full: orders persist; book: how many bids wait. odds: whether the
chances of choices are noted; noted: how many choices stand in `notes`."""

CLASS = np.dtype([
    ("key", _u), ("level", _i), ("late_rule", _i), ("late_parameter", _f), ("deadline", _i),
    ("patience", _i), ("delay_share", _i), ("difficulty", _f), ("spread", _f), ("choice", _i),
    ("asks", _i), ("scale", _f), ("nest", _f), ("consider", _i), ("outside", _i),
    ("plain", _i), ("known", _i), ("loss", _f), ("offers", _i), ("closed", _i),
    ("recorded_in", _i), ("recorded_out", _i), ("share", _u), ("seen", _i), ("call", _f),
    ("mean_value", _f), ("mean_delay", _f), ("look", _f), ("customers", _i), ("member", _i),
    ("recorded_value", _i), ("quantity", _f), ("strays", _i), ("hurry", _f), ("ways", _i),
], align=True)  # fmt: skip
"""A task class; laws of its draws are rows of `laws`. deadline: has one; patience: 0 none, 1 the
deadline, 2 a law; asks: a Python rule decides; plain: all buyers of the class see the same
utilities; known: same deadline and patience for all, and nobody is told its own price; seen: how
many changes of quotes the class has caught up with; call: how long a call for bids takes now;
look: an offer's reservation value less its expected utility, where looking costs; member: where
its customers begin; quantity: mean tokens, in and out; strays: tasks that leave a row pass over
some offers, and weigh waiting `hurry` times; ways: in how many other ways its buyers might
choose, which is noted of tasks that leave a row."""

OFFER = np.dtype([
    ("seller", _i), ("owner", _i), ("taste_key", _u), ("right_key", _u), ("tie_key", _u),
    ("shown_key", _u), ("thinking", _f), ("verbosity", _f), ("price_in", _f), ("price_out", _f),
    ("price_task", _f), ("cost_in", _f), ("cost_out", _f), ("cost_task", _f), ("listed", _i),
    ("tier", _i), ("unit_cost", _f),
], align=True)  # fmt: skip
"""An offer: (seller, effort) with its rates in USD per token and per task. tier: it delivers the
commodity of a double auction; unit_cost: at what cost, USD per million tokens."""

SELLER = np.dtype([
    ("taste_key", _u), ("first", _i), ("offers", _i), ("speed", _f),
    ("kappa", _f), ("slots", _f), ("discipline", _i), ("prefill", _f), ("outside", _f),
    ("refund_late", _f), ("refund_wrong", _f), ("promise", _f),
    ("penalty", _f), ("quote", _i), ("listed", _i), ("down", _i), ("served_work", _f),
    ("since", _f), ("rate", _f), ("running", _i), ("waiting", _i), ("run_work", _f),
    ("run_variance", _f), ("touched", _f), ("run_time", _f), ("wait_time", _f), ("busy", _f),
    ("up_time", _f), ("slot_time", _f), ("open_time", _f), ("bid_rule", _i), ("bid_rate", _f),
    ("cost_key", _u), ("factor", _f), ("answer", _f), ("silent", _i), ("opened", _f),
    ("sponsor", _f),
], align=True)  # fmt: skip
"""A seller: terms, then its service state. `served_work` is the work done per stream since the
seller was last idle (its virtual clock) at time `since`; from `touched` to `open_time` are time
integrals. Then how it bids: `factor` is the mean of its cost factor, `answer` the time until its
bid is there, `silent` whether that is too late, `sponsor` what it bids for position,
`opened` since when it has been on the market."""

QUEUE = np.dtype([
    ("head", _i), ("tail", _i), ("length", _i), ("running", _i), ("work", _f), ("variance", _f),
], align=True)  # fmt: skip
"""One priority level at one seller: a linked list of waiting tasks and sums of their class work."""

CELL = np.dtype([
    ("serves", _i), ("floor", _f), ("ceiling", _f), ("skill", _f), ("accuracy", _f), ("claim", _f),
    ("ask", _f), ("cost", _f), ("tokens_in", _f), ("billed_out", _f),
    ("chance", _f), ("wait", _f), ("shape", _f), ("rate", _f),
    ("served", _f), ("delta", _f), ("used", _f), ("timely", _f), ("time", _f), ("kept", _f),
    ("billed", _f), ("weight", _f), ("seen", _f), ("waited", _f), ("wait_sum", _f),
    ("started", _f), ("pace", _f), ("pace_weight", _f), ("pace_seen", _f),
    ("full_rate", _f), ("reach", _f), ("table", _i), ("streams", _i),
    ("in_per_work", _f), ("out_per_work", _f), ("slope", _f), ("tilt", _f),
    ("own_served", _f), ("own_billed", _f), ("own_kept", _f), ("bid", _f), ("promise", _f),
    ("rating", _f), ("points", _f), ("answers", _f), ("fee", _f), ("shunned", _i), ("truth", _f),
], align=True)  # fmt: skip
"""A task class at an offer: accuracy, expected price and cost, the quote, buyers' experience; and
where its row of `ahead` is (0: none), the rate and seconds that row is for, how many streams the
quote is for. Billed tokens rise with work by `in_per_work` and `out_per_work`, the price by
`slope`; `tilt` is the work of those on time beyond their share, times the refund if late. What
begins with `own` is what the seller itself expects where buyers take its promise; `bid` is its
bid where it is the same for all tasks, `promise` the latency it promises. `rating` is the share of
right answers, `points` of `answers` (the prior's included); `fee` what a sale costs in
advertising, USD; `shunned`: who strays passes it over; `truth` is how often it is right, whatever
buyers believe."""

TASK = np.dtype([
    ("id", _u), ("time", _f), ("kind", _i), ("input", _f), ("output", _f), ("value", _f),
    ("delay_cost", _f), ("deadline", _f), ("patience", _f), ("difficulty", _f),
    ("offer", _i), ("state", _i), ("work", _f), ("left", _f), ("finish", _f), ("started", _f),
    ("resumed", _f), ("service", _f), ("queued", _f), ("wait", _f), ("level", _i),
    ("previous", _i), ("following", _i), ("price", _f), ("taste", _f), ("utility", _f),
    ("watched", _i), ("user", _i), ("attempt", _u), ("pinned", _i), ("own", _i), ("joined", _f),
    ("factor", _f), ("promise", _f), ("search", _f), ("fee", _f),
    ("customer", _i), ("contract", _i), ("covered", _f), ("period", _i), ("place", _i),
], align=True)  # fmt: skip
"""A task in the market: its demand, then where it is. Links are −1 at the ends; `own` marks a
task whose value or times are not its class's; `joined` is when an offer was chosen, `factor` what
its cost is multiplied by, `promise` the latency promised, `search` what looking has cost, `fee`
what the seller pays the platform for the sale; `contract` is the one it was ordered under (−1:
none), `covered` the quota it took in that `period`; `place` is where its bid is in the book."""

DEMAND = np.dtype([(n, TASK.fields[n][0]) for n in TASK.names[:10]], align=True)  # type: ignore[index]
"""A task as the workload makes it."""

TRADER = np.dtype([
    ("key", _u), ("rule", _i), ("a", _f), ("b", _f), ("margin", _f), ("momentum", _f),
    ("rate", _f), ("inertia", _f), ("limit", _f), ("live", _i), ("price", _f), ("number", _i),
    ("task", _i), ("offer", _i), ("factor", _f), ("active", _i), ("unit", _i), ("cost", _f),
    ("unit_factor", _f), ("waiting", _i),
], align=True)  # fmt: skip
"""A trader of a double auction: a task class buys, an owner sells. Its quoting rule with two
numbers, what ZIP has learnt and the limit price it learnt it for; its order, if `live`: price,
number of the shout, task or offer with its cost factor. Then what it has now: whether it has a
unit to trade, which offer, at what cost and factor; how many of a class's bids wait."""

BID = np.dtype([("task", _i), ("bid", _f), ("time", _f), ("id", _u)], align=True)
"""A bid that waits in the book."""

SALE = np.dtype([
    ("offer", _i), ("ask", _f), ("units", _f), ("factor", _f), ("coin", _u),
], align=True)  # fmt: skip
"""What a seller asks in a session for each of its free slots."""

TRADE = np.dtype([
    ("id", _u), ("kind", "i4"), ("offer", "i4"), ("status", "i4"), ("right", "i4"),
    ("late", "i4"), ("attempt", "i4"), ("arrival", _f), ("start", _f), ("finish", _f),
    ("answer", _f), ("wait", _f), ("sojourn", _f), ("input", _f), ("output", _f), ("value", _f),
    ("deadline", _f), ("delay_cost", _f), ("difficulty", _f), ("price", _i), ("refund", _i),
    ("penalty", _i), ("commission", _i), ("returned", _i), ("cost", _i), ("utility", _f),
    ("surplus", _f), ("taste", _f), ("sampled", _i), ("advertising", _i), ("search", _f),
    ("customer", "i4"), ("contract", "i4"),
], align=True)  # fmt: skip
"""A finished task as a row: money in nano-dollars; `returned` is commission given back, `sampled`
tells rows of the keyed sample from those written because somebody waits for the task.
`customer` and `contract` are −1 where there are none."""

STAT = np.dtype([
    ("assigned", _i), ("served", _i), ("right", _i), ("late", _i), ("reneged", _i),
    ("failed", _i), ("wait", _f), ("service", _f), ("sojourn", _f), ("value", _f), ("loss", _f),
    ("delay_cost", _f), ("taste", _f), ("thinking", _f), ("paid", _i), ("refund", _i),
    ("penalty", _i), ("commission", _i), ("cost", _i), ("advertising", _i), ("search", _f),
    ("fee", _i),
], align=True)  # fmt: skip
"""Counts and sums of a class at an offer since the epoch began; the last column is the outside
option. `commission` is net of what refunds gave back, that of fees included; `fee` stands
at the seller's first offer."""

CONTRACT = np.dtype([
    ("seller", _i), ("rate", _f), ("quota", _f), ("level", _i), ("within", _f), ("success", _i),
    ("fee", _i),
], align=True)  # fmt: skip
"""A contract: level −1 is the class's own, within is infinite where there is no time, the fee is in
nano-dollars."""

CUSTOMER = np.dtype([
    ("upto", _f), ("holds", _i), ("quota", _f), ("tasks", _i), ("input", _f), ("output", _f),
], align=True)  # fmt: skip
"""A customer: the share of its class's tasks that it and those before it bring, its contract or −1,
the quota left, and what it has brought this period."""

MET = np.dtype([
    ("ended", _i), ("waited", _i), ("wait", _f), ("started", _i), ("service", _f), ("work", _f),
], align=True)  # fmt: skip
"""What customers met this period at a level of a seller: how many were served or left, how many of
them had to wait, seconds waited, how many started after a wait, seconds and tokens of service."""


class State(NamedTuple):
    """Everything the kernel touches. K classes, S sellers, O offers, N pool places."""

    clock: Any  # [1] CLOCK
    classes: Any  # [K] CLASS
    laws: Any  # [K, draws] LAW
    tables: NDArray[np.float64]  # [laws, 2, points] quantile laws
    menu: NDArray[np.int64]  # [K, O] offers that serve the class, in the order they are shown
    offers: Any  # [O] OFFER
    sellers: Any  # [S] SELLER
    queues: Any  # [S, LEVELS] QUEUE
    cells: Any  # [K, O] CELL
    works: Any  # [K, O] WORK
    told: Any  # [1] WORK: the work of the one task whose buyer is told its exact price
    base: NDArray[np.float64]  # [K, O] expected utility where all buyers of a class agree
    stamp: NDArray[np.int64]  # [K, O] version of the seller that the quote was made for
    version: NDArray[np.int64]  # [S] changes whenever a quote may have changed
    changes: NDArray[np.int64]  # [CHANGES] the last sellers whose quotes may have changed
    seller_of: NDArray[np.int64]  # [O] seller of an offer, for the scoring loop
    taste_keys: NDArray[np.uint64]  # [O] taste key of an offer, for the scoring loop
    rows: NDArray[np.float64]  # [laws, 3, P] tabulated work: probabilities, quantiles, areas
    nodes: NDArray[np.float64]  # [K, O, SIZE_NODES] work as equally likely points, tokens
    ahead: NDArray[np.float64]  # [rows, 5, AHEAD + 1] what is left of a value after a wait
    alone: NDArray[np.float64]  # [K, O, CROWD, 9] what a free slot promises; NaN: not known yet
    waits: NDArray[np.float64]  # [shapes, SLICES + 1] ends of slices of gamma laws of mean 1
    gumbels: NDArray[np.float64]  # [BINS + 1]
    stables: NDArray[np.float64]  # [K, BINS + 1]
    tasks: Any  # [N] TASK
    events: Any  # [S + N] NODE: completions of sellers, then alarms of tasks
    heap: NDArray[np.int64]  # [S + N] the calendar
    run: NDArray[np.int64]  # [S, C] tasks in service, a heap per seller
    free: NDArray[np.int64]  # [N] stack of free pool places
    block: Any  # [B] DEMAND: the next arrivals
    users: NDArray[np.int64]  # [U] tasks submitted so far by each user of a closed class
    stats: Any  # [K, O + 1] STAT
    latencies: NDArray[np.int64]  # [K, O, LATENCY_BINS]
    odds: NDArray[np.float64]  # [K, O + 1] chances of choices, summed over tasks, if noted
    chances: NDArray[np.float64]  # [5, O] scratch of `odds`
    ways: NDArray[np.float64]  # [K, W, O + 1] which offers a way passes over, what it adds to hurry
    swayed: NDArray[np.float64]  # [W + 1, O + 3] scratch of `odds.sway`
    note_ids: NDArray[np.uint64]  # [R] tasks whose choices are noted
    notes: NDArray[np.float64]  # [R, 3W + 4] what is noted of each
    ledger: NDArray[
        np.int64
    ]  # [K + S + 3] nano-dollars: buyers, sellers, platform, suppliers, flag
    trades: Any  # [R] TRADE
    score: NDArray[np.float64]  # [O]
    bids: NDArray[np.float64]  # [O] what the offers on show bid, USD
    factors: Any  # [S] LAW of a seller's cost factor
    rivals: NDArray[np.float64]  # [S, 2, RIVAL_NODES] where the best rival's factor lies
    shadow: NDArray[np.float64]  # [S, slots + 1] share of a margin that one more taken slot costs
    shown: NDArray[np.int64]  # [O]
    contracts: Any  # [C] CONTRACT
    customers: Any  # [M] CUSTOMER, class by class; one of no use where there are no contracts
    met: Any  # [S, LEVELS] MET
    spare: Any  # [1] CELL: the class's own quote while that of a contract is made
    traders: Any  # [K + owners] TRADER
    book: Any  # [N] BID: the first `clock["book"]` wait
    bid_order: NDArray[np.int64]  # [N] places in the book, best bid first
    sales: Any  # [S] SALE
    sale_order: NDArray[np.int64]  # [S] places in `sales`, lowest ask first


def empty_pool(sellers: int, places: int) -> tuple[Any, Any, Any, NDArray[np.int64]]:
    """Return (tasks, events, heap, free) for `places` tasks, all places free."""
    tasks = np.zeros(places, TASK)
    events = np.zeros(sellers + places, NODE)
    events["place"] = -1
    heap = np.zeros(sellers + places, np.int64)
    free = np.arange(places - 1, -1, -1, dtype=np.int64)
    return tasks, events, heap, free
