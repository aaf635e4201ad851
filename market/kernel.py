"""The kernel: clears the market task by task, in order of (time, rank, id), between agent events.

`advance` is a deterministic function over the arrays of `State`. It draws nothing except keyed
hashes, touches no Python object and says why it stopped. Agent events happen on the clock while
it stands still; they rank after completions and before arrivals of the same instant.
"""

from __future__ import annotations

import math

from .auction import call_for_bids, hold, left_to_buyer
from .bids import factor_for
from .choice import (
    look_at,
    outside_taste,
    posted_for,
    score_offers,
    stands_apart,
    tariff,
    taste_for,
    utility_at,
    work_of,
)
from .contracts import contract_at, greet, order, rescore, utility_under
from .heaps import withdraw
from .jit import compiled, spliced
from .mechanisms.posted_price import pick
from .mechanisms.search import look_around
from .odds import note_choice
from .outcome import do_without, fresh, leave, sampled, serve
from .outlook import catch_up, is_open
from .service import (
    dequeue,
    end,
    expect_completion,
    join,
    serve_waiting,
    touch,
)  # fmt: skip
from .state import (
    ARRIVAL,
    CALLING,
    COMPLETION,
    DECIDE,
    FLUSH,
    GROW,
    HORIZON,
    OVERFLOW,
    POSTED_PRICE,
    REFILL,
    RENEGE,
    RENEGED,
    WATCHED,
    State,
)  # fmt: skip


@spliced
def take(st: State, i: int) -> None:
    """Copy the next task of the block into a place of the pool."""
    clock = st.clock[0]
    demand, task = st.block[clock["next"]], st.tasks[i]
    clock["next"] += 1
    fresh(st, i)
    task["id"], task["time"], task["kind"] = demand["id"], demand["time"], demand["kind"]
    task["input"], task["output"] = demand["input"], demand["output"]
    task["value"], task["delay_cost"] = demand["value"], demand["delay_cost"]
    task["deadline"], task["patience"] = demand["deadline"], demand["patience"]
    task["difficulty"] = demand["difficulty"]


@spliced
def assign(st: State, i: int, o: int, price: float, utility: float) -> None:
    """Give a task to an offer at a price and let it join the seller."""
    task, offer = st.tasks[i], st.offers[o]
    k, s = task["kind"], offer["seller"]
    task["offer"], task["price"], task["utility"] = o, price, utility
    task["taste"] = taste_for(st, k, o, task["id"])
    task["factor"] = factor_for(st, s, task["id"])
    task["promise"] = st.sellers[s]["promise"]
    if st.clock[0]["choose_promise"] == 1 and st.sellers[s]["penalty"] > 0.0:
        task["promise"] = st.cells[k, o]["promise"]
    task["work"] = work_of(st, o, i)
    task["left"] = task["work"]
    if task["pinned"] < 0:  # it came through the listing
        task["fee"] = st.cells[k, o]["fee"]
    st.stats[k, o]["assigned"] += 1
    if st.clock[0]["contracts"] == 1:
        order(st, i, o)
    join(st, s, i, st.clock[0]["now"])


@compiled
def decide(st: State, i: int, o: int, price: float, utility: float) -> None:
    """Carry out a choice that was made outside the kernel: an offer, or −1 for none."""
    st.tasks[i]["joined"] = st.clock[0]["now"]
    if o < 0:
        do_without(st, i, st.clock[0]["now"])
    else:
        assign(st, i, o, tariff(st, o, i) if math.isnan(price) else price, utility)


@spliced
def named(st: State, k: int, i: int) -> tuple[int, float, float]:
    """Return (offer, price, utility) of a task that names its offer; −1 if that is off the market.

    Quotes must be up to date.
    """
    task = st.tasks[i]
    o = task["pinned"]
    if not is_open(st, o) or st.cells[k, o]["serves"] == 0:
        return -1, 0.0, 0.0
    if stands_apart(st, k, i):
        look_at(st, k, o, i)
    liked = utility_at(st, k, o, i, posted_for(st, k, o, i))
    c = contract_at(st, i, st.offers[o]["seller"]) if st.clock[0]["contracts"] == 1 else -1
    if c >= 0:
        liked = utility_under(st, k, o, i, c)
    return o, tariff(st, o, i), liked + taste_for(st, k, o, task["id"])


@spliced
def chosen(st: State, k: int, i: int, count: int) -> tuple[int, float, float]:
    """Return (offer, price, utility) of what is best among `count` scored offers; −1 if nothing."""
    task, clock = st.tasks[i], st.clock[0]
    outside = outside_taste(st, k, task["id"]) if st.classes[k]["outside"] == 1 else -math.inf
    if clock["mechanism"] != POSTED_PRICE:
        place, price = hold(st, k, i, count, outside)
        if place < 0:
            return -1, 0.0, 0.0
        winner = st.shown[place]
        return winner, price, left_to_buyer(st, k, winner, i, price)
    if clock["search_cost"] > 0.0:
        count = look_around(st, k, i, count, outside)
    place = pick(st.score, st.shown, count, outside, task["id"], st.offers)
    if place < 0:
        return -1, 0.0, 0.0
    winner = st.shown[place]
    return winner, tariff(st, winner, i), st.score[place] - task["search"]


