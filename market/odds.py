"""What chance a logit buyer takes each offer, and what choosing in another way would gain it.

Both are expectations over tastes given all that the buyer sees, so they carry none of their noise.
"""

from __future__ import annotations

import math
from typing import Any

from .jit import spliced
from .rules import HALFLIFE
from .state import OBSERVED, State

LIKELIER = 50.0
"""Times that a way may make an offer likelier; what is beyond that has no weight, but is noted."""


@spliced
def odds_of(st: State, k: int, score: Any, number: int) -> tuple[float, float]:
    """Fill `st.chances[0]` with chances of the offers shown; return (Pr(none), inclusive value).

    `score` holds expected utilities U. Nests are sellers: Pr(o) = Pr(o | s)·Pr(s) with weights
    w = exp(U/(μν)) within a seller and (Σ w)^ν of sellers, e⁰ of doing without (McFadden 1978).
    The inclusive value μ·ln Σ_s (Σ w)^ν, USD, is what the best of all is worth in expectation,
    tastes being mean-zero; where there is nothing to choose, 0.
    """
    kind, shown = st.classes[k], st.shown
    weight, top, inclusive = st.chances[0], st.chances[1], st.chances[2]
    scale, nest = kind["scale"], kind["nest"]
    best = 0.0 if kind["outside"] == 1 else -math.inf
    for j in range(number):
        best = max(best, score[j])
        top[st.seller_of[shown[j]]], inclusive[st.seller_of[shown[j]]] = -math.inf, 0.0
        weight[j] = 0.0
    if best == -math.inf:
        return 1.0, 0.0
    for j in range(number):
        s = st.seller_of[shown[j]]
        top[s] = max(top[s], score[j]) if nest < 1.0 else best
    for j in range(number):
        s = st.seller_of[shown[j]]
        if top[s] > -math.inf:
            weight[j] = math.exp((score[j] - top[s]) / (scale * nest))
        inclusive[s] += weight[j]
    without = math.exp(-best / scale) if kind["outside"] == 1 else 0.0
    total = without
    for j in range(number):
        s = st.seller_of[shown[j]]
        if nest < 1.0 and weight[j] > 0.0:
            weight[j] *= math.exp((top[s] - best) / scale) * inclusive[s] ** (nest - 1.0)
        total += weight[j]
    for j in range(number):
        weight[j] /= total
    return without / total, best + scale * math.log(total)


@spliced
def note_odds(st: State, k: int, number: int) -> None:
    """Add to `st.odds` with what chance a buyer takes each offer shown, tastes unknown.

    Given all that has happened, a choice less its chance has mean zero: sums of that are a
    martingale, which takes the noise of tastes out of an estimate without moving its mean.
    """
    without, _ = odds_of(st, k, st.score, number)
    st.odds[k, len(st.offers)] += without
    for j in range(number):
        st.odds[k, st.shown[j]] += st.chances[0, j]


@spliced
def sway(st: State, k: int, i: int, number: int) -> None:
    """Work out what each other way of choosing would gain the buyer of task i, as far as it sees.

    Who chooses by utilities V, with chances q and inclusive value LS(V), gets LS(V) + Σ q·(R − V)
    in expectation over tastes, R what offers are worth without them; so a way gains

      LS(V) − LS(U) + Σ q·(R − V) − Σ p·(R − U).

    R is U with the true accuracy in place of what the buyer believes. `st.swayed` then has for each
    way q/p of every offer and of doing without, the gain, USD, and what may be overlooked; and in
    its last row R, and what the buyer gets as it is, LS(U) + Σ p·(R − U).

    What may be overlooked, USD, is Σ max(q − `LIKELIER`·p, 0)·(c·E[T] + V·(1 − E[δ])) over the
    offers that may surprise: at best, they answer at once. It is known of those, too, that nobody
    takes as it is, and of which nothing is seen to come.
    """
    task, kind, offers = st.tasks[i], st.classes[k], len(st.offers)
    own, changed, ways = st.chances[3], st.chances[4], kind["ways"]
    without, gets = odds_of(st, k, st.score, number)
    for j in range(number):
        o = st.shown[j]
        own[j] = st.chances[0, j]
        cell = st.cells[k, o]
        more = task["value"] * cell["delta"] + kind["loss"] * cell["used"]
        st.swayed[ways, o] = st.score[j] + (cell["truth"] - cell["accuracy"]) * more
        if own[j] > 0.0:
            gets += own[j] * (st.swayed[ways, o] - st.score[j])
    st.swayed[ways, offers], st.swayed[ways, offers + 1] = 0.0, gets
    for way in range(ways):
        passes = st.ways[k, way]
        for j in range(number):
            o = st.shown[j]
            late = passes[offers] * task["delay_cost"] * st.cells[k, o]["time"]
            changed[j] = -math.inf if passes[o] == 1.0 else st.score[j] - late
        none, other = odds_of(st, k, changed, number)
        beyond = 0.0
        for j in range(number):
            o, chance = st.shown[j], st.chances[0, j]
            if chance > 0.0:
                other += chance * (st.swayed[ways, o] - changed[j])
            if may_surprise(kind, st.sellers[st.seller_of[o]], st.cells[k, o]):
                cell = st.cells[k, o]
                best = task["delay_cost"] * cell["time"] + task["value"] * (1.0 - cell["delta"])
                beyond += max(chance - LIKELIER * own[j], 0.0) * best
            st.swayed[way, o] = chance / own[j] if own[j] > 0.0 else 0.0
        st.swayed[way, offers] = none / without if without > 0.0 else 0.0
        st.swayed[way, offers + 1], st.swayed[way, offers + 2] = other - gets, beyond


@spliced
def may_surprise(kind: Any, seller: Any, cell: Any) -> bool:
    """Return whether something else may come of an offer to a class than buyers see.

    Not where nobody waits for anybody and buyers see that: what they expect is the mean of what
    comes. But half-lives are averaged over points (`work.left_of_value`), and R does not say what
    is paid back for a wrong answer where buyers believe in another accuracy than the true one.
    """
    alone = seller["slots"] == math.inf and seller["kappa"] == math.inf
    known = seller["refund_wrong"] == 0.0 or cell["accuracy"] == cell["truth"]
    exact = known and kind["late_rule"] != HALFLIFE
    return not (alone and exact and seller["quote"] == OBSERVED)


@spliced
def note_choice(st: State, k: int, i: int, o: int) -> None:
    """Note of task i, which chose offer o (−1: none), what it saw.

    Its class and the time, s; R of the choice and what its buyer gets, USD; q/p, gain and what may
    be overlooked of each way.
    """
    clock, ways, offers = st.clock[0], st.classes[k]["ways"], len(st.offers)
    row, place = st.notes[clock["noted"]], o if o >= 0 else offers
    st.note_ids[clock["noted"]] = st.tasks[i]["id"]
    clock["noted"] += 1
    row[0], row[1] = k, clock["now"]
    row[2], row[3] = st.swayed[ways, place], st.swayed[ways, offers + 1]
    for way in range(ways):
        row[4 + 3 * way] = st.swayed[way, place]
        row[5 + 3 * way] = st.swayed[way, offers + 1]
        row[6 + 3 * way] = st.swayed[way, offers + 2]
