"""Selection equilibrium: shares and delays that are each other's consequence.

Given charges, f = X(y(f)): flows f make the sellers' state y (slow-down, chance and mean of a
wait), and buyers answer y by choosing X. It is Wardrop's (1952) equilibrium for argmax buyers and
stochastic user equilibrium (Daganzo & Sheffi 1977) for logit ones.

Newton's method with the Jacobian I − A·B, A = ∂X/∂y and B = ∂y/∂f, solved through the few columns
of A (Woodbury); where buyers are alike but for tastes, flows are compared by their logarithms, in
which choice is all but linear. A step ends before any seller is saturated and before the residual grows; where that
leaves nothing, flows are averaged instead. Argmax buyers who are all alike are the limit of logit
buyers whose tastes fade.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..rules import lateness, refund_share
from ..state import FCFS, PREEMPTIVE
from . import queues
from .choice import Choices, envelope_choices, logit_choices, moved_shares
from .expectations import (
    DELTA, EARLY, KEPT, PARTS, SERVED, TIME, TIMELY, USED, fill_expectations,
)  # fmt: skip
from .population import Floats
from .setting import Charges, Flags, Setting

SLOW, CHANCE, WAIT = range(3)
TOLERANCE = 1e-11
"""Largest difference between a flow and the choice it leads to, as a share of all arrivals."""
_MOST_STEPS, _MOST_AVERAGES = 60, 400
_FADE, _FAINT = 0.4, 1e-8
_TINY = 1e-290
_STEP = 1e-5
"""Relative step of central differences."""


@dataclass(frozen=True)
class Quoted:
    """What buyers go by: utility is v·gain − c·time − base, each of shape [J, O]."""

    gain: Floats
    time: Floats
    base: Floats


@dataclass(frozen=True)
class Flows:
    """A selection equilibrium at one moment.

    Attributes:
        rates: arrivals of each class, tasks/s, shape [K].
        flow: tasks/s of each kind to each offer, shape [J, O].
        choices: what the buyers of each kind choose, over `on_show`.
        on_show: offers that each kind considers, shape [J, O].
        state: slow-down, Pr(wait) and mean wait by level of each seller, shape [S, 2 + L].
        expected: what each kind can expect, shape [J, O, PARTS].
        iterations: steps taken.
        residual: largest difference between a flow and the choice it leads to, over all arrivals.
        converged: whether that is below the tolerance.
        saturated: sellers whose load has come to what they can serve, shape [S].
        toll: what buyers are charged beside prices, which nobody gets, USD, shape [J, O].
        faint: tastes lent to argmax buyers who are all alike, USD; 0 where there are none.
    """

    rates: Floats
    flow: Floats
    choices: list[Choices]
    on_show: Flags
    state: Floats
    expected: Floats
    iterations: int
    residual: float
    converged: bool
    saturated: Flags
    toll: Floats
    faint: float = 0.0


class Response:
    """Buyers' and sellers' response to each other at one moment, and its derivatives."""

    def __init__(
        self, setting: Setting, charges: Charges, rates: Floats, toll: Floats | None = None
    ) -> None:
        self.setting, self.charges, self.rates = setting, charges, rates
        self.toll = np.zeros(setting.serves.shape) if toll is None else toll
        self.on_show = setting.shown(charges)
        self.arrivals = rates[setting.class_of] * setting.part
        self.levels = int(setting.level.max()) + 1
        self.work = setting.work[setting.class_of] * self.on_show
        self.second = setting.second[setting.class_of] * self.on_show
        self.starts = np.flatnonzero(np.diff(setting.seller_of, prepend=-1))
        sellers = setting.state.sellers
        self.limits = np.array([
            queues.limit(float(s["kappa"]), float(c))
            for s, c in zip(sellers, charges.slots, strict=True)
        ])  # fmt: skip
        self.faint, self.stake = 0.0, 1.0
        """Tastes lent to argmax buyers who are all alike, and the most that they can gain, USD."""
        self.alike = _alike(setting, self.on_show)
        self._believed = _beliefs(setting) if setting.promised.any() and charges.trusting else None
        self._refund = _refunds(setting)

    @cached_property
    def places(self) -> list[set[tuple[int, int]]]:
        """Levels and patiences of the kinds that each seller is shown to."""
        st = self.setting
        return [
            {(int(st.level[j]), int(st.piece[j]))
             for j in np.flatnonzero(self.on_show[:, st.seller_of == s].any(axis=1))}
            for s in range(len(self.limits))
        ]  # fmt: skip

    @cached_property
    def alone(self) -> Floats:
        """What each kind can expect where nobody else is served, shape [J, O, PARTS]."""
        idle = np.zeros(self.work.shape)
        return self._expect(0.0, idle, self._rate(np.ones(len(self.limits))))

    # --- from flows to the sellers' state ---

    def loads(self, flow: Floats) -> tuple[Floats, Floats]:
        """Return (work per second by seller, level and patience [S, L, N], residual work [S])."""
        st = self.setting
        load = np.zeros((len(self.limits), self.levels, len(st.until)))
        work = np.add.reduceat(flow * self.work, self.starts, axis=1)
        np.add.at(load.transpose(1, 2, 0), (st.level, st.piece), work)
        second = np.add.reduceat(flow * self.second, self.starts, axis=1).sum(axis=0)
        total = load.sum(axis=(1, 2))
        residual = np.divide(second, 2.0 * total, out=np.ones_like(total), where=total > 0.0)
        return load, residual

    def congest(self, load: Floats, residual: Floats, only: int | None = None) -> Floats:
        """Return the state of all sellers, or of one, at their loads, shape [S, 2 + L]."""
        sellers, until = self.setting.state.sellers, self.setting.until
        which = range(len(self.limits)) if only is None else [only]
        out = np.zeros((len(which), WAIT + self.levels))
        for row, s in zip(out, which, strict=True):
            kappa, slots = float(sellers[s]["kappa"]), float(self.charges.slots[s])
            work, by = float(residual[s]), sellers[s]["discipline"]
            if by == FCFS:
                found = queues.congestion(load[s].sum(axis=0), until, work, kappa, slots)
                row[:WAIT], row[WAIT:] = found[:2], found[2]
            else:
                row[:WAIT] = queues.priorities(
                    load[s].sum(axis=1), work, kappa, slots, by == PREEMPTIVE, row[WAIT:]
                )
        return out

    def state_slopes(self, load: Floats, residual: Floats, state: Floats) -> list[Floats]:
        """Return ∂y/∂f of each seller by the flows to its own offers, shape [2 + L, J·n]."""
        st, out = self.setting, []
        for s in range(len(self.limits)):
            mine = st.seller_of == s
            work, second = self.work[:, mine], self.second[:, mine]
            total = load[s].sum()
            if total <= 0.0 or math.isinf(self.limits[s]):
                out.append(np.zeros((state.shape[1], work.size)))
                continue
            room = self.limits[s] - load[s, :, -1].sum()
            # An idle seller's slopes are looked at from one side.
            floor = 1e-3 * self.limits[s]
            below = -1.0 if total > floor else 0.0
            step = _STEP * min(max(total, floor), room)
            by_load = np.zeros((state.shape[1], *load.shape[1:]))
            alike = state[s, CHANCE] < 1e-12  # where nobody waits, patience makes no difference
            here = {(0, load.shape[2] - 1)} if alike else self.places[s]
            for at in here:
                ends = []
                for sign in (1.0, below):
                    moved = load.copy()
                    moved[s][at] += sign * step
                    ends.append(self.congest(moved, residual, s)[0])
                by_load[:, *at] = (ends[0] - ends[1]) / ((1.0 - below) * step)
            ends = []
            for sign in (1.0, -1.0):
                moved = residual.copy()
                moved[s] *= 1.0 + sign * _STEP
                ends.append(self.congest(load, moved, s)[0])
            by_residual = (ends[0] - ends[1]) / (2.0 * residual[s] * _STEP)
            if alike:
                by_load[...] = by_load[:, :1, -1:]
            kinds = by_load[:, st.level, st.piece]
            through = (0.5 * second - residual[s] * work) / total
            slopes = kinds[:, :, None] * work + by_residual[:, None, None] * through
            out.append(slopes.reshape(len(slopes), -1))
        return out

    # --- from the sellers' state to choices ---

    def _rate(self, slow: Floats) -> Floats:
        speed = self.setting.state.sellers["speed"] / slow
        return np.broadcast_to(speed[self.setting.seller_of], self.work.shape).copy()

    def _expect(self, chance: float, waits: Floats, rates: Floats, only: Flags | None = None) -> Floats:
        st, state = self.setting, self.setting.state
        out = np.zeros((*self.work.shape, PARTS))
        fill_expectations(
            chance, waits, rates, self.on_show if only is None else only, st.class_of,
            st.seller_of, st.deadline, st.patience, state.classes, state.sellers, state.works,
            state.rows, state.nodes, state.waits, state.ahead[0], out,
        )  # fmt: skip
        return out

    def waits(self, state: Floats) -> Floats:
        """Return the mean wait of those who wait, by kind and offer, s, shape [J, O]."""
        return np.asarray(state[:, WAIT:][:, self.setting.level].T[:, self.setting.seller_of])

    def expected(self, state: Floats) -> tuple[Floats, Floats, Floats]:
        """Return what each kind can expect [J, O, PARTS]: on the whole, unless it waits, if so."""
        seller_of = self.setting.seller_of
        slow = state[:, SLOW] > 1.0 + 1e-13
        idle = self.alone
        if slow.any():
            only = self.on_show & slow[seller_of]
            idle = np.where(
                only[:, :, None], self._expect(0.0, 0.0 * self.work, self._rate(state[:, SLOW]), only),
                idle,
            )  # fmt: skip
        queue = state[:, CHANCE] > 0.0
        later = idle
        if queue.any():
            only = self.on_show & queue[seller_of]
            found = self._expect(1.0, self.waits(state), self._rate(state[:, SLOW]), only)
            later = np.where(only[:, :, None], found, idle)
        chance = state[seller_of, CHANCE][:, None]
        return idle + chance * (later - idle), idle, later

    def billed(self, expected: Floats, right: Floats) -> tuple[Floats, Floats]:
        """Return (share of the price paid net of refunds, tokens they spare), each [J, O]."""
        served, timely, early = expected[..., SERVED], expected[..., TIMELY], expected[..., EARLY]
        if not self.charges.refunds:
            return served, np.zeros_like(served)
        refund = self._refund[:, :, self.setting.seller_of]
        late = right * refund[1, 1] + (1.0 - right) * refund[1, 0]
        on_time = right * refund[0, 1] + (1.0 - right) * refund[0, 0]
        return served - (served - timely) * late - timely * on_time, (late - on_time) * early

    def quoted(self, expected: Floats) -> Quoted:
        """Return what buyers go by, from what they can expect."""
        st, charges = self.setting, self.charges
        right, loss = charges.right[st.class_of], st.state.classes["loss"][st.class_of, None]
        told = self.believe(expected)
        return Quoted(
            right * told[..., DELTA], told[..., TIME],
            (1.0 - right) * loss * told[..., USED] + self.paid(told, right) + self.toll,
        )  # fmt: skip

    def believe(self, expected: Floats) -> Floats:
        """Return what buyers believe: promises where they are told them, else what is so."""
        if self._believed is None:
            return expected
        promised = self.setting.promised[self.setting.seller_of][:, None]
        return np.where(promised, self._believed, expected)

    def paid(self, expected: Floats, right: Floats) -> Floats:
        """Return the expected payment net of refunds and penalties, USD, shape [J, O]."""
        st, charges = self.setting, self.charges
        billed, tilt = self.billed(expected, right)
        paid = charges.ask[st.class_of] * billed + charges.slope[st.class_of] * tilt
        if charges.refunds:
            penalty = st.state.sellers["penalty"][st.seller_of]
            paid = paid - penalty * (expected[..., SERVED] - expected[..., KEPT])
        return np.asarray(paid)

    def choose(self, quoted: Quoted, moves: bool) -> list[Choices]:
        """Return what the buyers of each kind choose among the offers on show."""
        found = [_nothing()] * len(self.arrivals)
        for together in self.alike:
            on = np.flatnonzero(self.on_show[together[0]])
            if len(on):
                at = np.ix_(together, on)
                lines = quoted.gain[at], quoted.time[at], quoted.base[at]
                for j, choice in zip(together, self.among(together[0], on, *lines, moves), strict=True):
                    found[j] = choice
        return found

    def among(
        self, j: int, on: NDArray[np.int64], gain: Floats, time: Floats, base: Floats, moves: bool
    ) -> list[Choices]:
        """Return what buyers like those of kind j choose among offers `on`, by lines [D, n]."""
        st, k = self.setting, self.setting.class_of[j]
        kind, money = st.state.classes[k], st.money[k]
        outside = bool(kind["outside"] == 1)
        if st.argmax[k] and money.along:
            each = zip(gain, time, base, strict=True)
            return [envelope_choices(*line, money, outside, moves) for line in each]
        scale, nest = (self.faint, 1.0) if st.argmax[k] else (kind["scale"], kind["nest"])
        nests = np.arange(len(on)) if nest == 1.0 else st.seller_of[on]
        return logit_choices(
            gain, time, base, money, nests, float(scale), float(nest), outside, moves
        )

    def among_moved(
        self, together: NDArray[np.int64], on: NDArray[np.int64], quoted: Quoted,
        own: Flags, more: Floats,
    ) -> Floats:  # fmt: skip
        """Return the shares [P, D, n] of offers `on` as those of one seller cost more.

        Args:
            together: D kinds of one class that are shown the same offers.
            on: those n offers.
            quoted: what buyers go by now.
            own: which of them cost more, shape [n].
            more: by how much, USD, shape [P, D, n].
        """
        st, k = self.setting, self.setting.class_of[together[0]]
        kind, money, at = st.state.classes[k], st.money[k], np.ix_(together, on)
        if not (st.argmax[k] and money.along):
            scale, nest = (self.faint, 1.0) if st.argmax[k] else (kind["scale"], kind["nest"])
            nests = np.arange(len(on)) if nest == 1.0 else st.seller_of[on]
            if own.any() and (nest < 1.0 or own.sum() == 1):
                nested = nests == nests[int(np.flatnonzero(own)[0])]
                return moved_shares(
                    quoted.gain[at], quoted.time[at], quoted.base[at], money, nests, float(scale),
                    float(nest), bool(kind["outside"] == 1), nested, more[..., nested],
                )  # fmt: skip
        base = quoted.base[at] + more
        wide = [
            np.broadcast_to(x, base.shape).reshape(-1, len(on))
            for x in (quoted.gain[at], quoted.time[at], base)
        ]
        found = self.among(int(together[0]), on, *wide, moves=False)
        return np.array([choice.share[:-1] for choice in found]).reshape(base.shape)

    def wanted(self, choices: list[Choices]) -> Floats:
        """Return the flows that the choices make, tasks/s, shape [J, O]."""
        out = np.zeros(self.work.shape)
        for j, choice in enumerate(choices):
            out[j, self.on_show[j]] = self.arrivals[j] * choice.share[:-1]
        return out

    def moves(self, choices: list[Choices]) -> Floats:
        """Return ∂flow/∂U and its means of v and c over who moves, shape [3, J, O, O]."""
        out = np.zeros((3, *self.work.shape, self.work.shape[1]))
        for j, choice in enumerate(choices):
            if choice.moves is not None:
                on = np.flatnonzero(self.on_show[j])
                out[:, j, on[:, None], on] = self.arrivals[j] * choice.moves
        return out

    def expected_slopes(self, state: Floats, idle: Floats, later: Floats) -> Floats:
        """Return ∂expected/∂y, shape [2 + L, J, O, PARTS]."""
        st = self.setting
        out = np.zeros((WAIT + self.levels, *idle.shape))
        out[CHANCE] = later - idle
        chance = state[st.seller_of, CHANCE][:, None]
        busy = self.on_show & (self.limits < math.inf)[st.seller_of]
        queue = busy & (state[:, CHANCE] > 0.0)[st.seller_of]
        slow, waits = state[:, SLOW], self.waits(state)
        for sign in (1.0, -1.0):
            rates = self._rate(slow * (1.0 + sign * _STEP))
            alone = self._expect(0.0, 0.0 * self.work, rates, busy)
            out[SLOW] += sign * np.where(queue[:, :, None], 1.0 - chance, 1.0) * alone
            if queue.any():
                out[SLOW] += sign * chance * self._expect(1.0, waits, rates, queue)
                longer = self._expect(1.0, waits * (1.0 + sign * _STEP), self._rate(slow), queue)
                wide = np.where(queue, 2.0 * _STEP * waits, 1.0)[:, :, None]
                for level in range(self.levels):
                    mine = (st.level == level)[:, None, None]
                    out[WAIT + level] += np.where(mine, sign * chance * longer / wide, 0.0)
        out[SLOW] /= (2.0 * _STEP * slow[st.seller_of])[:, None]
        return out


@dataclass(frozen=True)
class Slopes:
    """Derivatives at a point.

    Attributes:
        by_utility: ∂flow/∂U and its means of v and c, shape [3, J, O, O].
        expected: ∂expected/∂y, shape [2 + L, J, O, PARTS].
        answer: A = ∂flow/∂y, shape [J·O, S·(2 + L)].
        cause: B = ∂y/∂flow: of each seller by its own flows, shape [2 + L, J·n].
        at: places of those flows among all J·O, shape [J·n].
    """

    by_utility: Floats
    expected: Floats
    answer: Floats
    cause: list[Floats]
    at: list[NDArray[np.int64]]

    def settle(self, push: Floats) -> Floats:
        """Return (I − A·B)⁻¹·push, shape [J·O, ...]: flows after all delays have followed."""
        small = np.eye(self.answer.shape[1]) - self.follow(self.answer)
        return np.asarray(push + self.answer @ np.linalg.solve(small, self.follow(push)))

    def follow(self, flow: Floats) -> Floats:
        """Return B·flow, [S·(2 + L), ...], for changes of flows [J·O, ...]: a seller at a time."""
        parts = [
            cause.reshape(len(cause), -1) @ flow[at] for cause, at in zip(self.cause, self.at, strict=True)
        ]
        return np.concatenate(parts)


def slopes_at(
    response: Response, flow: Floats, state: Floats, idle: Floats, later: Floats,
    choices: list[Choices],
) -> Slopes:  # fmt: skip
    """Return the derivatives of a response; `choices` must come with theirs."""
    st = response.setting
    by_utility = response.moves(choices)
    by_state = response.expected_slopes(state, idle, later)
    plain, answer = response.quoted(np.zeros_like(idle)), []
    for change in by_state:  # `quoted` is linear in what is expected, but for its constant
        moved = response.quoted(change)
        gain, time, base = moved.gain - plain.gain, moved.time - plain.time, moved.base - plain.base
        effect = (
            by_utility[1] * gain[:, None, :] - by_utility[2] * time[:, None, :]
            - by_utility[0] * base[:, None, :]
        )  # fmt: skip
        answer.append(np.add.reduceat(effect, response.starts, axis=2))
    places = np.arange(flow.size).reshape(flow.shape)
    return Slopes(
        by_utility, by_state, np.stack(answer, axis=-1).reshape(flow.size, -1),
        response.state_slopes(*response.loads(flow), state),
        [places[:, st.seller_of == s].ravel() for s in range(len(st.market.sellers))],
    )  # fmt: skip


def select(
    setting: Setting, charges: Charges, rates: Floats, start: Flows | None = None,
    toll: Floats | None = None, tolerance: float = TOLERANCE,
) -> Flows:  # fmt: skip
    """Return the selection equilibrium at one moment.

    Args:
        setting: the market.
        charges: prices and what else buyers go by.
        rates: arrivals of each class, tasks/s, shape [K].
        start: an equilibrium to start from.
        toll: charged beside prices, USD, shape [J, O]; none when absent.
        tolerance: largest residual, as a share of all arrivals.
    """
    response = Response(setting, charges, rates, toll)
    alike = [k for k in range(len(setting.money)) if setting.argmax[k] and not setting.money[k].along]
    if not alike:
        return _newton(response, _inside(response, start), tolerance)
    quoted = response.quoted(response.alone)
    spread = max(
        float(np.abs(m.value.max() * quoted.gain - m.delay.max() * quoted.time - quoted.base)[
            (setting.class_of == k)[:, None] & response.on_show
        ].max(initial=0.0)) for k, m in enumerate(setting.money) if k in alike
    )  # fmt: skip
    response.stake = response.faint = max(spread, 1e-12)
    found, steps = start, 0
    while True:
        found = _newton(response, _inside(response, found), tolerance)
        steps += found.iterations
        if response.faint <= _FAINT * response.stake:
            return replace(found, iterations=steps)
        response.faint = max(response.faint * _FADE, _FAINT * response.stake)


def _inside(response: Response, start: Flows | None) -> Floats:
    """Return flows that saturate no seller, from those of a start or those to idle sellers."""
    if start is None:
        flow = response.wanted(response.choose(response.quoted(response.alone), moves=False))
    else:
        before = start.rates[response.setting.class_of]
        grown = np.divide(response.rates[response.setting.class_of], before,
                          out=np.zeros_like(before), where=before > 0.0)  # fmt: skip
        flow = np.where(response.on_show, start.flow * grown[:, None], 0.0)
        fresh = (grown == 0.0) & (response.arrivals > 0.0)
        if fresh.any():
            flow[fresh] = _inside(response, None)[fresh]
    flow = np.maximum(flow, np.where(response.on_show, _TINY, 0.0))
    load = response.loads(flow)[0][:, :, -1].sum(axis=1)
    cap = 0.98 if start is not None else 0.5
    room = np.where(load > cap * response.limits, cap * response.limits / np.maximum(load, _TINY), 1.0)
    return np.asarray(flow * room[response.setting.seller_of])


def _newton(response: Response, flow: Floats, tolerance: float) -> Flows:
    """Iterate from flows that saturate nobody."""
    total = max(float(response.arrivals.sum()), _TINY)
    now = _Point(response, flow)
    steps, averages, recent = 0, 0, [now.error]
    while now.error > tolerance * total and steps < _MOST_STEPS and averages < _MOST_AVERAGES:
        steps += 1
        point = _line_search(response, now, max(recent))
        if point is None:  # no direction that helps: average, by ever smaller parts
            averages += 1
            part = 1.0 / (1.0 + 0.2 * averages) * 0.5
            point = _Point(response, _kept_inside(
                response, now.flow, part * (now.want - now.flow), now.want
            ))
            steps -= 1
        now = point
        recent = [*recent[-3:], now.error]
    load = response.loads(now.flow)[0][:, :, -1].sum(axis=1)
    return Flows(
        rates=response.rates, flow=_balanced(response, now) if response.faint else now.want,
        choices=now.choices, on_show=response.on_show, state=now.state, expected=now.expected,
        iterations=steps + averages, residual=now.error / total,
        converged=now.error <= tolerance * total, saturated=load > 0.9999 * response.limits,
        toll=response.toll, faint=response.faint,
    )  # fmt: skip


def _balanced(response: Response, point: _Point) -> Floats:
    """Return flows that add up to the arrivals, to the last digit."""
    total = point.flow.sum(axis=1)
    chosen = response.arrivals * np.array([1.0 - choice.share[-1] for choice in point.choices])
    scale = np.divide(chosen, total, out=np.zeros_like(total), where=total > 0.0)
    return np.asarray(point.flow * scale[:, None])


class _Point:
    """All that follows from flows."""

    def __init__(self, response: Response, flow: Floats) -> None:
        self.flow = flow
        self.state = response.congest(*response.loads(flow))
        self.expected, self.idle, self.later = response.expected(self.state)
        self.choices = response.choose(response.quoted(self.expected), moves=True)
        self.want = response.wanted(self.choices)
        self.error = float(_misses(response, self).max(initial=0.0))


def _misses(response: Response, point: _Point) -> Floats:
    """Return by how much flows miss their choices, tasks/s, shape [J].

    Of buyers without tastes, who leave an offer for any gain, it is the gain that is left, as a
    share of the largest stake (the relative gap of traffic assignment), times the flow.
    """
    miss = np.abs(point.want - point.flow).max(axis=1, initial=0.0)
    if response.faint == 0.0:
        return np.asarray(miss)
    for j in np.flatnonzero(response.setting.argmax[response.setting.class_of]):
        if not response.setting.money[response.setting.class_of[j]].along:
            gap = np.log(np.maximum(point.want[j], _TINY) / np.maximum(point.flow[j], _TINY))
            lost = np.abs(point.flow[j] * gap).max(initial=0.0)
            miss[j] = min(lost, miss[j]) * response.faint / response.stake
    return np.asarray(miss)


def _single(response: Response) -> Flags:
    """Return which kinds' buyers are all alike but for plain tastes, shape [J]."""
    st = response.setting
    return np.array([
        len(st.money[k].weights) == 1 and not (st.argmax[k] and st.money[k].along)
        and (st.argmax[k] or st.state.classes["nest"][k] == 1.0) for k in st.class_of
    ])  # fmt: skip


