"""What players get in a run: an owner's profit, a class's surplus, per hour, with little noise.

Four sources of noise are taken out without moving the mean:

- tastes: of a logit class, the tasks that an offer gets are replaced by the sum of the chances
  with which it gets them, given what each buyer sees; the difference is a martingale (control
  variate, Lavenberg & Welch 1981);
- the number of tasks that come: where they are Poisson, sums are divided by it and multiplied by
  its mean;
- sizes: margins are those of a mean task where sizes have no part in choices;
- right and wrong: buyers' gains are expectations over correctness, given when the answer came.
- what buyers see: what they would gain by choosing in another way is worked out from that alone,
  and only what came of it that they did not foresee is read from what happened.

Common random numbers do the rest: what is compared meets the same tasks, tastes and services.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...market.jit import plain
from ...market.odds import LIKELIER, may_surprise
from ...market.rng import ROW, hash2
from ...market.rules import HALFLIFE, HARD
from ...market.schema.arrivals import Diurnal, Poisson
from ...market.state import LOGIT, SERVED, State
from . import runs
from .bounds import Floats
from .runs import Trace

_HOUR = 3600.0
_NANO = 1e-9
_ENOUGH = 100.0  # tasks expected in a window from which on their number divides sums
_ENDS = ("served", "reneged", "failed")
_GIVEN = ("refund", "penalty", "commission", "cost", "advertising")


def profit(run: Trace, owner: str, begin: float, end: float) -> float:
    """Return an owner's profit between two marks, USD/h: margins less rent and fixed costs.

    Σ_k (E[N_k]/N_k)/T · Σ_o m_ko · E_ko with N_k the tasks that came in
    time T, m_ko the mean margin of those
    that offer o has done with and E_ko how many it got, in expectation over tastes.
    """
    sellers = [seller.owned_by == owner for seller in run.market.sellers]
    mine = np.array(sellers)[run.state.seller_of]
    margin = margins(run, begin, end)[:, mine]
    got = _since(run, begin, end, "assigned")[:, :-1][:, mine]
    if run.state.clock[0]["odds"] == 1:
        noted = (run.tallies[end].odds - run.tallies[begin].odds)[:, :-1][:, mine]
        got = np.where((run.state.classes["choice"] == LOGIT)[:, None], noted, got)
    earned = float(per_second(run, begin, end) @ (margin * got).sum(axis=1)) * _HOUR
    fixed = sum(
        s.fixed_cost + (s.rent * s.slots if s.rent else 0.0)
        for s, own in zip(run.market.sellers, sellers, strict=True) if own
    )  # fmt: skip
    return earned - fixed


def margins(run: Trace, begin: float, end: float) -> NDArray[np.float64]:
    """Return the mean margin of a task that a class gave to an offer, USD, shape [K, O].

    (served·price − refunds)·(1 − commission) − served·cost − penalties − advertising, over all that
    ended between the marks. Price and cost are those of a mean task, whatever sizes happened to be
    served, unless buyers know the price of their own and choose by it. Where none ended, what a
    mean task would leave.
    """
    st, cells, clock = run.state, run.state.cells, run.state.clock[0]
    keep = 1.0 - clock["commission"]
    cost = cells["cost"] * st.sellers["factor"][st.seller_of]
    served, ended, refunds, lost = (
        _since(run, begin, end, *names)[:, :-1]
        for names in (("served",), _ENDS, ("refund",), ("penalty", "advertising"))
    )
    if clock["exact_price"] == 1:
        left = _since(run, begin, end, "paid")[:, :-1] - _since(run, begin, end, *_GIVEN)[:, :-1]
        left = left * _NANO
    else:
        left = (served * cells["ask"] - refunds * _NANO) * keep - served * cost - lost * _NANO
    none = ended == 0
    mean = left / np.where(none, 1, ended)
    expected = cells["ask"] * keep - cost - cells["fee"]
    return np.asarray(np.where(none, expected, mean), dtype=np.float64)


def takings(run: Trace, begin: float, end: float) -> float:
    """Return what buyers paid all sellers between two marks, net of refunds, USD/h."""
    net = _since(run, begin, end, "paid") - _since(run, begin, end, "refund", "penalty")
    return float(net.sum()) * _NANO * _HOUR / (end - begin)


def surplus(run: Trace, task: str, begin: float, end: float) -> float:
    """Return what the cohort of a class gets between two marks, as if it were all of it, USD/h."""
    rows = _rows(run, task, begin, end)
    rows = rows[_keys(rows["id"]) <= np.uint64(min(int(runs.COHORT * 2.0**64), 2**64 - 1))]
    if not len(rows):
        return 0.0
    return float(expected_surplus(run, rows).mean()) * _tasks(run, task, begin, end)


def sway(
    run: Trace, task: str, ways: Sequence[int], begin: float, end: float
) -> tuple[float, Floats, Floats]:
    """Return what a class gets, and what one buyer would gain by choosing in other ways, times all.

    The mean over tasks of G + (q/p − 1)·(r − R), as `market.odds.sway` has noted them: G what the
    way gains as far as the buyer sees; q/p how much likelier it makes the offer that was taken; r
    what came of that and R what it was worth, both without tastes. Nobody chooses in that way, so
    nobody is in anybody's way who was not before: it is the gain of a single buyer. A task that the
    way gives to offer o with chance q is met there with chance p, so its weight is q/p (importance
    sampling, Kahn & Marshall 1953); Σ(q − p)·R is in G, so that only surprises are weighted
    (augmented inverse weighting, Robins, Rotnitzky & Zhao 1994). Weights end at `LIKELIER`: whoever
    would hardly ever take an offer as it is would make the mean one of few.

    G is that of the tasks that chose between the marks, surprises are those of tasks that ended.
    There is none to be expected of doing without, nor where `surprises` says so.

    Returns:
        USD/h: a number; one of each way, [W]; and what the end of weights may leave out at most of
        a gain, [W].
    """
    ids, notes = run.notes
    rows = _rows(run, task, begin, end)
    k = [t.name for t in run.market.tasks].index(task)
    rows = rows[(rows["offer"] >= 0) & surprises(run.state)[k, rows["offer"]]]
    met = notes[np.searchsorted(ids, rows["id"])]
    surprise = expected_surplus(run, rows) - rows["taste"] - met[:, 2]
    chose = notes[(notes[:, 0] == k) & (begin <= notes[:, 1]) & (notes[:, 1] < end)]
    each = _tasks(run, task, begin, end) / max(len(chose), 1)
    at = 4 + 3 * np.asarray(ways, dtype=np.int64)
    weights = np.minimum(met[:, at], LIKELIER) - 1.0
    gains = chose[:, at + 1].sum(axis=0) + surprise @ weights
    beyond = chose[:, at + 2].sum(axis=0)
    return float(chose[:, 3].sum() + surprise.sum()) * each, gains * each, beyond * each


def surprises(state: State) -> NDArray[np.bool_]:
    """Return of which offers something else may come than buyers of a class see, shape [K, O].

    Slow answers need not be waited for where there is none (`market.odds.may_surprise`).
    """
    may, sellers = plain(may_surprise), state.sellers[state.seller_of]
    return np.array([
        [may(kind, seller, cell) for seller, cell in zip(sellers, cells, strict=True)]
        for kind, cells in zip(state.classes, state.cells, strict=True)
    ], dtype=np.bool_)  # fmt: skip


def _rows(run: Trace, task: str, begin: float, end: float) -> NDArray[Any]:
    """Return the rows that tasks of a class left between two marks."""
    k = [t.name for t in run.market.tasks].index(task)
    rows = run.rows[run.tallies[begin].rows : run.tallies[end].rows]
    mine: NDArray[Any] = rows[rows["kind"] == k]
    return mine


def _tasks(run: Trace, task: str, begin: float, end: float) -> float:
    """Return how many tasks of a class come per hour, by `per_second`."""
    k = [t.name for t in run.market.tasks].index(task)
    came = float(_since(run, begin, end, "assigned")[k].sum())
    return float(per_second(run, begin, end)[k]) * came * _HOUR


def _keys(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the keys by which tasks are in samples of their class."""
    mix: Any = getattr(hash2, "py_func", hash2)  # over arrays it runs as NumPy
    with np.errstate(over="ignore"):
        return np.asarray(mix(ids, ROW), dtype=np.uint64)


