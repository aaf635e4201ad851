"""What a study concludes: a sentence for each of its verdicts, with the interval that it rests on.

Verdicts of a study hold together with a confidence of 95%: each has 1 - 0.05/k of k (Bonferroni).

Sources:
    Law, A. M. (2015). Simulation Modeling and Analysis, 5th ed., section 11.2: common random
        numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import stdtr

from ..scenarios.sweep.study import Study, Verdict
from ..scenarios.sweep.swept import Sweep
from .figures.notation import number, percent
from .sweeps.cube import Cube, Floats, cube, leading, short_paths, unit_of
from .sweeps.effects import difference
from .sweeps.intervals import mean_over
from .telling import SHARES, change_span, mean_told

ERROR = 0.05
"""Chance that any interval of a study does not hold."""
_OUTCOMES = {
    "rises": "{what} rises", "falls": "{what} falls", "same": "{what} hardly changes",
    "unknown": "no difference in {what} can be told",
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What one verdict came out as.

    Attributes:
        metric: the measure, `task` and `offer` with it.
        outcome: "rises", "falls", "same" or "unknown".
        sentence: what is concluded, with the interval.
        value: the difference, or where the crossing is; nan if unknown.
        low: lower end of its interval.
        high: upper end.
        unit: of these.
        level: confidence.
    """

    metric: str
    outcome: str
    sentence: str
    value: float
    low: float
    high: float
    unit: str
    level: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, what is unknown as None."""
        data = dict(self.__dict__)
        for name in ("value", "low", "high"):
            data[name] = data[name] if math.isfinite(data[name]) else None
        return data


def judged(sweep: Sweep, study: Study) -> list[Judged]:
    """Return what a study's runs say on each of its verdicts.

    Raises:
        ValueError: runs are left to do.
    """
    level = 1.0 - ERROR / len(study.verdicts)
    return [judge(sweep, verdict, level) for verdict in study.verdicts]


def judge(sweep: Sweep, verdict: Verdict, level: float = 0.95) -> Judged:
    """Return what a sweep's runs say on one verdict.

    Raises:
        ValueError: runs are left to do.

    Example:
        >>> import tempfile
        >>> from walras.analysis.sweeps.example import small_sweep
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     said = judge(small_sweep(folder, seeds=8), Verdict(metric="surplus"))
        >>> said.outcome, said.sentence.partition(":")[0]
        ('falls', 'Surplus falls')
    """
    name = ":".join(filter(None, (verdict.metric, verdict.task, verdict.offer, verdict.less)))
    nothing = Judged(name, "unknown", "", math.nan, math.nan, math.nan, "", level)
    try:
        whole = _measure(sweep, verdict)
    except KeyError as error:
        return replace(nothing, sentence=_ended(_lead(verdict, "unknown"), str(error.args[0])))
    unknown = replace(nothing, unit=whole.unit)
    if verdict.kind == "crossing":
        return _crossing(whole, verdict, unknown)
    return _difference(whole, verdict, unknown)


def _measure(sweep: Sweep, verdict: Verdict) -> Cube:
    """Return the measure of a verdict: that of one offer, or by how much it exceeds another's."""
    whole = cube(sweep, verdict.metric, verdict.task, verdict.offer)
    if not verdict.less:
        return whole
    other = cube(sweep, verdict.metric, verdict.task, verdict.less)
    return replace(whole, values=whole.values - other.values)


def _what(verdict: Verdict) -> str:
    """Return the measure of a verdict in words.

    Example:
        >>> _what(Verdict(metric="share", task="chat", offer="one", less="two"))
        'share of chat, one, less that of two,'
    """
    if verdict.what:
        return verdict.what
    of = ", ".join(name for name in (verdict.task, verdict.offer) if name != "all")
    less = f", less that of {verdict.less}," if verdict.less else ""
    return verdict.metric.replace("_", " ") + (f" of {of}" if of else "") + less


def _lead(verdict: Verdict, outcome: str) -> str:
    own = getattr(verdict, outcome)
    text = own or _OUTCOMES[outcome].format(what=_what(verdict))
    return f"{text[0].upper()}{text[1:]}"


def _ended(lead: str, rest: str) -> str:
    return f"{lead}: {rest}."


# --- a difference of two settings ----------------------------------------------------------------


