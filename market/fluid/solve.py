"""The fluid market solved at given prices: who serves what, how long it takes, who earns what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .expectations import DELTA, KEPT, SERVED, TIME, TIMELY, USED
from .flows import Flows
from .population import Floats
from .response import Response
from .selection import TOLERANCE, select
from .setting import Charges, Setting
from .slopes import Slopes, slopes_at


@dataclass(frozen=True)
class Accounts:
    """What flows come to at one moment, in USD/s.

    Attributes:
        margin: what the seller earns by a task given to it, USD, shape [J, O].
        paid: what its buyer pays, net of refunds and penalties, USD, shape [J, O].
        revenue: what sellers are left of payments after commission, shape [O].
        cost: of serving, shape [O].
        platform: commission and fees.
        surplus: of the buyers of each kind, tastes included, shape [J].
        value: worth of right answers in time less the loss by wrong ones, shape [J].
        delay: cost of delays, shape [J].
        taste: mean of tastes, shape [J].
    """

    margin: Floats
    paid: Floats
    revenue: Floats
    cost: Floats
    platform: float
    surplus: Floats
    value: Floats
    delay: Floats
    taste: Floats


@dataclass(frozen=True)
class Selection:
    """A selection equilibrium: shares and delays that are each other's consequence.

    Averages over the moments at which demand is taken; USD/s throughout.

    Attributes:
        setting: the market.
        charges: prices and what else buyers go by.
        weights: of the moments, shape [moments].
        moments: the equilibrium at each.
    """

    setting: Setting
    charges: Charges
    weights: Floats
    moments: tuple[Flows, ...]

    @property
    def converged(self) -> bool:
        """Whether all moments are solved to the tolerance."""
        return all(m.converged for m in self.moments)

    @property
    def residual(self) -> float:
        """Largest difference between a flow and the choice it leads to, over all arrivals."""
        return max(m.residual for m in self.moments)

    @property
    def iterations(self) -> int:
        """Steps taken, at all moments together."""
        return sum(m.iterations for m in self.moments)

    @property
    def saturated(self) -> list[str]:
        """Sellers whose load has come to what they can serve, at some moment."""
        any_ = np.any([m.saturated for m in self.moments], axis=0)
        return [s.name for s, full in zip(self.setting.market.sellers, any_, strict=True) if full]

    @cached_property
    def responses(self) -> list[Response]:
        """The response of buyers and sellers at each moment."""
        found = []
        for moment in self.moments:
            found.append(
                Response(self.setting, self.charges, moment.rates, moment.toll, like=moment)
            )
        return found

    @cached_property
    def accounts(self) -> list[Accounts]:
        """What the flows come to at each moment."""
        return [account(r, m) for r, m in zip(self.responses, self.moments, strict=True)]

    def _mean(self, each: list[Any]) -> Any:
        return sum(w * np.asarray(x) for w, x in zip(self.weights, each, strict=True))

    def by_class(self, kinds: Floats) -> Floats:
        """Add up over the kinds of each class: [J, ...] to [K, ...]."""
        out = np.zeros((len(self.setting.money), *kinds.shape[1:]))
        np.add.at(out, self.setting.class_of, kinds)
        return out

    def by_seller(self, offers: Floats) -> Floats:
        """Add up over the offers of each seller: [..., O] to [..., S]."""
        starts = np.flatnonzero(np.diff(self.setting.seller_of, prepend=-1))
        return np.asarray(np.add.reduceat(offers, starts, axis=-1))

    @cached_property
    def arrivals(self) -> Floats:
        """Tasks/s of each class, shape [K]."""
        return np.asarray(self._mean([m.rates for m in self.moments]))

    @cached_property
    def flow(self) -> Floats:
        """Tasks/s of each class to each offer, shape [K, O]."""
        return self.by_class(self._mean([m.flow for m in self.moments]))

    @cached_property
    def share(self) -> Floats:
        """Share of each class's tasks by offer and, last, without any, shape [K, O + 1]."""
        arrivals = np.maximum(self.arrivals, 1e-300)
        share = self.flow / arrivals[:, None]
        return np.column_stack([share, np.maximum(1.0 - share.sum(axis=1), 0.0)])

    def per_task(self, part: int) -> Floats:
        """Return the mean of a part of what is expected, over tasks given to an offer, [K, O].

        Where nobody goes, what an idle moment's kind would meet.
        """
        flows = [np.maximum(m.flow, 1e-200 * m.on_show) for m in self.moments]
        sums = self._mean(
            [f * m.expected[..., part] for f, m in zip(flows, self.moments, strict=True)]
        )
        weight = self.by_class(self._mean(flows))
        return np.divide(self.by_class(sums), weight, out=np.full(weight.shape, np.nan),
                         where=weight > 0.0)  # fmt: skip

    @cached_property
    def sojourn(self) -> Floats:
        """Mean time to the answer (or to leaving), s, shape [K, O]."""
        return self.per_task(TIME)

    @cached_property
    def answer_time(self) -> Floats:
        """Mean time to the answer of those who get one, s, shape [K, O].

        Whoever leaves has waited for as long as its patience.
        """
        total = np.zeros((2, len(self.setting.money), len(self.setting.seller_of)))
        patience = self.setting.patience[:, None]
        for weight, m in zip(self.weights, self.moments, strict=True):
            flow, served = np.maximum(m.flow, 1e-200 * m.on_show), m.expected[..., SERVED]
            left = np.where(np.isfinite(patience), 1.0 - served, 0.0)
            gone = left * np.where(np.isfinite(patience), patience, 0.0)
            parts = np.stack([flow * (m.expected[..., TIME] - gone), flow * served])
            total += weight * np.stack([self.by_class(part) for part in parts])
        return np.divide(total[0], total[1], out=np.full(total[0].shape, np.nan),
                         where=total[1] > 0.0)  # fmt: skip

    @cached_property
    def on_time(self) -> Floats:
        """Probability of an answer in time, shape [K, O]."""
        return self.per_task(TIMELY)

    @cached_property
    def served(self) -> Floats:
        """Probability of being served, shape [K, O]."""
        return self.per_task(SERVED)

    @cached_property
    def wait(self) -> Floats:
        """Mean wait for a slot, s, shape [S], at the mean of moments."""
        return np.asarray(self._mean([m.state[:, 1] * m.state[:, 2] for m in self.moments]))

    @cached_property
    def load(self) -> Floats:
        """Work offered to each seller per second over what it can serve, shape [S]."""
        loads = [
            self.by_seller((m.flow * r.work).sum(axis=0)) / r.limits
            for r, m in zip(self.responses, self.moments, strict=True)
        ]
        return np.asarray(self._mean(loads))

    @cached_property
    def paid(self) -> Floats:
        """Mean payment for a task given to an offer, net of refunds, USD, shape [K, O]."""
        sums = self._mean(
            [m.flow * a.paid for m, a in zip(self.moments, self.accounts, strict=True)]
        )
        flow = self.flow
        return np.divide(self.by_class(sums), flow, out=self.charges.ask.copy(), where=flow > 0.0)

    @cached_property
    def revenue(self) -> Floats:
        """What each seller is left of payments after commission, USD/s, shape [S]."""
        return self.by_seller(self._mean([a.revenue for a in self.accounts]))

    @cached_property
    def cost(self) -> Floats:
        """Cost of serving, USD/s, shape [S]."""
        return self.by_seller(self._mean([a.cost for a in self.accounts]))

    @cached_property
    def fixed(self) -> Floats:
        """Rent and fixed cost of each seller, USD/s, shape [S]."""
        slots = np.where(np.isfinite(self.charges.slots), self.charges.slots, 0.0)
        rent = np.array([s.rent for s in self.setting.market.sellers]) * slots
        return np.asarray(rent + [s.fixed_cost for s in self.setting.market.sellers]) / 3600.0

    @cached_property
    def profit(self) -> Floats:
        """Profit of each seller, USD/s, shape [S]."""
        return self.revenue - self.cost - self.fixed

    @cached_property
    def platform(self) -> float:
        """Revenue of the platform, USD/s."""
        return float(self._mean([a.platform for a in self.accounts]))

    @cached_property
    def surplus(self) -> Floats:
        """Surplus of the buyers of each class, USD/s, shape [K]."""
        return self.by_class(self._mean([a.surplus for a in self.accounts]))

    @cached_property
    def welfare(self) -> float:
        """Buyers' surplus, profits and the platform's revenue, USD/s."""
        return float(self.surplus.sum() + self.profit.sum()) + self.platform

    @cached_property
    def owner_profit(self) -> Floats:
        """Profit of each owner, USD/s, in the order of `setting.owners`."""
        out = np.zeros(len(self.setting.owners))
        np.add.at(out, self.setting.owner_of, self.profit)
        return out


