"""The equilibrium of a market: prices solved, compared with the planner's market, certified.

Prices come from the fluid market, the verdict from the event market. A point without a certificate
is a candidate; nothing here calls it more.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...market.fluid.solve import Selection
from ...market.schema.errors import BadInputError, Problem
from ...market.schema.market import Market
from ...scenarios.load import market_of
from ...scenarios.result import Result
from ..certificate.certificate import Certificate, certify
from .deviations import Deviation, best_deviation
from .game import Game, game_of
from .gap import Gap
from .measures import HOUR, diversion, measures
from .planner import Plan
from .pricing import PricePoint, price_equilibrium
from .tested import deviations_of
from .yardsticks import Yardsticks

TOLERANCE = 1e-3
"""Gain that does not matter, as a share of the player's payoff, unless said otherwise."""
LEAST = 0.005
"""Share below which an offer of a class, or a pair of sellers, stands in no table."""


@dataclass(frozen=True)
class Equilibrium:
    """A candidate point, what the planner would do instead, and what simulation says of it.

    Attributes:
        market: the spec with the point's prices posted.
        point: the prices and how they were found.
        beside: what it is set beside, each solved when it is asked for.
        certificate: what paired runs of the event market say; None if none were asked for.
        joint: prices at which the sum of all profits is largest; None if they were not looked for.
        simulated: one run of the event market at the point; None if there is none.
        manifest: what it came from: command and seed, as far as known.
    """

    market: Market
    point: PricePoint
    beside: Yardsticks
    certificate: Certificate | None = None
    joint: PricePoint | None = None
    simulated: Result | None = None
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def selection(self) -> Selection:
        """Shares and delays at the point."""
        return self.point.selection

    @property
    def posted(self) -> Selection:
        """Shares and delays at the prices posted in the spec."""
        return self.beside.posted

    @property
    def posted_deviation(self) -> Deviation:
        """The best deviation from those, in the fluid market."""
        return self.beside.posted_deviation

    @property
    def planner(self) -> Plan:
        """The planner's market, at mean rates of arrival."""
        return self.beside.planner

    @property
    def gap(self) -> Gap:
        """The planner's welfare less the point's, and its parts, at mean rates of arrival."""
        return self.beside.gap

    @property
    def approximate(self) -> tuple[str, ...]:
        """Why the fluid market is not exact here; empty where it is."""
        return self.selection.setting.approximate

    @property
    def tolerance(self) -> float:
        """Gain that does not matter, as a share of a player's payoff."""
        if self.certificate is not None:
            return self.certificate.tolerance
        return float(self.manifest.get("solved", {}).get("tolerance", TOLERANCE))

    @property
    def certified(self) -> bool:
        """Whether simulation has certified the point."""
        return self.certificate is not None and self.certificate.verdict == "certified"

    @property
    def text(self) -> str:
        """What is known of the point, in one line."""
        if self.certificate is None:
            found = "a candidate that nothing certifies"
            return found if self.point.converged else f"{found}: {self.point.why}"
        return self.certificate.text

    @cached_property
    def offers(self) -> pd.DataFrame:
        """Who serves what: one row per task class and offer that serves some of it.

        Columns: task, offer, share, price (USD/task), cost (USD/task), markup (Lerner index),
        sojourn (s), on_time, planner (share that the planner would give it).
        """
        sel, plan_ = self.selection, self.planner.selection
        rows = []
        for k, task in enumerate(self.market.tasks):
            for o, offer in enumerate([*_offers(sel), "outside"]):
                share, wanted = float(sel.share[k, o]), float(plan_.share[k, o])
                if max(share, wanted) < LEAST:
                    continue
                row: dict[str, Any] = {"task": task.name, "offer": offer, "share": share}
                if offer != "outside":
                    paid, cost = float(sel.paid[k, o]), float(sel.setting.cost[k, o])
                    row |= {
                        "price": paid, "cost": cost,
                        "markup": 1.0 - cost / paid if paid else np.nan,
                        "sojourn": float(sel.sojourn[k, o]), "on_time": float(sel.on_time[k, o]),
                    }  # fmt: skip
                rows.append({**row, "planner": wanted})
        columns = [
            "task",
            "offer",
            "share",
            "price",
            "cost",
            "markup",
            "sojourn",
            "on_time",
            "planner",
        ]
        table = pd.DataFrame(rows, columns=columns)
        table.attrs["units"] = {
            "share": "ratio", "price": "USD/task", "cost": "USD/task", "markup": "ratio",
            "sojourn": "s", "on_time": "probability", "planner": "ratio",
        }  # fmt: skip
        return table

    @cached_property
    def levers(self) -> pd.DataFrame:
        """Prices: one row per lever.

        Columns: lever, owner, unit (of the price), posted, unit_cost, price, markup (Lerner index
        at the unit cost), profit (USD/h, of the seller before fixed cost), load (ratio), wait (s).
        """
        game, sel = self.point.game, self.selection
        first = [int(np.flatnonzero(game.group == g)[0]) for g in range(len(game.levers))]
        seller = sel.setting.seller_of[first]
        prices = self.point.prices
        units = [
            "USD/Mtok" if self.market.sellers[s].price.by_token else "USD/task" for s in seller
        ]
        table = pd.DataFrame({
            "lever": game.levers, "owner": [game.names(g) for g in range(len(prices))],
            "unit": units, "posted": game.posted, "unit_cost": game.unit_cost, "price": prices,
            "markup": 1.0 - game.unit_cost / prices,
            "profit": (sel.revenue - sel.cost)[seller] * HOUR, "load": sel.load[seller],
            "wait": sel.wait[seller],
        })  # fmt: skip
        table.attrs["units"] = {
            "markup": "ratio",
            "profit": "USD/h",
            "load": "ratio",
            "wait": "s",
        }
        return table

    @cached_property
    def measures(self) -> dict[str, float]:
        """The point's measures (`measures.measures`) and what it is compared with, as ratios.

        Of the planner's welfare the market makes a share, one over which is the price of anarchy.
        Exploitability is the largest gain that any owner has by one other price, a share of its
        profit (`PricePoint.epsilon`). The gain of posted prices, Δ = (Σπ − Σπᴺ)/(Σπᴹ − Σπᴺ) with N
        the point and M joint-profit prices (Calvano et al. 2020, of all profits together), is nan
        without those.
        """
        planned = self.planner.selection.welfare
        return {
            **measures(self.selection), "planner": planned * HOUR,
            "welfare_share": self.gap.market / self.gap.planner if self.gap.planner > 0 else np.nan,
            "price_of_anarchy": self.gap.price_of_anarchy,
            "posted_welfare": self.posted.welfare * HOUR,
            "exploitability": self.point.epsilon, "profit_gain": self._profit_gain,
        }  # fmt: skip

    @cached_property
    def diversion(self) -> pd.DataFrame:
        """Where a seller's tasks go when it is dearer (`measures.diversion`)."""
        return diversion(self.selection)

    @property
    def _profit_gain(self) -> float:
        if self.joint is None:
            return float("nan")
        posted, nash, joint = (
            float(s.profit.sum()) for s in (self.posted, self.selection, self.joint.selection)
        )
        return (posted - nash) / (joint - nash) if joint > nash else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for `--json`; of diversion what is not next to nothing."""
        c, away = self.certificate, self.diversion
        return {
            "scenario": self.market.name, "text": self.text, "converged": self.point.converged,
            "why": self.point.why, "iterations": self.point.iterations,
            "residual": self.point.residual, "approximate": list(self.approximate),
            "measures": self.measures,
            "gap": {name: part * HOUR for name, part in self.gap.parts.items()},
            "levers": self.levers.to_dict("records"), "offers": self.offers.to_dict("records"),
            "diversion": away[away["diversion"].abs() >= LEAST].to_dict("records"),
            "certificate": None if c is None else {
                "verdict": c.verdict, "epsilon": c.epsilon, "lower": c.lower, "upper": c.upper,
                "lower_usd": c.lower_usd, "upper_usd": c.upper_usd,
                "worst": c.worst, "tolerance": c.tolerance, "alpha": c.alpha,
                "replications": c.replications, "looks": c.looks, "tasks": c.tasks,
                "seconds": c.seconds, "reason": c.reason,
                "deviations": c.deviations.to_dict("records"),
            },
        }  # fmt: skip


def _offers(selection: Selection) -> list[str]:
    return selection.setting.market.offers


def equilibrium(
    market: Market | str | os.PathLike[str], *, fixed: Sequence[str] = (),
    levers: Literal["seller", "offer"] = "seller", joint: bool | Sequence[Sequence[str]] = False,
    prices: Literal["solved", "posted"] = "solved", certificate: bool = True,
    tolerance: float = TOLERANCE, budget: int = 100_000_000, seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Equilibrium:  # fmt: skip
    """Solve the equilibrium of a market and let simulation certify or refute it.

    Args:
        market: the spec, or a scenario's name or file.
        fixed: sellers whose prices stay as posted; those who post 0 do so anyway.
        levers: whether a seller has one lever or each of its offers has one.
        joint: whether all owners maximise the sum of their profits, or which groups of owners do.
        prices: the point looked at: the solved one, or the posted prices as they are.
        certificate: whether to run the certificate.
        tolerance: gain that does not matter, a share of the player's payoff.
        budget: tasks that the certificate may simulate.
        seed: of its runs.
        progress: called with (tasks so far, budget).

    Raises:
        BadInputError: a name is unknown, or the fluid market has no rule for what the market does.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> two = [
        ...     Seller(n, accuracy=1.0, slots="unlimited", price={"task": 1.5}, cost={"task": 1})
        ...     for n in "ab"
        ... ]
        >>> found = equilibrium(Market(tasks=[ask], sellers=two), certificate=False)
        >>> found.levers["price"].round(6).tolist(), found.text
        ([1.472927, 1.472927], 'a candidate that nothing certifies')
    """
    if prices not in ("solved", "posted"):
        problem = f'prices is "{prices}"; it must be "solved" or "posted"'
        raise BadInputError([Problem("W105", problem, field="prices")])
    if not 0.0 < tolerance < math.inf:
        problem = f"tolerance is {tolerance!r}; it must be a share above 0"
        raise BadInputError([Problem("W103", problem, field="tolerance")])
    market = market_of(market)
    game = game_of(market, fixed=fixed, levers=levers, joint=joint)
    if prices == "posted":
        posted = game.solve(game.posted)
        point = PricePoint(
            game, game.posted, posted, posted.converged, 0, 0.0,
            best_deviation(game, game.posted, posted), path=game.posted[None, :],
        )  # fmt: skip
    else:
        point = price_equilibrium(game)
    found = of_point(point, None if levers == "seller" else market)
    if not certificate or levers != "seller":
        return found
    checked = certify(
        found.market, deviations_of(point, found.market), tolerance=tolerance, budget=budget,
        seed=seed, progress=progress,
    )  # fmt: skip
    return replace(found, certificate=checked)


def of_point(point: PricePoint, market: Market | None = None) -> Equilibrium:
    """Return an equilibrium of which nothing but the point is known yet.

    Args:
        point: the prices and how they were found.
        market: the spec; that with the point's prices posted when absent.
    """
    market = point.game.market_at(point.prices) if market is None else market
    return Equilibrium(market, point, Yardsticks(point))


__all__ = ["HOUR", "Equilibrium", "Game", "equilibrium", "of_point"]
