"""Run a market on both engines and say where they differ."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from walras.market.engine import Engine
from walras.market.schema.market import Market
from walras.market.state import RUNNING, WAITING

from .calendar import RANKS
from .draws import Draws, draw_tables
from .events import Event, agent_events, apply
from .market import Simulation, Trade

TIMES = ("arrival", "start", "finish", "wait", "sojourn")
MONEY = ("taste", "utility", "surplus", "search")
EXACT = tuple(name for name in Trade._fields if name not in TIMES + MONEY)


class Kernel(NamedTuple):
    """What a run of the kernel left: the engine and its rows in order of ending."""

    engine: Engine
    rows: Any


def run_kernel(engine: Engine, events: list[Event], until: float) -> None:
    """Run an engine; agents act when it stands at their time."""
    for event in events:
        if event.time < until:
            engine.advance(event.time)
            apply(engine, event)
    engine.advance(until)
    engine.flush()


def rows_of(engine: Engine, found: list[Any]) -> Kernel:
    """Join the rows that an engine has handed out."""
    return Kernel(engine, np.concatenate(found) if found else engine.state.trades[:0])


def kernel_and_draws(market: Market, seed: int, until: float) -> tuple[Kernel, Draws, Any]:
    """Return a run of the kernel, the draws of the same run and the tables before it began."""
    found: list[Any] = []
    # Buffers so small that they are refilled, emptied and outgrown on the way.
    engine = Engine(market, seed, keep=found.append, rows=64, block=32, places=16)
    draws = draw_tables(engine, until)
    st = engine.state
    tables = st._replace(cells=st.cells.copy(), traders=st.traders.copy())
    run_kernel(engine, agent_events(market), until)
    return rows_of(engine, found), draws, tables


def run_oracle(
    market: Market, tables: Any, draws: Draws, until: float,
    ranks: tuple[int, int, int, int] = RANKS, simulation: type[Simulation] = Simulation,
) -> Simulation:  # fmt: skip
    """Return a finished run of the oracle."""
    events = [event for event in agent_events(market) if event.time < until]
    oracle = simulation(market, tables, draws, events, ranks)
    oracle.run(until)
    return oracle


def _columns(trades: list[Trade]) -> dict[str, NDArray[Any]]:
    names, columns = Trade._fields, list(zip(*trades, strict=True))
    wide = {"id": np.uint64, "price": np.int64}
    return {
        n: np.array(column, dtype=wide.get(n)) for n, column in zip(names, columns, strict=True)
    }


def _close(a: NDArray[Any], b: NDArray[Any], scale: float) -> NDArray[np.bool_]:
    close: NDArray[np.bool_] = np.isclose(a, b, rtol=1e-9, atol=1e-9 * scale, equal_nan=True)
    return close


def difference(kernel: Kernel, oracle: Simulation, *, exact: bool) -> str | None:
    """Return the first difference between two runs, None if there is none.

    Times must be equal when `exact`, else within 1e-9 of the time simulated; money is equal to
    the nano-dollar, utilities are equal to 1e-9.
    """
    rows, trades = kernel.rows, oracle.trades
    many = min(len(rows), len(trades))
    mine = _columns(trades[:many]) if many else {}
    same: dict[str, NDArray[np.bool_]] = {}
    for name in mine:
        a, b = rows[name][:many], mine[name]
        if name in EXACT:
            same[name] = a == b
        elif name in MONEY:
            same[name] = _close(a, b, 1.0)
        else:
            same[name] = (
                (a == b) | (np.isnan(a) & np.isnan(b)) if exact else _close(a, b, kernel.engine.now)
            )
    if same and not np.all(list(same.values())):
        first = int(np.argmin(np.all(list(same.values()), axis=0)))
        wrong = [
            f"{n}: {rows[n][first]!r} and {mine[n][first]!r}" for n in same if not same[n][first]
        ]
        return f"trade {first}, task {rows['id'][first]}: " + "; ".join(wrong)
    if len(rows) != len(trades):
        return f"{len(rows)} trades and {len(trades)}"
    return _choices_differ(kernel, oracle) or _accounts_differ(kernel, oracle)


def _choices_differ(kernel: Kernel, oracle: Simulation) -> str | None:
    """Compare the choices, those of tasks still in the market too, and their prices."""
    tasks = kernel.engine.state.tasks
    inside = tasks[(tasks["state"] == WAITING) | (tasks["state"] == RUNNING)]
    theirs = {
        int(r["id"]): (int(r["offer"]), float(r["utility"]))
        for part in (kernel.rows, inside) for r in part
    }  # fmt: skip
    mine = {c.id: (c.offer, c.utility) for c in oracle.choices}
    if theirs.keys() != mine.keys() or len(mine) != len(oracle.choices):
        return f"{len(theirs)} choices and {len(oracle.choices)}"
    for id_, (offer, utility) in theirs.items():
        if offer != mine[id_][0] or not np.isclose(utility, mine[id_][1], 1e-9, 1e-9):
            return f"choice of task {id_}: {offer}, {utility} and {mine[id_]}"
    prices = {c.id: c.price for c in oracle.choices}
    for task in inside:
        if not np.isclose(task["price"], prices[int(task["id"])], 1e-9, 1e-12):
            return f"price of task {task['id']}: {task['price']} and {prices[int(task['id'])]}"
    return None


def _accounts_differ(kernel: Kernel, oracle: Simulation) -> str | None:
    """Compare counts, books and what is left in the system with sums over the oracle's trades."""
    st = kernel.engine.state
    classes, sellers = len(st.classes), len(st.sellers)
    books = [0] * (classes + sellers + 3)
    counts = np.zeros((len(st.classes), 4), np.int64)
    for t in oracle.trades:
        counts[t.kind, t.status] += 1
        if t.status != 0:
            continue
        supplier = classes + oracle.terms[t.offer].seller
        books[t.kind] -= t.price - t.refund - t.penalty
        books[supplier] += t.price - t.refund - t.penalty - t.commission + t.returned - t.cost
        books[supplier] -= t.advertising
        books[classes + sellers] += t.commission - t.returned + t.advertising
        books[classes + sellers + 1] += t.cost
    for k, s, fee, kept in oracle.fees:
        books[k] -= fee
        books[classes + s] += fee - kept
        books[classes + sellers] += kept
    if st.ledger.tolist() != books:
        return f"books: {st.ledger.tolist()} and {books}"
    served, reneged, failed = (
        st.stats[name][:, :-1].sum(axis=1) for name in ("served", "reneged", "failed")
    )
    theirs = np.stack([served, st.stats["assigned"][:, -1], reneged, failed], axis=1)
    if not (theirs == counts).all():
        return f"counts: {theirs.tolist()} and {counts.tolist()}"
    if kernel.engine.in_system() != oracle.in_system:
        return f"in the system: {kernel.engine.in_system()} and {oracle.in_system}"
    if len(oracle.choices) != len(oracle.trades) + oracle.in_system - len(oracle.calling):
        return "tasks were lost"
    return None
