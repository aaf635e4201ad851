"""From the spec to the state: a market as the arrays that the kernel runs on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from . import quotes, rules, tastes, workload
from .arrivals import Closed, Replay
from .choice import note_change
from .distributions import (
    LAW,
    Constant,
    Exponential,
    Gamma,
    LogNormal,
    Quantiles,
    Recorded,
    ShareOfValue,
    Uniform,
    law_row,
    quantile_table,
)  # fmt: skip
from .rng import name_key
from .rules import HALFLIFE, HARD, LINEAR
from .spec import Logit, Market, Rates, ScoringAuction, Seller, TaskClass
from .state import (
    ARGMAX,
    AVERAGE,
    CELL,
    CHANGES,
    CLASS,
    CLOCK,
    DEMAND,
    FCFS,
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
    SECOND_SCORE,
    SELLER,
    STAT,
    TRADE,
    State,
    empty_pool,
)  # fmt: skip

BLOCK = 4096
TRADE_ROWS = 65_536
_MTOK = 1e6
_HERMITE = 64
_MESH = 96
_QUOTE = {"observed": OBSERVED, "average": AVERAGE, "promised": PROMISED}
_DISCIPLINE = {"fcfs": FCFS, "priority": PRIORITY, "priority_preemptive": PREEMPTIVE}
_LATE = {"hard": HARD, "linear": LINEAR, "halflife": HALFLIFE}


# --- laws --------------------------------------------------------------------------------------


def quantiles_of(law: Any, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of a law at probabilities strictly inside (0, 1), same shape."""
    if isinstance(law, Constant):
        return np.full(p.shape, law.value)
    if isinstance(law, Uniform):
        return law.low + (law.high - law.low) * p
    if isinstance(law, Exponential):
        return -law.mean * np.log1p(-p)
    if isinstance(law, LogNormal):
        sigma2 = math.log1p(law.cv**2)
        return np.exp(math.log(law.mean) - sigma2 / 2 + math.sqrt(sigma2) * special.ndtri(p))
    if isinstance(law, Gamma):
        return np.asarray(special.gammaincinv(1 / law.cv**2, p) * law.mean * law.cv**2)
    return np.interp(p, law.probabilities, law.values)