def expected_surplus(run: Trace, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return each row's surplus, tastes included, expected over right, wrong and sizes, USD.

    A·V·δ − (1 − A)·loss·1{δ > 0} − c·T − paid + ε with A the class's true accuracy, for those who
    were served; what the row says for all others. What is paid is the price of a mean task, where
    neither choices nor whether it is paid hang on the size.
    """
    st, kinds = run.state, run.state.classes[rows["kind"]]
    served = rows["status"] == SERVED
    cells = st.cells[rows["kind"], np.maximum(rows["offer"], 0)]
    sellers = st.sellers[st.seller_of[np.maximum(rows["offer"], 0)]]
    late, right = rows["late"] == 1, cells["truth"]
    past = np.where(late, rows["sojourn"] - np.where(late, rows["deadline"], 0.0), 0.0)
    delta = _lateness(kinds, past)
    back = np.where(late, sellers["refund_late"], 0.0)
    back = right * back + (1.0 - right) * np.maximum(back, sellers["refund_wrong"])
    plain = (sellers["refund_late"] == 0.0) & (kinds["patience"] == 0)
    mean = plain & (st.clock[0]["exact_price"] == 0)
    price = np.where(mean, cells["ask"], rows["price"] * _NANO)
    paid = price * (1.0 - back) - rows["penalty"] * _NANO
    worth = right * rows["value"] * delta - (1.0 - right) * kinds["loss"] * (delta > 0.0)
    gained = worth - rows["delay_cost"] * rows["sojourn"] - paid + rows["taste"] - rows["search"]
    return np.where(served, gained, rows["surplus"])


def _lateness(kinds: NDArray[Any], past: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return δ of answers so many seconds late, by the rule of each one's class."""
    rule, parameter = kinds["late_rule"], kinds["late_parameter"]
    safe = np.where(parameter > 0.0, parameter, 1.0)
    halved = np.exp2(-past / safe)
    linear = np.maximum(0.0, 1.0 - past / safe)
    soft = np.where(rule == HALFLIFE, halved, linear)
    return np.where(past <= 0.0, 1.0, np.where(rule == HARD, 0.0, soft))


def per_second(run: Trace, begin: float, end: float) -> NDArray[np.float64]:
    """Return by what to multiply a class's sums between two marks to have them per second, [K].

    E[N]/N over the time where N is Poisson and large, else one over the time.
    """
    came = _since(run, begin, end, "assigned").sum(axis=1)
    expected = np.array([_expected(task.arrivals, begin, end) for task in run.market.tasks])
    known = (expected >= _ENOUGH) & (came > 0)
    return np.where(known, expected / np.where(known, came, 1), 1.0) / (end - begin)


def _expected(arrivals: Any, begin: float, end: float) -> float:
    """Return how many tasks come between two times on average; 0 if they are not Poisson.

    Where they come in bursts, their number and how they fare go together.
    """
    if isinstance(arrivals, Poisson):
        return arrivals.rate * (end - begin)
    if isinstance(arrivals, Diurnal):
        turn = 2.0 * math.pi / arrivals.period
        low, high = (math.cos(turn * (t + arrivals.phase)) for t in (begin, end))
        return arrivals.rate * (end - begin + arrivals.amplitude * (low - high) / turn)
    return 0.0


def _since(run: Trace, begin: float, end: float, *names: str) -> NDArray[Any]:
    """Return how much the sum of some counts of `stats` has risen between two marks, [K, O + 1]."""
    before, after = run.tallies[begin].stats, run.tallies[end].stats
    risen: NDArray[Any] = after[names[0]] - before[names[0]]
    for name in names[1:]:
        risen = risen + (after[name] - before[name])
    return risen
