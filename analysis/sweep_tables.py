"""The tables of a sweep's report: key numbers, points, design, failures, the market, its ODD."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from ..market.schema.errors import errors_in
from ..market.schema.market import Market
from ..scenarios.compare import METRICS
from ..scenarios.load import check
from ..scenarios.sweep.outcome import toml_of
from ..scenarios.sweep.swept import Sweep
from .comparison import LABELS
from .figures.sweep_frames import Cell
from .report_tables import Table
from .sweep_answer import cells_of
from .sweeps.cube import Cube, cube, short_paths, told
from .sweeps.effects import difference
from .sweeps.intervals import interval_of, mean_over
from .telling import change_told, mean_told

MOST = 200
"""Points in the table; all are in the folder."""
FAILURES = 30
"""Failed runs in the table; all are in the folder."""
_VALUES = 8
_LABELS = LABELS | {
    "late_share": "answered late, of all who came", "left_share": "left, of all who came",
    "without_share": "did without, of all who came", "accuracy": "right, of those served",
    "unfinished_share": "not ended with the run, of all who came",
    "wait": "mean wait for a slot", "thinking": "thinking bought per answer",
}  # fmt: skip


def key_numbers(sweep: Sweep, cell: Cell | None) -> Table:
    """Return the totals in the first setting of levers and in the last, and the difference."""
    have = set(cells_of(sweep)) if cell else set()
    cells = [(m, "all", "all") for m in METRICS if (m, "all", "all") in have]
    listed = [(_LABELS.get(c[0], c[0].replace("_", " ")), c) for c in cells]
    if cell is not None and cell not in cells:
        listed.insert(0, (cube(sweep, *cell).what, cell))
    return _compared(sweep, listed)


def by_class(sweep: Sweep, cell: Cell | None) -> Table:
    """Return the measure of each task class in the same way; nothing where there is one class."""
    if cell is None or cell[1:] != ("all", "all"):
        return Table([], [])
    metric = cell[0]
    tasks = [t for m, t, o in cells_of(sweep) if (m, o) == (metric, "all") and t != "all"]
    if len(tasks) < 2:
        return Table([], [])
    return _compared(sweep, [(task, (metric, task, "all")) for task in tasks])


def _compared(sweep: Sweep, listed: list[tuple[str, Cell]]) -> Table:
    """Return a row per measure, but for those that are 0 everywhere."""
    rows, several = [], False
    for label, cell in listed:
        try:
            whole = cube(sweep, *cell)
        except KeyError:
            continue
        several = len(whole.values) > 1
        ends = whole.values[[0, -1]] if several else whole.values
        if np.all(np.isnan(ends) | (ends == 0.0)):
            continue
        rows.append([label, *(_mean(whole, i) for i in ((0, -1) if several else (0,)))])
        if several:
            _, _, mean, _, low, high, *_ = difference(whole.values[-1], whole.values[0])
            rows[-1].append("–" if math.isnan(mean) else change_told(mean, low, high, whole.unit))
    head = ["first setting", "last setting", "difference"] if several else ["mean"]
    return Table(["", *(f"{name} (95%)" for name in head)], rows)


def _mean(whole: Cube, i: int) -> str:
    _, mean, _, low, high = interval_of(mean_over(whole.values[i], axis=0))
    return "–" if math.isnan(mean) else mean_told(mean, low, high, whole.unit)


# --- points, design, failures --------------------------------------------------------------------


def points(sweep: Sweep, cell: Cell | None) -> tuple[Table, int]:
    """Return the points with the mean of the measure, thinned if they are many, and their number.

    Of many points the table holds some that are evenly apart, the least and the greatest.
    """
    if cell is None:
        return Table([], []), int(sweep.manifest["points"])
    whole = cube(sweep, *cell)
    settings, size, seeds = whole.values.shape
    values = whole.values.reshape(settings * size, seeds)
    rows = kept_of(mean_over(values, axis=1), MOST)
    names = short_paths([*map(str, whole.settings), *map(str, whole.sample)])
    head = ["point", f"{whole.what} (95%)", "runs", *names.values()]
    body = []
    for i in rows:
        at = [told(whole.settings[c].iloc[i // size]) for c in whole.settings]
        at += [told(whole.sample[c].iloc[i % size]) for c in whole.sample]
        n, mean, _, low, high = interval_of(values[i])
        told_mean = "–" if math.isnan(mean) else mean_told(mean, low, high, whole.unit)
        body.append([f"{i:,}", told_mean, str(n), *at])
    return Table(head, body), len(values)


def kept_of(values: np.ndarray[Any, np.dtype[np.float64]], most: int) -> list[int]:
    """Return which of many values are shown: all if they are few, else some, and both extremes.

    Example:
        >>> kept_of(np.array([0.0, 9.0, 1.0, 2.0, -5.0, 3.0]), 4)
        [0, 1, 4, 5]
    """
    n = len(values)
    if n <= most:
        return list(range(n))
    kept = {int(i) for i in np.linspace(0, n - 1, max(most - 2, 2)).round()}
    if not np.isnan(values).all():
        kept |= {int(np.nanargmin(values)), int(np.nanargmax(values))}
    return sorted(kept)


def design(sweep: Sweep) -> list[Table]:
    """Return what is varied, what is held, and how runs are made, as tables."""
    manifest, runs = sweep.manifest, sweep.design
    rows = []
    for path, role in manifest["paths"].items():
        if role == "lever":
            values = [told(v) for v in dict.fromkeys(runs[path])]
            some = values if len(values) <= _VALUES else [*values[:4], "…", *values[-3:]]
            told_as = ", ".join(some) + (f" ({len(values):,} values)" if some != values else "")
        else:
            span = manifest["spans"][path]
            told_as = f"{span['low']:g} to {span['high']:g}, {span['scale']}"
        rows.append([path, role, told_as])
    rows += [[path, "constant", told(value)] for path, value in manifest["constants"].items()]
    sample = manifest["sample"]
    pairing = "the same streams at every point" if manifest["paired"] else "its own"
    how = [
        ["runs", f"{manifest['total']:,}: {manifest['points']:,} points, "
         f"{manifest['seeds']:,} replication{'s' * (manifest['seeds'] > 1)} each"],
        ["seed", str(manifest["seed"])], ["streams of a replication", pairing],
    ]  # fmt: skip
    if sample:
        more = {"saltelli": ("second_order",), "morris": ("levels",)}.get(sample["kind"], ())
        parts = [
            f"{k.replace('_', ' ')} {told(sample[k])}" for k in ("kind", "size", *more, "seed")
        ]
        how.insert(1, ["sample", ", ".join(parts)])
    return [Table(["path", "role", "values"], rows), Table(["", ""], how)]


def failures(sweep: Sweep) -> tuple[Table, Table]:
    """Return how many runs failed for which reason, and some of them with what repeats each."""
    failed = sweep.failures
    counted = Counter(zip(failed["kind"], failed["reason"], strict=True))
    reasons = [[f"{n:,}", str(kind), str(why)] for (kind, why), n in counted.most_common(FAILURES)]
    rows = [
        [str(r["run"]), str(r["kind"]), str(r["reason"]), str(r["command"]) or "–"]
        for r in failed.head(FAILURES).to_dict("records")
    ]
    return (
        Table(["runs", "kind", "reason"], reasons),
        Table(["run", "kind", "reason", "to repeat it"], rows),
    )


# --- the market -----------------------------------------------------------------------------------


def market_of(sweep: Sweep) -> Market | None:
    """Return the market that all points change, constants set; None where no file can hold it."""
    path = sweep.folder / "scenario.toml"
    text = path.read_text("utf-8") if path.is_file() else ""
    if not text:
        return None
    constants = {p: toml_of(v) for p, v in sweep.manifest["constants"].items()}
    first = {p: toml_of(v) for p, v in sweep.values(0).items()}
    for changes in (constants, {**constants, **first}):  # it may stand with a point's values alone
        listed = [f"{p}={v}" for p, v in changes.items()]
        found = check(text, overrides=listed, name=str(sweep.manifest["scenario"]))
        if found.market is not None and not errors_in(found.problems):
            return found.market
    return None