def _middles(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count


class Sizes:
    """Sizes of a class as the quotes need them: moments and a law of any linear combination."""

    def __init__(self, task: TaskClass, trace: NDArray[np.float64]) -> None:
        """Take the class and its trace, shape [3, rows]; the trace counts only if replayed."""
        self.input: Any = task.input_tokens
        self.output: Any = task.output_tokens
        self.trace = trace
        self.mean_input = self._mean(self.input, 1)
        self.mean_output = self._mean(self.output, 2)

    def _mean(self, law: Any, row: int) -> float:
        return float(self.trace[row].mean()) if isinstance(law, Recorded) else law.mean

    def work(self, prefill: float, verbosity: float, thinking: float) -> NDArray[np.float64] | None:
        """Return work at equally likely points, sorted; None where a closed form is used."""
        if isinstance(self.input, Recorded) or isinstance(self.output, Recorded):
            return np.sort(self._rows(prefill, verbosity) + thinking)
        if prefill == 0.0 or isinstance(self.input, Constant):
            if isinstance(self.output, Constant | Exponential | LogNormal):
                return None
            fixed = thinking + prefill * self.input.mean
            return fixed + verbosity * quantiles_of(self.output, _middles(_MESH * _MESH))
        p = _middles(_MESH)
        ins, outs = quantiles_of(self.input, p), quantiles_of(self.output, p)
        return np.sort((prefill * ins[:, None] + verbosity * outs[None, :] + thinking).ravel())

    def _rows(self, prefill: float, verbosity: float) -> NDArray[np.float64]:
        """Return the work of each row of the trace, thinking apart."""
        return prefill * self._points(self.input, 1) + verbosity * self._points(self.output, 2)

    def _points(self, law: Any, row: int) -> NDArray[np.float64]:
        if isinstance(law, Recorded):
            return self.trace[row]
        # A drawn size beside a recorded one: spread its quantiles over the rows by a fixed shuffle.
        count = self.trace.shape[1]
        order = np.argsort([int(name_key("row", str(i))) for i in range(count)])
        return quantiles_of(law, _middles(count))[order]

    def variance(self, prefill: float, verbosity: float) -> float:
        """Return the variance of work, tokens²."""
        if isinstance(self.input, Recorded) or isinstance(self.output, Recorded):
            return float(np.var(self._rows(prefill, verbosity)))
        return prefill**2 * self.input.variance + verbosity**2 * self.output.variance


def _work_law(
    law: Any, sizes: Sizes, prefill: float, verbosity: float, thinking: float,
    tables: list[NDArray[np.float64]],
) -> NDArray[np.float64]:  # fmt: skip
    """Fill one `WORK` record; return its nodes, shape [SIZE_NODES]."""
    law["mean"] = prefill * sizes.mean_input + verbosity * sizes.mean_output + thinking
    law["variance"] = sizes.variance(prefill, verbosity)
    points = sizes.work(prefill, verbosity, thinking)
    if points is None:
        out = sizes.output
        law["shift"] = prefill * sizes.mean_input + thinking
        if isinstance(out, Constant):
            law["kind"], law["shift"] = quotes.FIXED, law["shift"] + verbosity * out.value
        elif isinstance(out, Exponential):
            law["kind"], law["a"] = quotes.EXPONENTIAL, verbosity * out.mean
        else:
            sigma2 = math.log1p(out.cv**2)
            law["kind"], law["b"] = quotes.LOGNORMAL, math.sqrt(sigma2)
            law["a"] = math.log(verbosity * out.mean) - sigma2 / 2
        if out.variance == 0.0:
            return np.full(quotes.SIZE_NODES, law["mean"])
        points = law["shift"] + verbosity * quantiles_of(out, _middles(_MESH * _MESH))
    else:
        law["kind"], law["row"] = quotes.TABLE, len(tables)
        grid = np.interp(quotes.PROBABILITIES, _middles(len(points)), points)
        tables.append(grid)
    parts = (
        np.array_split(points, quotes.SIZE_NODES)
        if len(points) >= quotes.SIZE_NODES
        else [points] * quotes.SIZE_NODES
    )
    return np.array([part.mean() for part in parts])


# --- accuracy ----------------------------------------------------------------------------------


@cache
def _hermite() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.polynomial.hermite.hermgauss(_HERMITE)


def class_accuracy(floor: float, ceiling: float, skill: float, mean: float, sd: float) -> float:
    """Return E over b ~ N(mean, sd) of the accuracy rule, by Gauss–Hermite quadrature.

    Example:
        >>> class_accuracy(0.0, 1.0, 0.0, 0.0, 2.0)
        0.5
    """
    if sd == 0.0:
        return rules.accuracy(floor, ceiling, skill, mean)
    points, weights = _hermite()
    values = [
        rules.accuracy(floor, ceiling, skill, mean + math.sqrt(2.0) * sd * float(x)) for x in points
    ]
    return float(np.dot(weights, values) / math.sqrt(math.pi))


def ability_for(accuracy: float, mean: float, sd: float) -> float:
    """Return the ability (logits) at which a class of this difficulty is right that often.

    Example:
        >>> round(class_accuracy(0.0, 1.0, ability_for(0.8, 1.0, 1.5), 1.0, 1.5), 9)
        0.8
    """
    if accuracy in (0.0, 1.0):
        return math.inf if accuracy == 1.0 else -math.inf
    reach = abs(mean) + 10.0 * sd + 750.0
    return float(
        optimize.brentq(
            lambda x: class_accuracy(0.0, 1.0, x, mean, sd) - accuracy, -reach, reach, xtol=1e-12
        )
    )


def _fill_accuracy(cell: Any, task: TaskClass, seller: Seller, thinking: float) -> None:
    """Fill what the cell knows of accuracy; `serves` stays 0 where nothing is known."""
    if not seller.serves(task.skill):
        return
    mean, sd = task.difficulty.mean, task.difficulty.sd
    cell["serves"], cell["ceiling"] = 1, 1.0
    if task.skill in seller.ability:
        item = seller.ability[task.skill]
        cell["floor"], cell["ceiling"] = item.floor, item.ceiling
        cell["skill"] = rules.ability(item.theta, item.beta, item.tau, thinking, seller.e0)
        true = class_accuracy(item.floor, item.ceiling, float(cell["skill"]), mean, sd)
    else:
        true = seller.accuracy.get(task.skill, seller.accuracy.get("*", 0.0))
        cell["skill"] = ability_for(true, mean, sd)
    cell["accuracy"] = true
    cell["claim"] = seller.claimed.get(task.skill, seller.claimed.get("*", true))


# --- the parts of the state --------------------------------------------------------------------


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
        if callable(task.choice) or callable(market.mechanism):
            c["asks"] = 1
        c["recorded_in"] = int(isinstance(task.input_tokens, Recorded))
        c["recorded_out"] = int(isinstance(task.output_tokens, Recorded))
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
        c["known"] = int(known)
        c["plain"] = int(plain and market.quotes.price == "expected")
    return classes


def _sellers(market: Market) -> Any:
    sellers = np.zeros(len(market.sellers), SELLER)
    auction = isinstance(market.mechanism, ScoringAuction)
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
        s["listed"] = int(seller.enters == 0)
    return sellers


def _set_rates(offer: Any, side: str, rates: Rates) -> None:
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
        _set_rates(offer, "price", seller.price)
        _set_rates(offer, "cost", seller.cost)
    return offers


def set_asks(st: State, o: int) -> None:
    """Work out anew what offer o costs and is expected to cost a mean task of each class, USD."""
    offer = st.offers[o]
    for cell in st.cells[:, o]:
        ins, billed = cell["tokens_in"], cell["billed_out"]
        for what, side in (("ask", "price"), ("cost", "cost")):
            cell[what] = rules.price_of(
                offer[f"{side}_task"], offer[f"{side}_in"], offer[f"{side}_out"], ins, billed
            )
    note_change(st, int(offer["seller"]))


def set_menu(st: State, by: str) -> None:
    """Order each class's menu as the platform ranks it: cheapest or most accurate first."""
    for k in range(len(st.classes)):
        cells = st.cells[k]
        serving = np.flatnonzero(cells["serves"])
        merit = cells["ask"] if by != "accuracy" else -cells["claim"]
        order = serving  # all shown: offers of a seller side by side share one taste draw
        if st.classes[k]["consider"] > 0 and by != "random":
            order = serving[np.lexsort((st.offers["tie_key"][serving], merit[serving]))]
        st.menu[k, : len(order)] = order
        st.classes[k]["offers"] = len(order)


def _cells(market: Market, offers: Any, sellers: Any, traces: list[NDArray[np.float64]]) -> Any:
    shape = (len(market.tasks), len(offers))
    cells, works = np.zeros(shape, CELL), np.zeros(shape, quotes.WORK)
    nodes = np.zeros((*shape, quotes.SIZE_NODES))
    tables: list[NDArray[np.float64]] = []
    for k, task in enumerate(market.tasks):
        sizes = Sizes(task, traces[k])
        for o, offer in enumerate(offers):
            seller = market.sellers[offer["seller"]]
            cell = cells[k, o]
            _fill_accuracy(cell, task, seller, float(offer["thinking"]))
            if market.quotes.accuracy == "claimed":
                cell["accuracy"] = cell["claim"]
            prefill = float(sellers[offer["seller"]]["prefill"])
            nodes[k, o] = _work_law(
                works[k, o], sizes, prefill, seller.verbosity, float(offer["thinking"]), tables
            )
            cell["tokens_in"] = sizes.mean_input
            cell["billed_out"] = sizes.mean_output * seller.verbosity + offer["thinking"]
            cell["rate"], cell["pace"] = seller.speed, 1.0 / seller.speed
            cell["shape"] = cell["weight"] = cell["pace_weight"] = 1.0
            cell["served"] = cell["kept"] = cell["billed"] = 1.0
    rows = np.array(tables) if tables else np.zeros((1, len(quotes.PROBABILITIES)))
    return cells, works, nodes, rows


def _tables_ahead(st: State) -> NDArray[np.float64]:
    """Tabulate what is left of a value after a wait, where all of a class share a deadline.

    Only for observed queues, at their full rate; constant work, and slots without limit, have an
    empty table.
    """
    tables = [np.zeros((3, quotes.AHEAD + 1))]
    for k, o in np.ndindex(st.cells.shape):
        cell, kind, law = st.cells[k, o], st.classes[k], st.works[k, o]
        seller = st.sellers[st.offers[o]["seller"]]
        if not (cell["serves"] and kind["known"] and kind["deadline"]):
            continue
        if seller["quote"] != OBSERVED:
            continue
        cell["table"] = len(tables)
        tables.append(np.zeros((3, quotes.AHEAD + 1)))
        if math.isinf(seller["slots"]) or law["kind"] == quotes.FIXED:
            continue
        slack = float(st.laws[k, workload.DEADLINE]["a"] - seller["outside"])
        grace = float(kind["late_parameter"])
        reach = slack + {HARD: 0.0, LINEAR: grace, HALFLIFE: 8.0 * grace}[int(kind["late_rule"])]
        if reach <= 0.0:
            continue
        cell["full_rate"] = rules.service_rate(
            float(seller["speed"]), float(seller["kappa"]), int(seller["slots"])
        )
        cell["reach"] = reach
        quotes.fill_ahead(
            tables[-1], reach, slack, cell["full_rate"], kind["late_rule"], grace, law, st.grid,
            st.rows, st.nodes[k, o],
        )  # fmt: skip
    return np.array(tables)


def _clock(market: Market, warmup: float) -> Any:
    clock = np.zeros(1, CLOCK)
    c = clock[0]
    c["current"] = -1
    c["mechanism"] = POSTED_PRICE
    if isinstance(market.mechanism, ScoringAuction):
        c["mechanism"] = SECOND_SCORE
        c["bid_cost"] = int(market.mechanism.bid == "cost")
        c["reserve"] = -math.inf if market.mechanism.reserve is None else market.mechanism.reserve
    c["exact_price"] = int(market.quotes.price == "exact")
    c["commission"], c["memory"] = market.platform.commission, market.quotes.memory
    c["ranking"] = int(market.platform.ranking == "random")
    c["record_from"] = warmup
    return clock


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
        if isinstance(t.arrivals, Replay) else np.zeros((3, 0))
        for s, t in zip(sources, market.tasks, strict=True)
    ]  # fmt: skip
    quantile_laws: list[Quantiles] = []
    laws = np.zeros((len(market.tasks), workload.DRAWS), LAW)
    classes = _classes(market, seed, laws, quantile_laws)
    shares = np.broadcast_to(share, len(classes))
    classes["share"] = [np.uint64(min(int(x * 2.0**64), 2**64 - 1)) for x in shares]
    sellers, offers = _sellers(market), _offers(market)
    cells, works, nodes, work_rows = _cells(market, offers, sellers, parts)
    for s in range(len(sellers)):
        mine = np.flatnonzero(offers["seller"] == s)
        sellers[s]["first"], sellers[s]["offers"] = mine[0], len(mine)
    tasks, events, heap, free = empty_pool(len(sellers), places)
    clock = _clock(market, warmup)
    clock[0]["free"] = places
    k_count, o_count, s_count = len(classes), len(offers), len(sellers)
    users = sum(t.arrivals.users for t in market.tasks if isinstance(t.arrivals, Closed))
    st = State(
        clock=clock, classes=classes, laws=laws, tables=quantile_table(quantile_laws),
        menu=np.zeros((k_count, o_count), np.int64), offers=offers, sellers=sellers,
        queues=np.zeros((s_count, LEVELS), QUEUE), cells=cells, works=works,
        base=np.full((k_count, o_count), -np.inf), stamp=np.full((k_count, o_count), -1, np.int64),
        version=np.zeros(s_count, np.int64), changes=np.zeros(CHANGES, np.int64),
        seller_of=offers["seller"].copy(), taste_keys=offers["taste_key"].copy(),
        grid=quotes.PROBABILITIES.copy(), rows=work_rows,
        nodes=nodes, ahead=np.zeros((1, 3, 1)), alone=np.zeros((1, 1, 3)),
        waits=quotes.wait_table(), gumbels=tastes.gumbel_table(),
        stables=np.array([tastes.stable_table(float(c["nest"])) for c in classes]),
        tasks=tasks, events=events, heap=heap, run=np.zeros((s_count, 64), np.int64), free=free,
        block=np.zeros(block, DEMAND), users=np.zeros(max(users, 1), np.int64),
        stats=np.zeros((k_count, o_count + 1), STAT),
        latencies=np.zeros((k_count, o_count, LATENCY_BINS), np.int64),
        ledger=np.zeros(k_count + s_count + 3, np.int64), trades=np.zeros(rows, TRADE),
        score=np.zeros(o_count), shown=np.zeros(o_count, np.int64),
    )  # fmt: skip
    ahead = _tables_ahead(st)
    st = st._replace(ahead=ahead, alone=np.full((len(ahead), quotes.CROWD, 3), np.nan))
    for o in range(o_count):
        set_asks(st, o)
    set_menu(st, market.platform.ranking)
    return st, sources, trace
