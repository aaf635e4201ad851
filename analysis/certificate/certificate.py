"""The certificate: could anybody gain by deviating from a candidate point, and how much at most?

Each deviation is run beside the candidate point in the event market, on common random numbers,
each at its own stationary state. The largest gain ε over the set is bounded from both sides; the
bounds hold for all deviations together and at any time of stopping (`bounds`, `race`).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ...market.schema.fields import whole
from ...market.schema.market import Market
from .deviations import Deviation
from .plan import FLOOR, Plan, plan_for
from .race import FIRST, Look, race

CERTIFIED, REFUTED, UNDECIDED = "certified", "refuted", "undecided"
Progress = Callable[[int, int], None]
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known of the largest unilateral gain at a candidate point.

    Gains are shares of the player's payoff at that point (profit of an owner, surplus of a class),
    or of `FLOOR` of all payments in the market where that is more.

    Attributes:
        verdict: "certified" (no gain above the tolerance), "refuted" or "undecided".
        epsilon: estimate of the largest gain, 0 if none is seen; nan without a look.
        lower, upper: bounds on it, which hold with confidence 1 − alpha whenever one stops.
        lower_usd, upper_usd: bounds on the largest gain in money, USD/h.
        worst: the deviation that refutes, or the one that may gain most.
        tolerance: gain that does not matter.
        alpha: chance that some bound fails.
        deviations: a row per deviation: side, player, kind, deviation; gain, error, lower, upper
            (shares of scale); scale and `gain_usd` (USD/h); warmup (s), replications, drift (change
            of the gain from one half of the measured time to the other, share of scale), state:
            "within" the tolerance, "above" it, "open", or "doubtful", still drifting.
        replications: of those deviations that were run longest.
        looks: at the data.
        tasks: simulated, of all runs.
        seconds: it took.
        reason: why it is undecided.
    """

    verdict: str
    epsilon: float
    lower: float
    upper: float
    lower_usd: float
    upper_usd: float
    worst: str
    tolerance: float
    alpha: float
    deviations: pd.DataFrame = field(repr=False)
    replications: int
    looks: int
    tasks: int
    seconds: float
    reason: str = ""

    @property
    def text(self) -> str:
        """The verdict in one line, with the tolerance and what it rests on."""
        between = f"the largest gain is between {self.lower:.3%} and {self.upper:.3%} "
        said = {
            CERTIFIED: f"certified at ε = {self.upper:.3%} ({self.upper_usd:.3g} USD/h)",
            REFUTED: f"refuted by deviation: {self.worst} gains {self.lower:.3%} at least",
            UNDECIDED: f"undecided: {between if self.looks else ''}({self.reason})",
        }[self.verdict]
        return (
            f"{said}; tolerance {self.tolerance:.3%} of the player's payoff or of {FLOOR:.0%} of "
            f"all payments, {1.0 - self.alpha:.0%} confidence over {len(self.deviations)} "
            f"deviations together, {self.replications} replications, {self.tasks:,} tasks"
        )


def certify(
    market: Market, deviations: Sequence[Deviation] | None = None, *, tolerance: float = 1e-3,
    alpha: float = 0.05, budget: int = 500_000_000, seed: int = 0,
    progress: Progress | None = None,
) -> Certificate:  # fmt: skip
    """Bound what anybody could gain by deviating alone from a market's posted prices.

    Strategies and events of the spec are left out: a candidate point is constant.

    Args:
        market: the candidate point; its prices, menus, slots and choice rules are what is tested.
        deviations: the set; by default prices, efforts and slots of every seller and the choices
            of a few buyers (`deviations.all_deviations`).
        tolerance: gain that does not matter, a share of the player's payoff.
        alpha: chance that any bound fails: of all deviations, at any look.
        budget: tasks to simulate at most.
        seed: of all runs; a larger budget with the same seed goes on where this one stopped.
        progress: called with (tasks so far, budget) after each replication of all.

    Raises:
        ValueError: an argument is out of range; the market has no posted prices, no steady state,
            or rules that the engine alone cannot run.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> from walras.analysis.certificate.deviations import price_deviations
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=2.0, choice=Logit(scale=0.25))
        >>> shop = {"accuracy": 1.0, "slots": "unlimited", "cost": {"task": 1.0}}
        >>> dear = [Seller(n, price={"task": 1.9}, **shop) for n in ("one", "two")]
        >>> market = Market(tasks=[ask], sellers=dear)
        >>> found = certify(market, list(price_deviations(market, [0.9])))
        >>> found.verdict, found.worst, round(found.epsilon, 2)
        ('refuted', 'price of one × 0.9', 0.18)
    """
    for name, value, high in (("tolerance", tolerance, math.inf), ("alpha", alpha, 1.0)):
        if not 0.0 < value < high:
            raise ValueError(f"{name} is {value}; it must be a share above 0 and below {high:g}")
    whole("budget", budget, 1, 10**15, "10^15 tasks")
    whole("seed", seed, 0, 2**63 - 1, "2^63 − 1")
    begin = time.monotonic()
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as threads:
        try:
            plan = plan_for(market, deviations, seed, threads)
            if progress is not None:
                plan.progress = lambda tasks: progress(tasks, budget)
            look, reason = _race(plan, threads, tolerance, alpha, budget)
        except BaseException:  # what waits for a thread would be run to its end first
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return _certificate(plan, look, reason, tolerance, alpha, time.monotonic() - begin)


