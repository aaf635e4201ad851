"""A market as the fluid model takes it: kinds of tasks, offers and sellers as arrays.

All of it is read from the kernel's own state, so that both go by one set of numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import build
from ..rules import refund_share
from ..schema.demand import Argmax, Logit
from ..schema.errors import BadInputError, Problem
from ..schema.market import Market, PostedPrice
from ..state import FCFS, LOGIT, PROMISED
from .exactness import why_not_exact
from .money import Money, money_of
from .population import Floats, moments_of, times_of

Flags = NDArray[np.bool_]
SUBSETS = 32
"""Random lists of offers that stand for all that a platform may show."""
_CLOSE = 2.0
"""Width of the points of values, in scales of taste: sums of logistic curves then are integrals."""
_BUSY = 2.0
"""Time to an answer that is reckoned with, in those of idle sellers."""


@dataclass(frozen=True)
class Charges:
    """What buyers are charged and go by, as far as it can be changed.

    Attributes:
        ask: price of a mean task, USD, shape [K, O].
        slope: by how much it rises with a token of work, USD, shape [K, O].
        right: accuracy that buyers reckon with, shape [K, O].
        refunds: whether refunds and penalties are paid.
        listed: which offers are on the market, shape [O].
        slots: streams that sellers serve at once, shape [S].
        everything: whether buyers consider every offer, whatever the platform shows.
        trusting: whether buyers go by promises of latency where they are quoted.
    """

    ask: Floats
    slope: Floats
    right: Floats
    refunds: bool
    listed: Flags
    slots: Floats
    everything: bool = False
    trusting: bool = True


@dataclass(frozen=True)
class Setting:
    """K classes, J kinds (a class, a deadline, a patience), S sellers, O offers, as arrays.

    Attributes:
        market: the spec.
        state: the kernel's state before its first task.
        class_of: class of each kind, shape [J].
        deadline: of each kind, s, shape [J].
        patience: of each kind, s, shape [J].
        part: share of its class's tasks that are of the kind, shape [J].
        serves: whether an offer serves a kind, shape [J, O].
        order: place of an offer in the list that is drawn for a kind, shape [J, O].
        money: values and delay costs of each class.
        right: true accuracy, shape [K, O].
        work: mean work, seconds of one stream alone, shape [K, O].
        second: mean square of the work, s², shape [K, O].
        cost: expected cost of serving a task, USD, shape [K, O].
        unit: what the lever is multiplied by in the price of a mean task, shape [K, O].
        rest: what else a mean task is charged, USD, shape [K, O].
        until: patience of the pieces of each seller's queue, s, shape [N]; the last is infinite.
        piece: which of them a kind's patience is, shape [J].
        moments: weights of the moments at which demand is taken, and its rates then, tasks/s [K].
        all_lists: whether the lists of offers that are drawn are all there are.
        events: whether the market's events are left out.
    """

    market: Market
    state: Any
    class_of: NDArray[np.int64]
    deadline: Floats
    patience: Floats
    part: Floats
    serves: Flags
    order: NDArray[np.int64]
    money: list[Money]
    right: Floats
    work: Floats
    second: Floats
    cost: Floats
    unit: Floats
    rest: Floats
    until: Floats
    piece: NDArray[np.int64]
    moments: list[tuple[float, Floats]]
    all_lists: bool = True
    events: bool = False

    @cached_property
    def seller_of(self) -> NDArray[np.int64]:
        """Seller of each offer, shape [O]."""
        return np.asarray(self.state.offers["seller"], np.int64).copy()

    @cached_property
    def owners(self) -> list[str]:
        """Owners in the order in which their first sellers are listed."""
        return list(dict.fromkeys(seller.owned_by for seller in self.market.sellers))

    @cached_property
    def owner_of(self) -> NDArray[np.int64]:
        """Owner of each seller, shape [S]."""
        return np.array([self.owners.index(s.owned_by) for s in self.market.sellers])

    @cached_property
    def level(self) -> NDArray[np.int64]:
        """Queue level of each kind where sellers honour it, shape [J]."""
        levels = sorted({task.priority for task in self.market.tasks})
        if (self.state.sellers["discipline"] == FCFS).all():
            return np.zeros(len(self.class_of), np.int64)
        of_class = np.array([levels.index(task.priority) for task in self.market.tasks])
        return np.asarray(of_class[self.class_of])

    @cached_property
    def promised(self) -> Flags:
        """Whether buyers go by a promise of latency, shape [S]."""
        return np.asarray(self.state.sellers["quote"] == PROMISED)

    @cached_property
    def argmax(self) -> Flags:
        """Whether buyers of a class have no tastes, shape [K]."""
        return np.asarray(self.state.classes["choice"] != LOGIT)

    @cached_property
    def levers(self) -> Floats:
        """The lever of each offer as posted: USD/Mtok of output or USD/task, shape [O]."""
        posted = np.array([seller.price.lever for seller in self.market.sellers])
        return np.asarray(posted[self.seller_of])

    def at_mean(self) -> Setting:
        """Return the same market with demand at its mean rates."""
        if len(self.moments) == 1:
            return self
        mean = np.sum([weight * rates for weight, rates in self.moments], axis=0)
        return replace(self, moments=[(1.0, mean)])

    @property
    def keep(self) -> float:
        """Share of a payment that the seller keeps."""
        return 1.0 - self.market.platform.commission

    def charges(self, levers: Floats | None = None, **changes: Any) -> Charges:
        """Return the charges at given levers, shape [O]; those posted when absent.

        Args:
            levers: USD/Mtok of output or USD/task.
            changes: other attributes of `Charges`, as they differ from the spec's.
        """
        levers = self.levers if levers is None else np.asarray(levers, dtype=np.float64)
        plain = Charges(
            ask=levers * self.unit + self.rest, slope=levers * self.unit_slope + self.rest_slope,
            right=self._quoted,
            refunds=True,
            listed=np.ones(len(levers), dtype=bool),
            slots=np.array([seller.slots for seller in self.market.sellers], dtype=np.float64),
        )  # fmt: skip
        return replace(plain, **changes)

    @cached_property
    def _slopes(self) -> tuple[Floats, Floats]:
        """By how much price rises with a token of work: per unit of the lever, and beside it."""
        offers, cells = self.state.offers, self.state.cells
        slope = (
            offers["price_in"] * cells["in_per_work"] + offers["price_out"] * cells["out_per_work"]
        )
        if self.market.quotes.price == "exact":
            slope = np.zeros_like(slope)
        by_token = np.array([seller.price.by_token for seller in self.market.sellers])
        moves = by_token[self.seller_of]
        return np.where(moves, slope / np.where(moves, self.levers, 1.0), 0.0), np.where(
            moves, 0.0, slope
        )

    @property
    def unit_slope(self) -> Floats:
        """What the lever is multiplied by in the rise of price per token of work, shape [K, O]."""
        return self._slopes[0]

    @property
    def rest_slope(self) -> Floats:
        """What else the price rises by with a token of work, USD, shape [K, O]."""
        return self._slopes[1]

    @cached_property
    def _quoted(self) -> Floats:
        """Accuracy that buyers reckon with; ratings have come to be true."""
        claimed = self.market.quotes.accuracy == "claimed"
        return np.asarray(self.state.cells["claim"]) if claimed else self.right

    @cached_property
    def refunds(self) -> Floats:
        """Share paid back by each offer, by whether late and whether right, shape [2, 2, O]."""
        paid_back = np.array([
            [[refund_share(late, right, float(s["refund_late"]), float(s["refund_wrong"]))
              for s in self.state.sellers] for right in (False, True)]
            for late in (False, True)
        ])  # fmt: skip
        return np.asarray(paid_back[:, :, self.seller_of])

    def shown(self, charges: Charges) -> Flags:
        """Return which offers each kind considers, shape [J, O]."""
        on_show = self.serves & charges.listed
        by = self.market.platform.ranking
        for k, task in enumerate(self.market.tasks):
            if charges.everything or not self.few(k):
                continue
            ask, sponsor = charges.ask[k], self.state.sellers["sponsor"][self.seller_of]
            merit = {
                "price": ask, "accuracy": -self.state.cells["claim"][k], "rating": -self.right[k],
                "sponsored": -sponsor,
            }  # fmt: skip
            for j in np.flatnonzero(self.class_of == k):
                row = np.flatnonzero(on_show[j])
                order = np.lexsort(
                    (ask[row], (self.order[j] if by == "random" else merit[by])[row])
                )
                on_show[j, row[order[task.consideration :]]] = False
        return on_show

    def few(self, k: int) -> bool:
        """Return whether buyers of a class are shown fewer offers than there are for them."""
        most = self.market.tasks[k].consideration
        return most is not None and most < int((self.state.cells["serves"][k] == 1).sum())

    @cached_property
    def approximate(self) -> tuple[str, ...]:
        """Why the fluid market is not exact here; empty where it is."""
        return tuple(dict.fromkeys(why_not_exact(self)))


def setting_of(market: Market) -> Setting:
    """Return a market as the fluid model takes it.

    Raises:
        BadInputError: the market is not one of posted prices, or buyers search, hold contracts or
            choose by a Python rule.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> setting = setting_of(Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)]))
        >>> setting.serves.shape, setting.approximate[0]
        ((1, 1), 'quotes are observed, and what buyers see of a queue is taken at its mean')
    """
    _check(market)
    state, *_ = build.build(market, 0)
    events = bool(market.events)
    market = market.model_copy(update={"events": ()})
    cells, sellers, of = state.cells, state.sellers, state.offers["seller"]
    true = market.model_copy(
        update={"quotes": market.quotes.model_copy(update={"accuracy": "true"})}
    )
    right = state.cells["accuracy"]
    if market.quotes.accuracy != "true":
        right = build.build(true, 0)[0].cells["accuracy"]
    orders, all_lists = _orders(market, state)
    kinds = [
        (k, d, p, w / len(orders[k]), row)
        for k, task in enumerate(market.tasks) for d, p, w in times_of(task) for row in orders[k]
    ]  # fmt: skip
    patience = np.array([p for _, _, p, _, _ in kinds])
    until = np.unique(np.append(patience, math.inf))
    levers = np.array([seller.price.lever for seller in market.sellers])[of]
    unit = _units(market, state)
    speed = sellers["speed"][of]
    works = state.works
    return Setting(
        market=market, state=state, class_of=np.array([k for k, *_ in kinds]),
        deadline=np.array([d for _, d, *_ in kinds]), patience=patience,
        part=np.array([w for *_, w, _ in kinds]), order=np.array([row for *_, row in kinds]),
        serves=(cells["serves"] == 1)[[k for k, *_ in kinds]], money=_monies(market, state),
        right=np.asarray(right).copy(), work=works["mean"] / speed,
        second=(works["variance"] + works["mean"] ** 2) / speed**2,
        cost=cells["cost"] * sellers["factor"][of], unit=unit, rest=cells["ask"] - levers * unit,
        until=until, piece=np.searchsorted(until, patience), moments=moments_of(market.tasks),
        all_lists=all_lists, events=events,
    )  # fmt: skip


def _monies(market: Market, state: Any) -> list[Money]:
    """Return the values and delay costs of each class, as close as its tastes ask for."""
    found, of = [], state.sellers[state.offers["seller"]]
    times = (of["outside"] + state.works["mean"] / of["speed"]) * (state.cells["serves"] == 1)
    for task, time in zip(market.tasks, _BUSY * times.max(axis=1), strict=True):
        argmax = isinstance(task.choice, Argmax)
        width = math.inf if argmax else _CLOSE * task.choice.scale * task.choice.nest  # type: ignore[union-attr]
        found.append(money_of(task, argmax=argmax, width=width, time=max(float(time), 1e-300)))
    return found


def _units(market: Market, state: Any) -> Floats:
    """Return what the lever is multiplied by in the price of a mean task, shape [K, O]."""
    cells, unit = state.cells, np.ones(state.cells.shape)
    for o, s in enumerate(state.offers["seller"]):
        posted = market.sellers[s].price
        if posted.by_token:  # per million output tokens; the input price moves along
            ratio = posted.input / posted.output
            unit[:, o] = (ratio * cells["tokens_in"][:, o] + cells["billed_out"][:, o]) / 1e6
    return unit


def _orders(market: Market, state: Any) -> tuple[list[NDArray[np.int64]], bool]:
    """Return the orders in which offers are drawn for each class, [lists, O], and if that is all.

    All orders that make a difference if they are few; else laps of random orders, each list going
    on where the one before it ended, so that every offer is shown about as often.
    """
    found, complete = [], True
    for k, task in enumerate(market.tasks):
        which = np.flatnonzero(state.cells["serves"][k] == 1)
        count, most = len(which), task.consideration
        if most is None or most >= count or market.platform.ranking != "random":
            found.append(np.zeros((1, state.cells.shape[1]), np.int64))
            continue
        if math.comb(count, most) <= SUBSETS:
            heads = [list(head) for head in combinations(which, most)]
            lists = [[*head, *(o for o in which if o not in head)] for head in heads]
        else:
            complete, rng, lists = False, np.random.default_rng([k, most]), []
            for i in range(SUBSETS):
                at = i % math.ceil(count / most)
                if at == 0:
                    lap = rng.permutation(which)
                lists.append(list(np.roll(lap, -at * most)))
        order = np.zeros((len(lists), state.cells.shape[1]), np.int64)
        for row, list_ in zip(order, lists, strict=True):
            row[list_] = np.arange(count)
        found.append(order)
    return found, complete


def _check(market: Market) -> None:
    """Raise BadInputError where the fluid model has no rule for what the market does."""
    problems = []
    if not isinstance(market.mechanism, PostedPrice):
        kind = getattr(market.mechanism, "kind", "a Python function")
        problems.append(_problem("mechanism", f"the fluid market has posted prices, not {kind}"))
    if market.platform.search_cost > 0:
        problems.append(
            _problem("platform.search_cost", "the fluid market has no costly search; set it to 0")
        )
    if market.contracts:
        problems.append(
            _problem(
                "contracts", f"the fluid market has no contracts, and {market.contracts[0]} is one"
            )
        )
    for task in market.tasks:
        if not isinstance(task.choice, (Argmax, Logit)):
            what = "the fluid market knows choice by argmax or logit, not by a Python rule"
            problems.append(_problem(f"tasks.{task.name}.choice", what))
        if not math.isfinite(task.arrivals.mean_rate):
            what = "the rate of arrivals of a trace in a file is not known before it is read"
            problems.append(_problem(f"tasks.{task.name}.arrivals", what))
    if problems:
        raise BadInputError(problems)


def _problem(field_: str, message: str) -> Problem:
    return Problem("W106", message, field=field_)
