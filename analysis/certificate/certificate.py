"""The certificate: could anybody gain by deviating from a candidate point, and how much at most?

Each deviation is run beside the candidate point in the event market, on common random numbers,
each at its own stationary state. The largest gain ε over the set is bounded from both sides; the
bounds hold for all deviations together and at any time of stopping (`bounds`, `race`).

Where somebody is expected to gain, those few deviations are run by themselves first, at a part of
the chance of error: one that gains refutes the point, whatever all others do.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

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
_SUSPECTS = 3
"""Deviations at most that are run first."""
_FIRST_ALPHA, _FIRST_BUDGET = 0.2, 0.5
"""Their part of the chance that a bound fails, and of the tasks."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known of the largest unilateral gain at a candidate point.

    Gains are shares of the player's payoff at that point (profit of an owner, surplus of a class),
    or of `FLOOR` of all payments in the market where that is more.

    Attributes:
        verdict: "certified" (no gain above the tolerance), "refuted" or "undecided".
        epsilon: estimate of the largest gain, 0 if none is seen; nan without a look.
        lower, upper: bounds on it, which hold with confidence 1 − alpha whenever one stops; no
            upper one (inf) where a deviation is untried.
        lower_usd, upper_usd: bounds on the largest gain in money, USD/h.
        worst: the deviation that refutes, or the one that may gain most.
        tolerance: gain that does not matter.
        alpha: chance that some bound fails.
        deviations: a row per deviation: side, player, kind, deviation; gain, error, lower, upper
            (shares of scale); scale and `gain_usd` (USD/h); warmup (s), replications, drift (change
            of the gain from one half of the measured time to the other, share of scale), state:
            "within" the tolerance, "above" it, "open", "doubtful" (still drifting), or "untried",
            and then the numbers are nan.
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
        said = {
            CERTIFIED: f"certified at ε = {self.upper:.3%} ({self.upper_usd:.3g} USD/h)",
            REFUTED: f"refuted by deviation: {self.worst} gains {self.lower:.3%} at least",
            UNDECIDED: f"undecided: {self._left()}({self.reason})",
        }[self.verdict]
        tried, of = int((self.deviations["state"] != "untried").sum()), len(self.deviations)
        many = f"{of}" if tried == of else f"{tried} of {of}"
        return (
            f"{said}; tolerance {self.tolerance:.3%} of the player's payoff or of {FLOOR:.0%} of "
            f"all payments, {1.0 - self.alpha:.0%} confidence over {many} "
            f"deviations together, {self.replications} replications, {self.tasks:,} tasks"
        )

    def _left(self) -> str:
        """Say what is known of the deviations that are still open; nothing before a look."""
        if not self.looks:
            return ""
        told = []
        for side, rows in self.deviations.groupby("side", sort=False):
            left = rows[rows["state"].isin(["open", "doubtful"])]
            most = float(left["upper"].max()) if len(left) else 0.0
            gain = f"gain at most {most:.3%}" if math.isfinite(most) else "have no bound yet"
            within = int((rows["state"] == "within").sum())
            many = f"{len(left)} {gain}" if len(left) else "none is open"
            told.append(f"of {len(rows)} by {side}s {within} are within the tolerance, {many}")
        return f"{'; '.join(told)} "


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
        budget: tasks to simulate at most, besides short pilots; in expectation, where demand
            follows the clock.
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

        def tested(rows: list[int] | None, alpha: float, tasks: int, most: int) -> _Tested:
            of = deviations if rows is None else [(deviations or ())[i] for i in rows]
            plan = plan_for(market, of, seed, threads)
            plan.tasks += tasks
            if progress is not None:
                plan.progress = lambda tasks: progress(tasks, budget)
            at = list(range(len(plan.deviations))) if rows is None else rows
            return _Tested(plan, at, *_race(plan, threads, tolerance, alpha, most))

        try:
            few = _suspects(deviations or (), tolerance)
            first = (
                tested(few, _FIRST_ALPHA * alpha, 0, int(_FIRST_BUDGET * budget)) if few else None
            )
            if first is not None and first.refutes:
                found = first
            else:
                left, spent = (1.0 - _FIRST_ALPHA, first.plan.tasks) if first else (1.0, 0)
                found = tested(None, left * alpha, spent, budget)
                if first is not None and first.look is not None and found.look is None:
                    found = replace(first, reason=found.reason)
        except BaseException:  # what waits for a thread would be run to its end first
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    everyone = found.plan.deviations if deviations is None else list(deviations)
    return _certificate(found, everyone, tolerance, alpha, time.monotonic() - begin)


