"""From flows to what buyers of each kind can expect of each offer, at one moment.

Flows make the sellers' state (slow-down, chance and mean of a wait: `stations`), and the state
makes what can be expected; both with their derivatives.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..schema.arrivals import Closed
from ..state import PREEMPTIVE
from . import queues
from .expectations import PARTS, fill_expectations
from .population import Floats
from .setting import Charges, Flags, Setting
from .stations import CHANCE, SLOW, STEP, WAIT, fill_slopes, fill_states


class Delays:
    """What flows do to the sellers, and that to what buyers can expect.

    Attributes:
        on_show: offers that each kind considers, shape [J, O].
        limits: work that each seller can do per second, shape [S].
        seen: share of a kind's work that one of its tasks finds with others, shape [J, 1]: all but
            its own where users come back (`closed`).
        width: length of a seller's state.
    """

    def __init__(self, setting: Setting, charges: Charges) -> None:
        self.setting, self.charges = setting, charges
        self.on_show = setting.shown(charges)
        self.levels = int(setting.level.max()) + 1
        self.work = setting.work[setting.class_of] * self.on_show
        self.seen = _seen(setting)
        self.brought = self.seen * self.work
        self.half_square = 0.5 * self.seen * setting.second[setting.class_of] * self.on_show
        self.starts = np.flatnonzero(np.diff(setting.seller_of, prepend=-1))
        self.sellers = setting.state.sellers
        self.limits = np.array([
            queues.limit(float(s["kappa"]), float(c))
            for s, c in zip(self.sellers, charges.slots, strict=True)
        ])  # fmt: skip
        pushes = bool((self.sellers["discipline"] == PREEMPTIVE).any())
        self.width = WAIT + self.levels * (2 if pushes else 1)

    @cached_property
    def alone(self) -> Floats:
        """What each kind can expect where nobody else is served, shape [J, O, PARTS]."""
        idle = np.zeros(self.work.shape)
        return self._expect(0.0, idle, self._rate(np.ones(len(self.limits))))

    # --- from flows to the sellers' state ---

    def loads(self, flow: Floats) -> tuple[Floats, Floats]:
        """Return what comes to each seller.

        Returns:
            Work per second by level and patience, shape [S, L, N], and Σ rate·E[w²]/2 by level,
            seconds, shape [S, L].
        """
        st = self.setting
        load = np.zeros((len(self.limits), self.levels, len(st.until)))
        work = np.add.reduceat(flow * self.brought, self.starts, axis=1)
        np.add.at(load.transpose(1, 2, 0), (st.level, st.piece), work)
        moment = np.zeros((len(self.limits), self.levels))
        np.add.at(moment.T, st.level, np.add.reduceat(flow * self.half_square, self.starts, axis=1))
        return load, moment

    def lasting(self, flow: Floats) -> Floats:
        """Return the work per second at each seller whose owners never leave, shape [S].

        Where slots are unlimited nobody waits, so that nobody leaves.
        """
        never = (self.setting.piece == len(self.setting.until) - 1)[:, None]
        stays = never | np.isinf(self.charges.slots)[self.setting.seller_of]
        return np.add.reduceat((flow * self.brought * stays).sum(axis=0), self.starts)

    def congest(self, load: Floats, moment: Floats) -> Floats:
        """Return the state of all sellers at their loads, shape [S, width]; see `stations`."""
        out = np.zeros((len(self.limits), self.width))
        spare = np.zeros(self.levels)
        fill_states(load, moment, self.setting.until, self.sellers, self.charges.slots, out, spare)
        return out

    def state_slopes(self, load: Floats, moment: Floats) -> list[Floats]:
        """Return ∂y/∂f of each seller by the flows to its own offers, shape [width, J·n]."""
        st, out = self.setting, []
        by_load = np.zeros((len(load), self.width, *load.shape[1:]))
        by_moment = np.zeros((len(load), self.width, self.levels))
        places = np.unique(np.column_stack([st.level, st.piece]), axis=0)
        scratch = np.zeros((3, WAIT + 2 * self.levels))
        fill_slopes(
            load.copy(), moment.copy(), st.until, places, self.sellers, self.charges.slots, by_load,
            by_moment, scratch,
        )  # fmt: skip
        kinds, squares = by_load[:, :, st.level, st.piece], by_moment[:, :, st.level]
        for s, end in enumerate([*self.starts[1:], len(st.seller_of)]):
            mine = slice(self.starts[s], end)
            change = kinds[s][:, :, None] * self.brought[:, mine]
            change += squares[s][:, :, None] * self.half_square[:, mine]
            out.append(change.reshape(self.width, -1))
        return out

    # --- from the sellers' state to what buyers expect ---

    def _rate(self, slow: Floats) -> Floats:
        speed = self.sellers["speed"] / slow
        return np.broadcast_to(speed[self.setting.seller_of], self.work.shape).copy()

    def _expect(
        self, chance: float, waits: Floats, rates: Floats, only: Flags | None = None
    ) -> Floats:
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
        level, of = self.setting.level, self.setting.seller_of
        waits = state[:, WAIT:][:, level].T[:, of]
        if self.width > WAIT + self.levels:
            waits = waits + self.work * state[:, WAIT + self.levels :][:, level].T[:, of]
        return np.asarray(waits)

    def expected(self, state: Floats) -> tuple[Floats, Floats, Floats]:
        """Return what each kind can expect [J, O, PARTS]: on the whole, unless it waits, if so."""
        of = self.setting.seller_of
        slow = state[:, SLOW] > 1.0 + 1e-13
        idle = self.alone
        if slow.any():
            only = self.on_show & slow[of]
            found = self._expect(0.0, 0.0 * self.work, self._rate(state[:, SLOW]), only)
            idle = np.where(only[:, :, None], found, idle)
        queue = state[:, CHANCE] > 0.0
        later = idle
        if queue.any():
            only = self.on_show & queue[of]
            found = self._expect(1.0, self.waits(state), self._rate(state[:, SLOW]), only)
            later = np.where(only[:, :, None], found, idle)
        chance = state[of, CHANCE][:, None]
        return idle + chance * (later - idle), idle, later

    def expected_slopes(
        self, state: Floats, idle: Floats, later: Floats, only: Flags | None = None
    ) -> Floats:
        """Return ∂expected/∂y, shape [width, J, O, PARTS], where `only` says."""
        st = self.setting
        out = np.zeros((self.width, *idle.shape))
        out[CHANCE] = later - idle
        chance = state[st.seller_of, CHANCE][:, None]
        counts = self.on_show if only is None else self.on_show & only
        shared = counts & np.isfinite(self.sellers["kappa"])[st.seller_of]
        queue = counts & ((state[:, CHANCE] > 0.0) & np.isfinite(self.limits))[st.seller_of]
        slow, waits = state[:, SLOW], self.waits(state)
        step = STEP * np.where(waits > 0.0, waits, np.maximum(self.work, 1e-9))
        apart = (waits + step - np.maximum(waits - step, 0.0))[:, :, None]
        for sign in (1.0, -1.0):
            rates, steps = self._rate(slow * (1.0 + sign * STEP)), 2.0 * STEP * slow[st.seller_of]
            if shared.any():
                alone = self._expect(0.0, 0.0 * self.work, rates, shared)
                out[SLOW] += sign * ((1.0 - chance) * alone) / steps[:, None]
            if (shared & queue).any():
                waited = self._expect(1.0, waits, rates, shared & queue)
                out[SLOW] += sign * (chance * waited) / steps[:, None]
            if queue.any():
                moved = np.maximum(waits + sign * step, 0.0)
                longer = self._expect(1.0, moved, self._rate(slow), queue)
                change = np.where(queue[:, :, None], sign * chance * longer / apart, 0.0)
                self._at_level(out, change)
        return out

    def _at_level(self, out: Floats, change: Floats) -> None:
        """Add a change per second of wait to the slopes by the waits of the kinds' own levels."""
        for level in range(self.levels):
            mine = (self.setting.level == level)[:, None, None]
            out[WAIT + level] += np.where(mine, change, 0.0)
            if self.width > WAIT + self.levels:
                pushed = self.work[:, :, None] * change
                out[WAIT + self.levels + level] += np.where(mine, pushed, 0.0)


def _seen(setting: Setting) -> Floats:
    """Return the share of a kind's work that its own tasks find with others, shape [J, 1]."""
    laws = [task.arrivals for task in setting.market.tasks]
    others = [1.0 - 1.0 / a.users if isinstance(a, Closed) else 1.0 for a in laws]
    return np.array(others)[setting.class_of][:, None]