def _line_search(response: Response, now: _Point, most: float) -> _Point | None:
    """Return the first point along Newton's direction that is nearer, or None."""
    slopes = slopes_at(response, now.flow, now.state, now.idle, now.later, now.choices)
    push = now.want - now.flow
    for j in np.flatnonzero(_single(response)):
        _by_logarithm(response, now, slopes, push, int(j))
    try:
        step = slopes.settle(push.ravel()).reshape(push.shape)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(step).all():
        return None
    part = 1.0
    while part > 1e-3:
        point = _Point(response, _kept_inside(response, now.flow, part * step, now.want))
        if point.error < (1.0 - 0.1 * part) * most:
            return point
        part *= 0.5
    return None


def _by_logarithm(response: Response, now: _Point, slopes: Slopes, push: Floats, j: int) -> None:
    """Let Newton's method compare the flows of kind j with its choices by their logarithms.

    ln f_o − U_o(f)/μ + L = 0 and Σ f = arrivals are linear in L and, but for delays, in U: the
    derivatives are those of the flows' own shares, and the step keeps the sum.
    """
    on, total = response.on_show[j], response.arrivals[j]
    if total <= 0.0 or not on.any():
        return
    flow, want = now.flow[j, on], np.maximum(now.want[j, on], _TINY)
    without = max(float(total - flow.sum()), _TINY)
    gap = np.log(want) - np.log(np.maximum(flow, _TINY))
    last = math.log(max(total * now.choices[j].share[-1], _TINY)) - math.log(without)
    if response.setting.state.classes["outside"][response.setting.class_of[j]] == 0:
        without, last = float(total - flow.sum()), 0.0
    mean = float(flow @ gap + without * last) / total
    push[j, on] = flow * (gap - mean)
    # Rows of A for the choices' shares become those for the flows' shares.
    rows = slopes.answer.reshape(*push.shape, -1)
    by_choice = rows[j, on] / np.maximum(now.want[j, on], _TINY)[:, None]
    left = max(total * float(now.choices[j].share[-1]), 1e-12 * total)
    rest = -rows[j, on].sum(axis=0) / left  # of doing without
    rows[j, on] = flow[:, None] * (by_choice - (flow @ by_choice + without * rest) / total)