@dataclass(frozen=True, slots=True)
class _Tested:
    """What was tried.

    Attributes:
        plan: of the runs.
        rows: places of its deviations among all.
        look: the last that was taken.
        reason: why no more were, if the question is open.
    """

    plan: Plan
    rows: list[int]
    look: Look | None
    reason: str

    @property
    def refutes(self) -> bool:
        return self.look is not None and bool(self.look.above.any())


def _suspects(deviations: Sequence[Deviation], tolerance: float) -> list[int]:
    """Return where the few deviations stand that are expected to gain most, if they gain at all."""
    hopeful = [i for i, d in enumerate(deviations) if d.expected > tolerance]
    return sorted(hopeful, key=lambda i: -deviations[i].expected)[:_SUSPECTS]


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
    found: _Tested, everyone: list[Deviation], tolerance: float, alpha: float, seconds: float
) -> Certificate:
    plan, look = found.plan, found.look
    table = _table(found, everyone)
    whole = not (table["state"] == "untried").any()
    if look is None:
        return Certificate(
            UNDECIDED, math.nan, 0.0, math.inf, 0.0, math.inf, "", tolerance, alpha, table, 0, 0,
            plan.tasks, seconds, found.reason,
        )  # fmt: skip
    settled = whole and bool(look.settled.all())
    verdict = REFUTED if found.refutes else CERTIFIED if settled else UNDECIDED
    worst = int(
        np.argmax(np.where(look.above, look.lower, -np.inf) if found.refutes else look.upper)
    )
    most = [max(0.0, float(x.max())) if whole else math.inf
            for x in (look.upper, look.upper * look.scale)]  # fmt: skip
    return Certificate(
        verdict, max(0.0, float(look.gain.max())), max(0.0, float(look.lower.max())), most[0],
        max(0.0, float((look.lower * look.scale).max())), most[1], plan.deviations[worst].label,
        tolerance, alpha, table, look.replications, look.number, plan.tasks, seconds,
        found.reason if verdict == UNDECIDED else "",
    )  # fmt: skip


def _table(found: _Tested, everyone: list[Deviation]) -> pd.DataFrame:
    plan, look = found.plan, found.look
    columns: dict[str, object] = {
        "side": [d.side for d in everyone], "player": [d.player for d in everyone],
        "kind": [d.kind for d in everyone], "deviation": [d.label for d in everyone],
    }  # fmt: skip
    names = ("gain", "error", "lower", "upper", "gain_usd", "scale", "warmup", "replications",
             "drift")  # fmt: skip
    columns |= dict.fromkeys(names, math.nan) | {"replications": 0, "state": "untried"}
    if look is not None:
        state = np.where(look.settled, "within", np.where(look.above, "above", "open"))
        known = {
            "gain": look.gain, "error": look.error, "lower": look.lower, "upper": look.upper,
            "gain_usd": look.gain * look.scale, "scale": look.scale, "warmup": plan.warmups,
            "replications": look.count, "drift": look.drift,
            "state": np.where(look.doubtful, "doubtful", state),
        }  # fmt: skip
        for name, values in known.items():
            column = np.full(
                len(everyone), columns[name], dtype=object if name == "state" else None
            )
            column[found.rows] = values
            columns[name] = column
    table = pd.DataFrame(columns)
    table.attrs["units"] = {
        "gain": "share of scale", "error": "share of scale", "lower": "share of scale",
        "upper": "share of scale", "gain_usd": "USD/h", "scale": "USD/h", "warmup": "s",
        "drift": "share of scale",
    }  # fmt: skip
    return table