def _difference(whole: Cube, verdict: Verdict, unknown: Judged) -> Judged:
    first, last = whole.values[0], whole.values[-1]
    n, _, mean, se, low, high, *_ = difference(last, first, unknown.level)
    if n < 2 or math.isnan(se):
        why = f"it takes two replications in which neither failed, and there {_are(n)}"
        return replace(unknown, sentence=_ended(_lead(verdict, "unknown"), why))
    before = float(mean_over(mean_over(first, axis=0), axis=0))
    matters = verdict.negligible * abs(before)
    outcome = "rises" if low > 0.0 else "falls" if high < 0.0 else "unknown"
    if max(abs(low), abs(high)) < matters:
        outcome = "same"
    sentence = _ended(_lead(verdict, outcome), _told(verdict, whole, mean, (low, high), unknown))
    if outcome == "same":
        bound = f"{100.0 * verdict.negligible:.3g}%"
        sentence = f"{sentence[:-1]}; less than {bound} either way is called no change."
    return replace(unknown, outcome=outcome, sentence=sentence, value=mean, low=low, high=high)


def _told(
    verdict: Verdict, whole: Cube, mean: float, ends: tuple[float, float], unknown: Judged
) -> str:  # fmt: skip
    """Say between which means the measure goes, and by how much."""
    before, after = (float(mean_over(mean_over(whole.values[i], axis=0), axis=0)) for i in (0, -1))
    unit, nan = whole.unit, math.nan
    way = " to ".join(mean_told(x, nan, nan, unit) for x in (before, after))
    size, span = change_span(mean, *ends, unit)
    sure = f"{100.0 * unknown.level:.3g}% interval {span}" if span else "the same in all"
    part = abs(mean / before) if before and unit not in SHARES else 1.0
    share = f", {percent(part)}" if part < 1.0 else ""
    what = _what(verdict)
    return f"{what} goes from {way}, by {size} ({sure}){share}"


def _are(n: int) -> str:
    return "is 1" if n == 1 else f"are {n or 'none'}"


# --- a crossing along a lever ---------------------------------------------------------------------


def _crossing(whole: Cube, verdict: Verdict, unknown: Judged) -> Judged:
    lever = leading(whole.settings)[0]
    x = whole.settings[lever].to_numpy(np.float64)
    y = mean_over(whole.values, axis=1) - verdict.threshold
    signs = [_sign(row, (1.0 - unknown.level) / len(x)) for row in y]
    name = short_paths([lever])[lever]
    known = [(i, s) for i, s in enumerate(signs) if s]
    turns = [(a, b) for (a, s), (b, t) in pairwise(known) if s != t]
    unit = f" {unit_of(lever)}" if unit_of(lever) else ""
    height = mean_told(verdict.threshold, math.nan, math.nan, whole.unit)
    level = f"{_what(verdict)} crosses {height}"
    if len(turns) != 1:
        why = _no_crossing(known, len(turns), level, f"{name} {_g(x[0])} to {_g(x[-1])}")
        return replace(unknown, sentence=_ended(_lead(verdict, "unknown"), why), unit="")
    a, b = turns[0]
    outcome = "rises" if signs[b] > 0 else "falls"
    at = _between(x[a : b + 1], mean_over(y[a : b + 1], axis=1))
    sure = f"between {_g(x[a])} and {_g(x[b])}{unit} with {100.0 * unknown.level:.3g}% confidence"
    sentence = _ended(_lead(verdict, outcome), f"{level} at {name} {number(at)}{unit}, {sure}")
    return replace(
        unknown, outcome=outcome, sentence=sentence, value=at, low=float(x[a]), high=float(x[b]),
        unit=unit.strip() or "that of the lever",
    )  # fmt: skip


def _g(x: float) -> str:
    return f"{x:.4g}"


def _no_crossing(known: Sequence[tuple[int, int]], turns: int, level: str, where: str) -> str:
    if turns > 1:
        return f"{level} {turns} times on the way from {where}"
    if not known:
        return f"where {level} is not known anywhere from {where}"
    side = "above" if known[0][1] > 0 else "below"
    return f"nowhere from {where} is it known that {level}; where anything is known it is {side}"


def _between(x: Floats, y: Floats) -> float:
    """Return where a line through neighbours changes sign, the first such place.

    Example:
        >>> _between(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 1.0, 2.0]))
        1.5
    """
    i = int(np.flatnonzero(np.sign(y[:-1]) != np.sign(y[1:]))[0])
    return float(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i]))


def _sign(values: Floats, error: float) -> int:
    """Return the sign of a mean if a wrong one has a chance of at most `error`, else 0."""
    values = values[~np.isnan(values)]
    n = len(values)
    if n < 2:
        return 0
    mean, se = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n)
    if se <= 1e-14 * abs(mean):  # no luck at all
        return int(np.sign(mean))
    return int(np.sign(mean)) if stdtr(n - 1, -abs(mean) / se) <= error else 0