@spliced
def clear(st: State, i: int) -> bool:
    """Match one task with an offer; return False when somebody outside must decide."""
    task = st.tasks[i]
    k = task["kind"]
    kind = st.classes[k]
    task["joined"] = st.clock[0]["now"]
    if st.clock[0]["contracts"] == 1:
        greet(st, i)
    if st.clock[0]["changes"] != kind["seen"]:
        catch_up(st, k)
    if task["pinned"] >= 0:
        o, price, utility = named(st, k, i)
    else:
        count = score_offers(st, k, i)
        if st.clock[0]["contracts"] == 1:
            rescore(st, k, i, count)
        if kind["asks"] == 1:
            st.clock[0]["current"] = i
            st.clock[0]["on_show"] = count
            return False
        o, price, utility = chosen(st, k, i, count)
        if kind["ways"] > 0 and sampled(st, i):
            note_choice(st, k, i, o)
    if o >= 0:
        assign(st, i, o, price, utility)
    else:
        do_without(st, i, st.clock[0]["now"])
    return True


@spliced
def is_called(st: State, i: int, now: float) -> bool:
    """Let a task come, or the call for its bids end; return whether it waits for bids now."""
    clock = st.clock[0]
    if st.tasks[i]["state"] == CALLING:
        clock["calling"] -= 1
        return False
    clock["tasks"] += 1
    return call_for_bids(st, i, now)


@spliced
def complete(st: State, s: int, now: float) -> None:
    """Finish the first task in service at a seller and start the next one waiting."""
    touch(st.sellers[s], now)
    # The virtual clock shows exactly this: tasks that end together end at one instant.
    st.sellers[s]["served_work"] = st.tasks[st.run[s, 0]]["finish"]
    i = end(st, s, 0, now)
    serve(st, i, now)
    serve_waiting(st, s, now)
    expect_completion(st, s, now)


@spliced
def renege(st: State, i: int, now: float) -> None:
    """Let a waiting task leave: a queue, or a call for bids that takes too long."""
    if st.tasks[i]["state"] == CALLING:
        withdraw(st.events, st.heap, st.clock[0], len(st.sellers) + i)
        st.clock[0]["calling"] -= 1
        do_without(st, i, now)
        return
    s = st.offers[st.tasks[i]["offer"]]["seller"]
    touch(st.sellers[s], now)
    dequeue(st, s, i)
    leave(st, i, RENEGED, now)


@spliced
def wants(st: State) -> int:
    """Return what the kernel needs before it can go on, as `advance` says it, or −1."""
    clock = st.clock[0]
    if st.ledger[len(st.ledger) - 1] != 0:
        return OVERFLOW
    if clock["rows"] >= len(st.trades) - 1 or clock["noted"] >= len(st.notes) - 1:
        return FLUSH
    if clock["free"] < 2 or clock["grow"] == 1:
        return GROW
    return REFILL if clock["next"] >= clock["filled"] else -1


@spliced
def next_event(st: State) -> tuple[float, int, int]:
    """Return (time, rank, node) of the next event; node −1 means the next task of the block."""
    clock = st.clock[0]
    coming = st.block[clock["next"]]["time"]
    time, rank, node = math.inf, RENEGE, -1
    if clock["scheduled"] > 0:
        node = st.heap[0]
        time, rank = st.events[node]["time"], st.events[node]["rank"]
    from_block = coming < time or (
        coming == time
        and (rank > ARRIVAL
             or (rank == ARRIVAL and st.block[clock["next"]]["id"] < st.events[node]["id"]))
    )  # fmt: skip
    return (coming, ARRIVAL, -1) if from_block else (time, rank, node)


@spliced
def newcomer(st: State, node: int) -> int:
    """Return the place of a task that comes: the next of the block, or one that was announced."""
    clock = st.clock[0]
    if node < 0:
        clock["free"] -= 1
        i = st.free[clock["free"]]
        take(st, i)
    else:
        i = node - len(st.sellers)
        withdraw(st.events, st.heap, clock, node)
    return i


@compiled
def advance(st: State, until: float) -> int:
    """Process events up to `until` and return why it stopped.

    Completions at `until` are processed, arrivals and reneging at `until` are not: agents act
    in between. Stops early when a watched task ended (`WATCHED`; its place is
    `clock["current"]`), when a task must be decided outside (`DECIDE`), when the block of
    arrivals is used up (`REFILL`), the trade buffer is full (`FLUSH`), the pool or a row of
    slots is full (`GROW`), or an account has overflowed (`OVERFLOW`).
    """
    clock = st.clock[0]
    sellers = len(st.sellers)
    while True:
        reason = wants(st)
        if reason >= 0:
            return reason
        time, rank, node = next_event(st)
        if time > until or (time == until and rank != COMPLETION) or math.isinf(time):
            if until > clock["now"] and not math.isinf(until):
                clock["now"] = until
            return HORIZON
        clock["now"] = time
        if rank == COMPLETION:
            complete(st, node, time)
        elif rank == ARRIVAL:
            i = newcomer(st, node)
            if not is_called(st, i, time) and not clear(st, i):
                return DECIDE
        else:
            renege(st, node - sellers, time)
        if clock["current"] >= 0:
            return WATCHED