def per_task(response: Response, expected: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what a task given to an offer pays, leaves its seller and costs it, USD, each [J, O].

    Buyers pay net of refunds and penalties; the seller is left what commission and advertising
    leave, and bears penalties alone.
    """
    st, served = response.setting, expected[..., SERVED]
    k = st.class_of
    paid = response.paid(expected, st.right[k])
    penalty = np.zeros_like(paid)
    if response.charges.refunds:
        penalty = st.state.sellers["penalty"][st.seller_of] * (served - expected[..., KEPT])
    fee = st.state.cells["fee"][k] * served
    return paid, (paid + penalty) * st.keep - penalty - fee, st.cost[k] * served


def account(response: Response, flows: Flows) -> Accounts:
    """Return what flows come to, by the accuracy that is so rather than the one that is quoted."""
    st, flow, e = response.setting, flows.flow, flows.expected
    k = st.class_of
    right, loss = st.right[k], st.state.classes["loss"][k, None]
    paid, kept, cost = (x * flows.on_show for x in per_task(response, e))
    quoted = response.quoted(e)
    value, delay, surplus, taste = (np.zeros(len(k)) for _ in range(4))
    for j, choice in enumerate(flows.choices):
        on, rate = flows.on_show[j], response.arrivals[j]
        told = (
            choice.value @ quoted.gain[j, on] - choice.delay @ quoted.time[j, on]
            - choice.share[:-1] @ quoted.base[j, on]
        )  # fmt: skip
        share, r = choice.share[:-1], right[j, on]
        worth = choice.value @ (r * e[j, on, DELTA])
        worth -= share @ ((1.0 - r) * loss[j] * e[j, on, USED])
        waited = choice.delay @ e[j, on, TIME]
        taste[j] = rate * (choice.surplus - told) if not st.argmax[k[j]] else 0.0
        value[j], delay[j] = rate * worth, rate * waited
        surplus[j] = value[j] - delay[j] - rate * (share @ paid[j, on]) + taste[j]
    return Accounts(
        margin=kept - cost, paid=paid, revenue=(flow * kept).sum(axis=0),
        cost=(flow * cost).sum(axis=0), surplus=surplus, value=value, delay=delay, taste=taste,
        platform=float((flow * (paid - kept)).sum()),
    )  # fmt: skip


def solve(
    setting: Setting, charges: Charges | None = None, start: Selection | None = None,
    tolerance: float = TOLERANCE,
) -> Selection:  # fmt: skip
    """Return the selection equilibrium of a market.

    Args:
        setting: the market.
        charges: prices and what else buyers go by; as the spec has them when absent.
        start: an equilibrium nearby, of the same moments or of one, which saves steps.
        tolerance: largest residual, as a share of all arrivals.

    Returns:
        The equilibrium, which says whether it `converged`, its `residual` and `iterations`, and
        which sellers are `saturated`.

    Example:
        >>> from walras.market.fluid.setting import setting_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0, choice=Logit(0.5))
        >>> found = solve(setting_of(Market(tasks=[ask], sellers=[Seller("one", accuracy=0.5)])))
        >>> found.share.round(6).tolist(), found.converged
        ([[0.731059, 0.268941]], True)
    """
    charges = setting.charges() if charges is None else charges
    found: list[Flows] = []
    nearby = () if start is None else start.moments
    each = len(nearby) == len(setting.moments)
    for i, (_, rates) in enumerate(setting.moments):
        before = nearby[i] if each else _most_alike([*nearby, *found], rates)
        found.append(select(setting, charges, rates, before, tolerance=tolerance))
    weights = np.array([weight for weight, _ in setting.moments])
    return Selection(setting, charges, weights, tuple(found))


def _most_alike(found: list[Flows], rates: Floats) -> Flows | None:
    """Return the equilibrium whose arrivals are most like some rates; None if there is none."""

    def apart(flows: Flows) -> float:
        both = np.maximum(flows.rates + rates, 1e-300)
        return float((np.abs(flows.rates - rates) / both).sum())

    return min(found, key=apart, default=None)


def slopes_of(selection: Selection, moment: int) -> Slopes:
    """Return the derivatives at one moment of an equilibrium."""
    response, flows = selection.responses[moment], selection.moments[moment]
    expected, idle, later = response.expected(flows.state)
    choices = response.choose(response.quoted(expected), moves=True)
    return slopes_at(response, flows.flow, flows.state, idle, later, choices)