def _kept_inside(response: Response, flow: Floats, step: Floats, wanted: Floats) -> Floats:
    """Return flow + step, positive, of no more than come, at most nine tenths to a seller's limit."""
    grown = np.clip(step / np.maximum(flow, _TINY), -50.0, 0.0)
    after = np.where(grown < -0.9, 0.1 * flow * np.exp(grown + 0.9), flow + step)
    after = np.where(wanted > 0.0, after, 0.0)
    after = np.where(response.on_show, np.maximum(after, _TINY), 0.0)
    # No more can come than there are: a step of logarithms may overshoot where tastes are weak.
    after *= np.minimum(1.0, response.arrivals / np.maximum(after.sum(axis=1), _TINY))[:, None]
    before = response.loads(flow)[0][:, :, -1].sum(axis=1)
    load = response.loads(after)[0][:, :, -1].sum(axis=1)
    room = response.limits - before
    part = 1.0
    over = load - before > 0.9 * room
    if over.any():
        part = float((0.9 * room[over] / (load - before)[over]).min())
    return np.asarray(flow + part * (after - flow))


def _alike(setting: Setting, on_show: Flags) -> list[NDArray[np.int64]]:
    """Return the kinds in groups of one class that considers the same offers."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    for j, k in enumerate(setting.class_of):
        groups.setdefault((int(k), on_show[j].tobytes()), []).append(j)
    return [np.array(group) for group in groups.values()]


def _nothing() -> Choices:
    """Return the choices of a kind that is shown nothing."""
    none = np.zeros(0)
    return Choices(np.ones(1), none, none, 0.0, np.zeros((3, 0, 0)))


def _refunds(setting: Setting) -> Floats:
    """Return the share paid back, by whether late and whether right, shape [2, 2, S]."""
    sellers = setting.state.sellers
    return np.array([
        [[refund_share(late, right, float(s["refund_late"]), float(s["refund_wrong"]))
          for s in sellers] for right in (False, True)]
        for late in (False, True)
    ])  # fmt: skip


def _beliefs(setting: Setting) -> Floats:
    """Return what buyers make of promises, shape [J, O, PARTS]."""
    out = np.zeros((*setting.serves.shape, PARTS))
    for j, k in enumerate(setting.class_of):
        kind = setting.state.classes[k]
        for o, s in enumerate(setting.seller_of):
            promise = float(setting.state.sellers[s]["promise"])
            if not math.isfinite(promise):
                continue
            left = lateness(
                int(kind["late_rule"]), float(kind["late_parameter"]), promise - setting.deadline[j]
            )
            out[j, o, [DELTA, USED, TIMELY]] = left, float(left > 0.0), float(promise <= setting.deadline[j])
            out[j, o, [TIME, SERVED, KEPT]] = promise, 1.0, 1.0
    return out


__all__ = ["FCFS", "Flows", "Response", "select", "slopes_at"]
