"""The engine: a state, its workload and its records, driven by `advance`.

It keeps buffers filled and emptied between calls of the kernel; nothing here decides anything.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import acts, bidders, build, exchange, kernel, reuse, workload
from .jit import plain
from .menu import set_asks, set_calls, set_menu
from .outlook import note_change
from .rng import ROW, hash2, hashed
from .schema.arrivals import Replay
from .schema.market import Market
from .state import (
    BID,
    FLUSH,
    GROW,
    K_DOUBLE,
    OVERFLOW,
    POSTED_PRICE,
    REFILL,
    TRADE,
    State,
    empty_pool,
)  # fmt: skip

Way = tuple[Sequence[int], float]
"""Another way of choosing: offers passed over, what the cost of waiting is multiplied by."""


class LedgerOverflowError(ArithmeticError):
    """An account went beyond the range of int64 nano-dollars; prices or sizes are too large."""


class Engine:
    """A running market without agents: arrays, workload and what has been recorded.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> engine = Engine(Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)]), seed=1)
        >>> reason = engine.advance(100.0)
        >>> engine.now
        100.0
    """

    def __init__(
        self, market: Market, seed: int, *, warmup: float = 0.0,
        share: float | Sequence[float] = 1.0, base: Path = Path(),
        keep: Callable[[Any], None] | None = None, **sizes: int,
    ) -> None:  # fmt: skip
        """Build the state; `keep` receives full buffers of trade rows (an array of `TRADE`)."""
        self.market = market
        self.state, self._sources, self._trace = build.build(
            market, seed, warmup=warmup, share=share, base=base, **sizes
        )
        self._keep = keep
        self._keep_notes: Callable[[Any, Any], None] | None = None
        self._held = self.state.block[:0].copy()
        self._row_of: dict[int, dict[int, int]] = {}
        closed = [k for k, s in enumerate(self._sources) if s["kind"] == workload.NONE]
        with np.errstate(over="ignore"):
            for k in closed:
                users = market.tasks[k].arrivals.users  # type: ignore[union-attr]
                while self.state.clock[0]["free"] < users + 2:
                    self._grow_pool()
                first = int(self.state.classes[k]["closed"])
                acts.place_users(self.state, k, first, users, 0.0)

    @property
    def now(self) -> float:
        """Time the market has been cleared to, seconds."""
        return float(self.state.clock[0]["now"])

    def advance(self, until: float) -> int:
        """Clear the market up to `until`; return HORIZON, WATCHED or DECIDE.

        Raises:
            LedgerOverflowError: an account left the range of int64 nano-dollars.
        """
        traded = self.state.clock[0]["mechanism"] >= K_DOUBLE
        step = exchange.advance if traded else kernel.advance
        with np.errstate(over="ignore"):
            while True:
                reason = int(step(self.state, until))
                if reason == REFILL:
                    self._refill()
                elif reason == FLUSH:
                    self.flush()
                elif reason == GROW:
                    self._grow()
                elif reason == OVERFLOW:
                    raise LedgerOverflowError("an account went beyond 4.6e9 USD")
                else:
                    return reason

    def note_odds(self) -> bool:
        """Sum the chances of choices from now on, in `state.odds`; return whether that is possible.

        Of logit classes (`odds.note_odds`), where it is scores alone that decide: not in an
        auction, where looking costs, or under contracts. Outcomes stay what they are.
        """
        clock = self.state.clock[0]
        free = clock["search_cost"] == 0.0 and clock["contracts"] == 0
        clock["odds"] = int(clock["mechanism"] == POSTED_PRICE and free)
        return bool(clock["odds"])

    def let_stray(self, task: int, *, shuns: Sequence[int] = (), hurry: float = 1.0) -> None:
        """Let those buyers of a class whose tasks leave a row (`share`) choose in their own way.

        They pass over the offers numbered in `shuns` and weigh waiting `hurry` times what it
        costs them (`choice.stray`). For posted prices.
        """
        self.state.classes[task]["strays"], self.state.classes[task]["hurry"] = 1, hurry
        self.state.cells["shunned"][task, list(shuns)] = 1

    def note_ways(
        self, ways: Mapping[int, Sequence[Way]], keep: Callable[[Any, Any], None],
        rows: int = 4096,
    ) -> None:  # fmt: skip
        """Note what buyers whose tasks leave a row would gain by choosing in other ways.

        Of classes whose odds are noted. Outcomes stay what they are.

        Args:
            ways: of a class, by its number: offers that a way passes over, by theirs, and what it
                multiplies the cost of waiting by.
            keep: receives full buffers: ids [n] of tasks and what `odds.note_choice` notes of
                each, [n, 3W + 4]; W the most ways a class has.
            rows: of the buffer.
        """
        most = max(len(of) for of in ways.values())
        state, offers = self.state, len(self.state.offers)
        table = np.zeros((len(state.classes), most, offers + 1))
        for k, of in ways.items():
            state.classes[k]["ways"] = len(of)
            for way, (shuns, hurry) in enumerate(of):
                table[k, way, list(shuns)] = 1.0
                table[k, way, offers] = hurry - 1.0
        self.state = state._replace(
            ways=table, swayed=np.zeros((most + 1, offers + 3)),
            note_ids=np.zeros(rows, np.uint64), notes=np.zeros((rows, 3 * most + 4)),
        )  # fmt: skip
        self._keep_notes = keep

    def close_epoch(self) -> None:
        """Bring every seller's time integrals to the present, before they are read."""
        acts.bring_up_to_date(self.state, self.now)

    def flush(self) -> None:
        """Hand the trade rows and notes so far to those who keep them, and empty the buffers."""
        clock = self.state.clock[0]
        if self._keep is not None and clock["rows"]:
            self._keep(self.state.trades[: clock["rows"]].copy())
        if self._keep_notes is not None and clock["noted"]:
            noted = clock["noted"]
            self._keep_notes(self.state.note_ids[:noted].copy(), self.state.notes[:noted].copy())
        clock["rows"] = clock["noted"] = 0

    def _refill(self) -> None:
        st, clock = self.state, self.state.clock[0]
        block, count, self._held = workload.next_block(
            st.block, self._held, self._sources, st.classes, st.laws, st.tables, self._trace
        )
        if block is not st.block:
            st = self.state = st._replace(block=block)
        if count == 0:  # no more arrivals: one that never comes keeps the kernel simple
            st.block[0]["time"], count = math.inf, 1
        clock["next"], clock["filled"] = 0, count

    def _grow(self) -> None:
        if self.state.clock[0]["grow"]:
            self.widen(2 * self.state.run.shape[1])
        else:
            self._grow_pool()

    def widen(self, columns: int) -> None:
        """Make room for so many tasks in service per seller."""
        run = self.state.run
        if columns > run.shape[1]:
            wide = np.zeros((run.shape[0], columns), np.int64)
            wide[:, : run.shape[1]] = run
            self.state = self.state._replace(run=wide)
        self.state.clock[0]["grow"] = 0

    def _grow_pool(self) -> None:
        st = self.state
        old, sellers = len(st.tasks), len(st.sellers)
        tasks, events, heap, free = empty_pool(sellers, 2 * old)
        tasks[:old] = st.tasks
        events[: sellers + old] = st.events
        heap[: sellers + old] = st.heap
        count = int(st.clock[0]["free"])
        free[:old] = np.arange(2 * old - 1, old - 1, -1)
        free[old : old + count] = st.free[:count]
        st.clock[0]["free"] = old + count
        book, order = np.zeros(2 * old, BID), np.zeros(2 * old, np.int64)
        book[:old] = st.book
        self.state = st._replace(
            tasks=tasks, events=events, heap=heap, free=free, book=book, bid_order=order
        )

    def arrival_rate(self, k: int) -> float:
        """Return the arrivals of a class, tasks/s; of a recorded one, as in the time simulated."""
        source, until = self._sources[k], self.market.run.until
        if not isinstance(self.market.tasks[k].arrivals, Replay):
            return self.market.arrival_rate(self.market.tasks[k])
        times = self._trace[0, source["first"] : source["first"] + source["length"]]
        return max(int(np.searchsorted(times, until)), 1) / until

    def recorded_row(self, k: int, id_: np.uint64) -> tuple[float, float, float]:
        """Return the recorded (input, output, value) of a task: its own row, or a keyed one.

        A task of the recording has the row it came with; any other draws one by its id.
        """
        source = self._sources[k]
        first, length = int(source["first"]), int(source["length"])
        if k not in self._row_of:
            mix: Any = getattr(hash2, "py_func", hash2)  # over arrays it runs as NumPy
            with np.errstate(over="ignore"):
                ids = mix(source["key"], np.arange(length, dtype=np.uint64))
            self._row_of[k] = {int(x): row for row, x in enumerate(ids)}
        row = self._row_of[k].get(int(id_))
        if row is None:
            row = int(hashed(id_, ROW)) % length
        tokens_in, tokens_out, value = self._trace[1:, first + row].tolist()
        return tokens_in, tokens_out, value

    # --- what agents may do; `now` is the clock's time ------------------------------------------

    def set_price(self, offer: int, *, price: float) -> None:
        """Move the lever of one offer: output price (USD/Mtok, input in proportion) or per task."""
        o = self.state.offers[offer]
        rates = self.market.sellers[int(o["seller"])].price
        if rates.by_token:
            o["price_out"] = price / 1e6
            o["price_in"] = price / 1e6 * (rates.input / rates.output)
        else:
            o["price_task"] = price
        set_asks(self.state, offer)
        if self.market.platform.ranking == "price":
            self.rank()
        self._requote(int(o["seller"]))

    def list_offer(self, offer: int, listed: bool) -> None:
        """Put one offer on the market or take it off; tasks it already has are finished."""
        self.state.offers[offer]["listed"] = int(listed)
        self._requote(int(self.state.offers[offer]["seller"]))

    def list_seller(self, seller: int, listed: bool, now: float) -> None:
        """Open or close a seller; tasks it already has are finished."""
        acts.bring_up_to_date(self.state, now)
        self.state.sellers[seller]["listed"] = int(listed)
        self.state.sellers[seller]["opened"] = now
        set_calls(self.state)
        self._requote(seller)

    def rank(self) -> None:
        """Rank the offers anew, as the platform does when prices or ratings have changed."""
        set_menu(self.state, self.market.platform.ranking)

    def _requote(self, seller: int) -> None:
        plain(note_change)(self.state, seller)
        self._follow()

    def _follow(self) -> None:
        """Let sponsored positions follow who is on the market, and at what price."""
        if self.market.platform.ranking == "sponsored":
            self.rank()

    def begin_outage(self, seller: int, in_service: str, now: float) -> None:
        """Stop a seller; its tasks in service resume later, are requeued, or fail."""
        st = self.state
        with np.errstate(over="ignore"):
            acts.stop_serving(st, seller, now)
            set_calls(st)
            tasks = st.run[seller, : st.sellers[seller]["running"]].copy()
            order = tasks[np.lexsort((st.tasks["id"][tasks], st.tasks["time"][tasks]))]
            if in_service == "requeue":
                acts.requeue_all(st, seller, order[::-1].copy(), now)
            elif in_service == "fail":
                # The rows of all that fail must fit, for whoever waits for one of them.
                self.flush()
                if len(st.trades) < len(order) + 2:
                    st = self.state = st._replace(trades=np.zeros(len(order) + 2, TRADE))
                acts.fail_all(st, seller, order, now)
            acts.expect_anew(st, seller, now)
        self._follow()

    def end_outage(self, seller: int, now: float) -> None:
        """Repair a seller: it goes on with what it has and takes tasks again."""
        self._make_room(seller, 0)
        with np.errstate(over="ignore"):
            acts.resume_serving(self.state, seller, now)
            self.state.sellers[seller]["opened"] = now
            set_calls(self.state)
        self._follow()

    def add_slots(self, seller: int, slots: int, now: float) -> None:
        """Add slots to a seller, to be used at once."""
        self._make_room(seller, slots)
        acts.bring_up_to_date(self.state, now)
        self.state.sellers[seller]["slots"] += slots
        shadow = bidders.shadow_table(self.market, self.state.sellers["slots"].tolist())
        self.state = self.state._replace(shadow=shadow)
        with np.errstate(over="ignore"):
            acts.use_slots(self.state, seller, now)

    def _make_room(self, seller: int, slots: int) -> None:
        """Rows of slots must hold all that may start at once."""
        s = self.state.sellers[seller]
        most = min(float(s["slots"]) + slots, float(s["running"]) + float(s["waiting"]))
        self.widen(int(most) + 2)

    def make_place(self) -> None:
        """Make sure a place of the pool is free, beside those that the kernel needs."""
        while self.state.clock[0]["free"] < 4:
            self._grow_pool()

    def give_back(self, place: int) -> None:
        """Free the place of a watched task whose end has been read."""
        st, clock = self.state, self.state.clock[0]
        st.tasks[place]["watched"] = 0
        st.free[clock["free"]] = place
        clock["free"] += 1

    def copy(self) -> Engine:
        """Return an engine in the same state that goes on by itself and hands no rows to anybody.

        What it does changes nothing here: it answers what would happen.
        """
        twin = copy.copy(self)
        twin.state = State._make(array.copy() for array in self.state)
        twin._sources, twin._held = self._sources.copy(), self._held.copy()
        twin._keep = twin._keep_notes = None
        return twin

    def again(
        self, market: Market, seed: int, *, share: float | Sequence[float] = 1.0,
        keep: Callable[[Any], None] | None = None,
    ) -> Engine:  # fmt: skip
        """Return an engine as if built anew, far sooner, with another seed.

        The market may differ from this one's in posted prices and in when tasks come.

        Raises:
            ValueError: this engine has begun, or its market cannot be used again (`reuse`).
        """
        if self.now > 0.0 or self.state.clock[0]["tasks"] or not reuse.reusable(self.market):
            raise ValueError("an engine can be used again before it has begun, at posted prices "
                             "without contracts, recordings and users who come back")  # fmt: skip
        twin = self.copy()
        twin._sources = reuse.sow(twin.state, self.market, market, seed)
        build.set_shares(twin.state.classes, share)
        twin.market, twin._keep = market, keep
        return twin

    def in_system(self) -> int:
        """Return how many tasks wait for bids, talks or a trade, queue or are in service."""
        clock, sellers = self.state.clock[0], self.state.sellers
        inside = sellers["running"].sum() + sellers["waiting"].sum()
        return int(inside + clock["calling"] + clock["book"])
