"""Where a noisy response crosses 0: bisection whose signs are known at a stated error rate.

Sources:
    Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical
        Society B 16, 175-185.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]
Draw = Callable[[float, int], Floats]
"""Values of batch b of replications at x, shape [replications of the batch]; batch b has the same
streams at every x."""


@dataclass(frozen=True)
class Step:
    """A point at which the response was looked at: its replications and what they say.

    Attributes:
        x: the point.
        values: of all replications, in order.
        sign: of the response, -1 or 1; 0 where the budget did not do to know it.
        looks: batches that it took.
    """

    x: float
    values: Floats
    sign: int
    looks: int


@dataclass(frozen=True)
class Crossing:
    """What is known of a crossing.

    Attributes:
        low: lower end of the bracket: a crossing lies between `low` and `high` with a chance of at
            least 1 - error. nan where none was found.
        high: upper end.
        estimate: crossing of a line through the bracket's points; nan where there is none.
        est_low: lower end of its 95% interval (Fieller), as if the response were a line in the
            bracket and the points had been chosen beforehand; the bracket itself where Fieller's
            has no end.
        est_high: upper end.
        decided: whether the bracket is as narrow as was asked for.
        why: what ended the search, if it is not.
        steps: the points, in the order in which they were looked at.
    """

    low: float
    high: float
    estimate: float
    est_low: float
    est_high: float
    decided: bool
    why: str
    steps: list[Step] = field(default_factory=list)

    @property
    def replications(self) -> int:
        """Number of replications at all points."""
        return sum(len(step.values) for step in self.steps)


def batches_of(seeds: int, most: int) -> list[int]:
    """Return the sizes of batches, each as large as all before it, `most` in all.

    Example:
        >>> batches_of(8, 50)
        [8, 8, 16, 18]
    """
    sizes = [min(seeds, most)]
    while sum(sizes) < most:
        sizes.append(min(sum(sizes), most - sum(sizes)))
    return sizes


def cross(
    draw: Draw, low: float, high: float, *, tolerance: float, seeds: int, most: int,
    error: float = 0.05, told: Callable[[float], str] = "{:.6g}".format,
) -> Crossing:  # fmt: skip
    """Find a bracket of where a response crosses 0 between two points.

    The middle of the bracket is looked at again and again. Where its sign stays unknown, both
    halves are narrowed towards it as far as signs are known. The chance `error` of a wrong bracket
    is shared evenly by all looks that there may be (Bonferroni): points × batches. A look is
    Student's t, one-sided each way; a response that is 0 at a point makes no error there, for then
    the crossing is an end of the bracket.

    Args:
        draw: gives replications.
        low: one end.
        high: the other end.
        tolerance: width of the bracket to stop at.
        seeds: replications of the first batch; each following one is as large as all before it.
        most: replications at a point.
        error: chance that the bracket holds no crossing.
        told: a point in words.

    Example:
        >>> import numpy as np
        >>> luck = np.random.default_rng(1).normal(size=(4, 32))
        >>> found = cross(
        ...     lambda x, b: x - 0.3 + 0.01 * luck[b], 0.0, 1.0, tolerance=0.1, seeds=8, most=8
        ... )
        >>> found.low, found.high, abs(found.estimate - 0.3) < 0.01
        (0.25, 0.3125, True)
    """
    sizes = batches_of(seeds, most)
    halvings = max(0, math.ceil(math.log2((high - low) / tolerance) - 1e-9))
    points = 2 + 2 * halvings
    at_most = error / (points * len(sizes))

    def look(x: float) -> Step:
        values = np.empty(0)
        for batch in range(len(sizes)):
            values = np.concatenate([values, draw(x, batch)])
            if sign := _sign(values, at_most):
                return Step(x, values, sign, batch + 1)
        return Step(x, values, 0, len(sizes))

    steps = [look(low), look(high)]
    a, b = steps
    if a.sign * b.sign >= 0:
        nan = math.nan
        return Crossing(nan, nan, nan, nan, nan, False, _none(a, b, told), steps)
    while len(steps) < points and (x := _next(steps, a, b, tolerance)) is not None:
        step = look(x)
        steps.append(step)
        if step.sign:
            a, b = (step, b) if step.sign == a.sign else (a, step)
    decided = b.x - a.x <= tolerance * (1.0 + 1e-9)
    used = _topped_up([s for s in steps if a.x <= s.x <= b.x], draw)
    steps = [next((u for u in used if u.x == s.x), s) for s in steps]
    estimate, ends = fieller(used)
    between = f"between {told(a.x)} and {told(b.x)}"
    why = "" if decided else f"no sign {between} is known after {most} replications"
    return Crossing(a.x, b.x, estimate, *(ends or (a.x, b.x)), decided, why, steps)


def _next(steps: list[Step], a: Step, b: Step, tolerance: float) -> float | None:
    """Return where to look next; None where nothing is left to learn.

    Half way between the ends; or, if signs between them are unknown, half way from an end to the
    nearest such point, at the end that is farther from it, unless that is what made the point.
    """
    unknown = [s.x for s in steps if a.x < s.x < b.x]
    if b.x - a.x <= tolerance * (1.0 + 1e-9):
        return None
    if not unknown:
        return 0.5 * (a.x + b.x)
    first = unknown[0]  # found first: others lie between it and an end
    gaps = [(end, abs(first - end)) for end in (a.x, b.x)
            if not any(min(end, first) < x < max(end, first) for x in unknown)]  # fmt: skip
    end, gap = max(gaps, key=lambda g: g[1], default=(first, 0.0))
    return 0.5 * (end + first) if gap > 0.5 * tolerance else None


def _topped_up(used: list[Step], draw: Draw) -> list[Step]:
    """Return points with as many replications as the one that has most.

    A point whose sign was soon known has a mean that is too far from 0, because of that; all of
    its replications together have not.
    """
    most = max(step.looks for step in used)
    return [
        Step(s.x, np.concatenate([s.values, *(draw(s.x, b) for b in range(s.looks, most))]),
             s.sign, s.looks)
        for s in used
    ]  # fmt: skip


def _sign(values: Floats, at_most: float) -> int:
    """Return the sign of a mean if a wrong one has a chance of at most `at_most`, else 0."""
    n, mean = len(values), float(values.mean())
    if n < 2:
        return 0
    se = float(values.std(ddof=1)) / math.sqrt(n)
    if se <= 1e-14 * abs(mean):  # no luck at all
        return int(np.sign(mean))
    return int(np.sign(mean)) if stdtr(n - 1, -abs(mean) / se) <= at_most else 0


def _none(a: Step, b: Step, told: Callable[[float], str]) -> str:
    unknown = [told(s.x) for s in (a, b) if s.sign == 0]
    if unknown:
        return f"the sign at {' and '.join(unknown)} is not known after all replications"
    side = "above" if a.sign > 0 else "below"
    return f"{side} the level at both ends; no crossing, or an even number"


def fieller(steps: list[Step], level: float = 0.95) -> tuple[float, tuple[float, float] | None]:
    """Return where a line through points crosses 0, and Fieller's interval if it has two ends.

    A line is fitted to each replication that all points have; its level and slope are pairs, and
    the crossing is minus the ratio of their means.

    Example:
        >>> import numpy as np
        >>> luck = np.array([-0.1, 0.0, 0.1, 0.0])
        >>> ends = [Step(0.0, luck - 1.0, -1, 1), Step(1.0, luck + 1.0, 1, 1)]
        >>> estimate, (low, high) = fieller(ends)
        >>> round(estimate, 3), round(low, 3), round(high, 3)
        (0.5, 0.435, 0.565)
    """
    n = min(len(step.values) for step in steps)
    x = np.array([step.x for step in steps])
    y = np.array([step.values[:n] for step in steps])
    centre = float(x.mean())
    slopes = (x - centre) @ y / float(np.square(x - centre).sum())
    levels = y.mean(axis=0)
    up, down = -float(levels.mean()), float(slopes.mean())
    if down == 0.0:
        return math.nan, None
    estimate = centre + up / down
    if n < 2:
        return estimate, None
    t2 = float(stdtrit(n - 1, 0.5 + 0.5 * level)) ** 2 / n
    (vu, cov), (_, vd) = np.cov(-levels, slopes)
    quadratic = down * down - t2 * vd
    linear, constant = up * down - t2 * cov, up * up - t2 * vu
    inside = linear * linear - quadratic * constant
    if quadratic <= 0.0 or inside < 0.0:
        return estimate, None
    root = math.sqrt(inside)
    ends = (float(centre + (linear + sign * root) / quadratic) for sign in (-1.0, 1.0))
    return estimate, (next(ends), next(ends))