def _race(
    plan: Plan, threads: Executor, tolerance: float, alpha: float, budget: int
) -> tuple[Look | None, str]:
    """Return the last look that was taken, and why no more were if the question is open."""
    look, reason = None, _no_more(plan, None, budget)
    if reason:
        return None, reason
    for look in race(
        lambda first, last, active: plan.draw(first, last, active, threads),
        len(plan.deviations), tolerance, alpha,
    ):  # fmt: skip
        reason = _no_more(plan, look, budget)
        if look.above.any() or reason:
            break
    return look, reason


def _no_more(plan: Plan, look: Look | None, budget: int) -> str:
    """Return why the next look is not worth it or not allowed; nothing if it is."""
    active = range(len(plan.deviations)) if look is None else np.flatnonzero(~look.settled)
    if look is not None and look.doubtful[active].all() and len(active):
        return "gains still drift within the measured time, which more replications don't change"
    cost = (FIRST if look is None else look.replications) * plan.cost(active)
    if plan.tasks + cost <= budget:
        return ""
    return f"the next look takes {cost:,.0f} more tasks, beyond the budget of {budget:,}"


def _certificate(
    plan: Plan, look: Look | None, reason: str, tolerance: float, alpha: float, seconds: float
) -> Certificate:
    table = _table(plan, look)
    if look is None:
        return Certificate(
            UNDECIDED, math.nan, 0.0, math.inf, 0.0, math.inf, "", tolerance, alpha, table, 0, 0,
            plan.tasks, seconds, reason,
        )  # fmt: skip
    refuted, settled = bool(look.above.any()), bool(look.settled.all())
    verdict = REFUTED if refuted else CERTIFIED if settled else UNDECIDED
    worst = int(np.argmax(np.where(look.above, look.lower, -np.inf) if refuted else look.upper))
    return Certificate(
        verdict, max(0.0, float(look.gain.max())), max(0.0, float(look.lower.max())),
        max(0.0, float(look.upper.max())), max(0.0, float((look.lower * look.scale).max())),
        max(0.0, float((look.upper * look.scale).max())), plan.deviations[worst].label, tolerance,
        alpha, table,
        look.replications, look.number, plan.tasks, seconds,
        reason if verdict == UNDECIDED else "",
    )  # fmt: skip


def _table(plan: Plan, look: Look | None) -> pd.DataFrame:
    tests = plan.deviations
    columns: dict[str, object] = {
        "side": [d.side for d in tests], "player": [d.player for d in tests],
        "kind": [d.kind for d in tests], "deviation": [d.label for d in tests],
    }  # fmt: skip
    if look is not None:
        state = np.where(look.settled, "within", np.where(look.above, "above", "open"))
        columns |= {
            "gain": look.gain, "error": look.error, "lower": look.lower, "upper": look.upper,
            "gain_usd": look.gain * look.scale, "scale": look.scale, "warmup": plan.warmups,
            "replications": look.count, "drift": look.drift,
            "state": np.where(look.doubtful, "doubtful", state),
        }  # fmt: skip
    table = pd.DataFrame(columns)
    table.attrs["units"] = {
        "gain": "share of scale", "error": "share of scale", "lower": "share of scale",
        "upper": "share of scale", "gain_usd": "USD/h", "scale": "USD/h", "warmup": "s",
        "drift": "share of scale",
    }  # fmt: skip
    return table
