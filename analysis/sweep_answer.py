"""The first sentences of a sweep's report: what its measure does, what moves it, how sure it is."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd

from ..scenarios.result import rows_of
from ..scenarios.sweep.swept import Sweep
from .figures import enough_seeds, responses
from .figures.half_widths import TARGET
from .figures.notation import number, percent
from .figures.solved_frames import once
from .figures.sweep_frames import Cell, chosen
from .sweeps.cube import Cube, Floats, cube, leading, short_paths
from .sweeps.effects import difference
from .sweeps.intervals import interval_of, mean_over
from .telling import change_span, change_told, mean_told

_INDICES = ("saltelli", "morris")


def main_measure(sweep: Sweep) -> Cell | None:
    """Return what a sweep is about: its own measure, or welfare, or its first; None if it has none.

    Example:
        >>> import tempfile
        >>> from walras.analysis.sweeps.example import small_sweep
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     main_measure(small_sweep(folder))
        ('welfare', 'all', 'all')
    """
    try:
        return chosen(sweep)
    except ValueError:
        pass
    return next(iter(cells_of(sweep)), None)


def cells_of(sweep: Sweep) -> list[Cell]:
    """Return all that was measured, as (metric, task, offer), in the order of the results."""
    return once(sweep, "cells", lambda: _cells(sweep))


def _cells(sweep: Sweep) -> list[Cell]:
    names = ["metric", "task", "offer"]
    table = rows_of(sweep.folder / "results.parquet", names)
    rows = table.to_pandas(use_threads=False, strings_to_categorical=True).drop_duplicates()
    return [(str(m), str(t), str(o)) for m, t, o in rows.itertuples(index=False, name=None)]


def answer(sweep: Sweep, cell: Cell | None) -> list[str]:
    """Say in three sentences what the measure does, what moves it most, and how sure that is."""
    if cell is None:
        return ["No run succeeded; nothing is known.", _failed(sweep)]
    whole = cube(sweep, *cell)
    said = [_moves(sweep, whole, cell), _matters(sweep, whole), _enough(sweep, whole, cell)]
    return [text for text in said if text]


# --- what the measure does -----------------------------------------------------------------------


def _moves(sweep: Sweep, whole: Cube, cell: Cell) -> str:
    if len(whole.values) == 1:
        return _over_the_sample(whole)
    table = responses.data(sweep, *cell)
    levers = leading(whole.settings)
    along = levers[0] if levers else ""
    numeric = along and pd.api.types.is_numeric_dtype(whole.settings[along])
    mean = table["mean"].to_numpy(np.float64)
    if np.isnan(mean).all():
        return f"{_named(whole)} is known in no setting."
    if len(levers) == 1 and (numeric or len(whole.values) == 2):
        first, last = (int(i) for i in np.flatnonzero(~np.isnan(mean))[[0, -1]])
        low, high = (_at(table.iloc[i], whole, i) for i in (first, last))
        text = f"{_named(whole)} goes from {low} to {high}"
        beyond = _between(mean, table, whole, (first, last))
        return f"{text}{_apart(sweep, whole, first, last, 1)}{beyond}."
    first, last = int(np.nanargmin(mean)), int(np.nanargmax(mean))
    low, high = (_at(table.iloc[i], whole, i) for i in (first, last))
    pairs = len(mean) * (len(mean) - 1) // 2
    text = f"{_named(whole)} is least, {low}, and greatest, {high}"
    return f"{text}{_apart(sweep, whole, first, last, pairs)}."


def _named(whole: Cube) -> str:
    return f"{whole.what[0].upper()}{whole.what[1:]}"


def _at(row: pd.Series, whole: Cube, i: int) -> str:
    text = mean_told(float(row["mean"]), float(row["low"]), float(row["high"]), whole.unit)
    return f"{text} with {whole.labels[i]}"


def _apart(sweep: Sweep, whole: Cube, first: int, last: int, pairs: int) -> str:
    """Say how far two settings lie apart, and whether that can be told from luck.

    Where the two were picked from all `pairs` because of what they gave, the interval is wider, so
    that it holds for whichever are picked (Bonferroni).
    """
    level = 1.0 - 0.05 / pairs
    n, _, mean, _, low, high, *_ = difference(whole.values[last], whole.values[first], level)
    if n < 2 or math.isnan(low):
        return ""
    paired = "paired, " if sweep.manifest["paired"] else ""
    together = ", for all pairs together" if pairs > 1 else ""
    if mean == low == high == 0.0:
        return "; they are the same"
    if low <= 0.0 <= high:
        ends = change_span(mean, low, high, whole.unit)[1]
        return f"; {paired}no difference can be told ({ends}{together})"
    said = change_told(mean, low, high, whole.unit)
    said = f"{said.removesuffix(')')}{together})" if said.endswith(")") else said
    return f"; {paired}the difference is {said}"


def _between(mean: Floats, table: pd.DataFrame, whole: Cube, at: tuple[int, int]) -> str:
    """Say where between the ends of one lever the measure goes beyond both, if it surely does."""
    level = 1.0 - 0.05 / (2 * len(mean))  # the place was picked for what it gave
    for i, word, side in (
        (int(np.nanargmax(mean)), "greatest", 1.0), (int(np.nanargmin(mean)), "least", -1.0),
    ):  # fmt: skip
        if i in at:
            continue
        ends = [difference(whole.values[i], whole.values[e], level) for e in at]
        if all(side * (row[4] if side > 0 else row[5]) > 0.0 for row in ends):
            return f"; it is {word} in between, {_at(table.iloc[i], whole, i)}"
    return ""


def _over_the_sample(whole: Cube) -> str:
    points = mean_over(whole.values[0], axis=1)
    _, mean, _, low, high = interval_of(mean_over(whole.values[0], axis=0))
    text = f"{_named(whole)} is {mean_told(mean, low, high, whole.unit)} on average"
    known = points[~np.isnan(points)]
    if len(known) < 10:
        return f"{text}."
    least, most = (float(q) for q in np.quantile(known, (0.05, 0.95)))
    ends = " to ".join(mean_told(q, math.nan, math.nan, whole.unit) for q in (least, most))
    over = f" over {len(known):,} points of the sample"
    return f"{text}{over}, and from {ends} at nine in ten of them."


# --- what moves it -------------------------------------------------------------------------------


def _matters(sweep: Sweep, whole: Cube) -> str:
    found = weights(sweep, whole)
    if not found:
        return ""
    names = short_paths(list(found))
    if len(found) == 1:
        name = next(iter(names.values()))
        more = [p for p in whole.settings if whole.settings[p].nunique() > 1 and p not in found]
        also = f", and {len(more)} more with it" if more else ""
        return f"One thing is varied: {name}{also}."
    if not any(share > 0.0 for share in found.values()):
        return "Nothing that is varied moves it."
    order = sorted(found, key=lambda path: -found[path])
    first, second = order[:2]
    text = f"Of {len(found)} things that are varied {names[first]} matters most: by itself it "
    return (
        f"{text}makes {percent(found[first])} of the variance between points, "
        f"{names[second]} {percent(found[second])}."
    )


def weights(sweep: Sweep, whole: Cube) -> dict[str, float]:
    """Return the share of the variance between points that each path makes by itself.

    Of a lever it is that of the means at its values. Of an uncertainty it is what a straight line
    explains (in the logarithm where the range is logarithmic), within settings of levers.

    Example:
        >>> import tempfile
        >>> from walras.analysis.sweeps.example import small_sweep
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = small_sweep(folder)
        ...     weights(found, cube(found, "welfare"))
        {'sellers.one.price.task': 1.0}
    """
    points = mean_over(whole.values, axis=2)
    total = float(np.nanvar(points)) if not np.isnan(points).all() else 0.0
    out: dict[str, float] = {}
    for path in leading(whole.settings):
        means = pd.Series(mean_over(points, axis=1)).groupby(whole.settings[path].to_numpy())
        each, count = means.mean(), means.count()
        spread = float(np.average((each - np.average(each, weights=count)) ** 2, weights=count))
        out[path] = min(spread / total, 1.0) if total > 0.0 else 0.0
    inside = points - mean_over(points, axis=1)[:, None]
    for path in map(str, whole.sample):
        x = whole.sample[path].to_numpy(np.float64)
        x = np.log(x) if sweep.manifest["spans"][path]["scale"] == "log" else x
        both = ~np.isnan(inside)
        a, b = np.broadcast_to(x, inside.shape)[both], inside[both]
        if len(a) < 3 or not (a.std() > 0.0 and b.std() > 0.0):
            out[path] = 0.0
            continue
        out[path] = float(np.corrcoef(a, b)[0, 1] ** 2 * b.var() / total)
    return out


# --- how sure that is -----------------------------------------------------------------------------


def _enough(sweep: Sweep, whole: Cube, cell: Cell) -> str:
    table, seeds = enough_seeds.data(sweep, *cell), whole.seeds
    if seeds < 3:
        few = "One replication has no" if seeds == 1 else "Two replications have hardly an"
        return f"{few} interval: give it more seeds. {_failed(sweep)}"
    if table.empty:
        return f"The measure is the same in all {seeds:,} replications. {_failed(sweep)}"
    last = table.sort_values("n").groupby(["panel", "line"], sort=False).tail(1)
    means = last[last["panel"] == "means"]
    text = f"{seeds:,} replications at each point"
    if means.empty:
        return f"{text}. {_failed(sweep)}"
    worst = float(means["half_width"].max())
    if worst <= TARGET:
        text += f" are enough: every mean is known to {_give(worst)} of the greatest"
    else:
        takes = number(float(means["needed"].max()))
        text += f" leave means known to {_give(worst)} of the greatest"
        text += f" (± {TARGET:.0%} takes {takes})"
    paired = last[last["panel"] != "means"]
    if len(paired):
        text += f", paired differences to {_give(float(paired['half_width'].max()))}"
    return f"{text}. {_failed(sweep)}"


def _give(share: float) -> str:
    text = percent(share)
    return f"less than ± {text[1:]}" if text.startswith("<") else f"± {text}"


def _failed(sweep: Sweep) -> str:
    total, failures = int(sweep.manifest["total"]), sweep.failures
    if failures.empty:
        return f"None of {total:,} runs failed."
    counted = Counter(zip(failures["kind"], failures["reason"], strict=True))
    (kind, reason), count = counted.most_common(1)[0]
    why = f"all by {kind}: {reason}" if count == len(failures) else f"{count:,} by {kind}: {reason}"
    return f"{len(failures):,} of {total:,} runs failed, {why.removesuffix('.')}."
