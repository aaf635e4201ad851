"""The report of a comparison: mechanisms side by side in one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..scenarios.compare import SHOWN, Comparison, significant
from ..scenarios.telling import settings_of
from .figures import COMPARISONS
from .figures.notation import number
from .odd_page import described
from .page import fill, flat, panels_of, span
from .report_tables import Table, measured, parameters, told_in

LABELS = {
    "welfare": "welfare", "surplus": "buyers’ surplus", "profit": "sellers’ profit",
    "margin": "sellers’ margin", "platform": "platform’s fees",
    "miss_rate": "late or never served, of those who chose an offer",
    "served_share": "served, of all who came", "price": "mean price of an answer",
    "sojourn": "mean time to the answer",
}  # fmt: skip
"""Measures in words."""
_SHORT = {"miss_rate": "misses", "served_share": "served", "price": "price", "sojourn": "time"}
_SAID = ("command", "seed", "reps", "scenario", "mechanisms")


def write_comparison(comparison: Comparison, path: str | Path) -> Path:
    """Write the report of a comparison as one HTML file; its folder must exist.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.write_text(render(comparison), encoding="utf-8")
    return path


def render(comparison: Comparison) -> str:
    """Return the report as HTML; its links lead to the runs' own reports beside it."""
    panels, undrawn = panels_of(comparison, COMPARISONS)
    market, names = comparison.first.market, comparison.names
    levels, differences = comparison.levels(), comparison.differences()
    of_all = _of(differences, "all")
    return fill(
        "comparison.html.j2", market=market, names=names, panels=list(panels.values()),
        undrawn=undrawn, answer=_answer(comparison), span=span(comparison.first),
        levels=_levels(levels, "all", names), differences=_differences(of_all, names),
        classes=[
            table for task in market.tasks
            for table in (
                _levels(levels, task.name, names),
                _differences(_of(differences, task.name), names, task.name),
            )
            if len(market.tasks) > 1
        ],
        mechanisms=_settings(comparison), links=bool(comparison.command),
        parameters=[t for t in parameters(market) if t.title != "mechanism"],
        odd=described(market),
        provenance=Table(["", ""], [
            [key, text] for key, text in flat("", comparison.manifest) if key not in _SAID
        ]),
        command=comparison.command,
    )  # fmt: skip


def _answer(comparison: Comparison) -> list[str]:
    """Say what the mechanisms change, and what of it is certain."""
    rows = _of(comparison.differences(), "all")
    sure = rows[significant(rows)]
    names = comparison.names
    parts = []
    for name in names[1:]:
        changed = sure[sure["mechanism"] == name]
        told = [
            f"{_SHORT.get(row['metric'], LABELS[row['metric']])} "
            f"{_signed(row['difference'], row['unit'])}"
            for row in changed.to_dict("records")
        ]
        if told:
            parts.append(f"{name} against {names[0]}: {', '.join(told)}.")
        else:
            parts.append(f"{name} against {names[0]}: nothing that is certain.")
    return parts


def _of(differences: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return the differences that a table shows."""
    shown = [m if m != "profit" or task == "all" else "margin" for m in SHOWN]
    rows = differences[(differences["task"] == task) & differences["metric"].isin(shown)]
    return rows[rows["difference"].notna()]


def _levels(levels: pd.DataFrame, task: str, names: list[str]) -> Table:
    rows = levels[(levels["task"] == task) & levels["metric"].isin(LABELS)]
    rows = rows[rows["value"].notna()]
    body = [
        [LABELS[str(metric)], *_texts(found, names, _level)]
        for metric, found in rows.groupby("metric", sort=False)
    ]
    return Table(["", *names], body, f"{task}: means")


def _level(row: pd.Series) -> str:
    return measured(float(row["value"]), str(row["unit"]))


def _differences(rows: pd.DataFrame, names: list[str], task: str = "") -> Table:
    rows = rows.assign(sure=significant(rows))
    body = [
        [LABELS[str(metric)], *_texts(found, names[1:], _difference)]
        for metric, found in rows.groupby("metric", sort=False)
    ]
    return Table(["", *names[1:]], body, f"{task}: differences to {names[0]}")


def _difference(row: pd.Series) -> str:
    text = _signed(float(row["difference"]), str(row["unit"]))
    half = (float(row["high"]) - float(row["low"])) / 2
    if half > 0:
        value, _, unit = text.partition(" ")
        size, _ = _size(half, float(row["difference"]), str(row["unit"]))
        text = f"{value} ± {size} {unit}"
    return f"{text}{' *' if row['sure'] else ''}"


def _texts(rows: pd.DataFrame, names: list[str], told: Callable[[pd.Series], str]) -> list[str]:
    found = {str(row["mechanism"]): row for _, row in rows.iterrows()}
    return [told(found[name]) if name in found else "–" for name in names]


def _signed(value: float, unit: str) -> str:
    """Return a difference with its sign and unit; shares in percentage points.

    Example:
        >>> _signed(-0.0312, "ratio"), _signed(1200.0, "USD/h"), _signed(0.0, "s")
        ('−3.12 points', '+1,200 USD/h', '0 s')
    """
    size, name = _size(abs(value), value, unit)
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{size} {name}"


def _size(amount: float, like: float, unit: str) -> tuple[str, str]:
    """Return an amount in the unit that suits a value like this, and the unit."""
    if unit == "ratio":
        return number(100 * amount), "points"
    per, name = told_in(like, unit)
    return number(amount / per), name.strip()


def _settings(comparison: Comparison) -> Table:
    """Return what each mechanism is set to."""
    rows = [
        [name, _set_to(name, result.market.mechanism)]
        for name, result in comparison.results.items()
    ]
    return Table(["mechanism", "settings"], rows)


def _set_to(name: str, mechanism: Any) -> str:
    """Return what a mechanism is set to, and its kind where the label says another word."""
    kind = getattr(mechanism, "kind", name)
    told = settings_of(mechanism) or "nothing to set"
    return told if kind == name else f"{kind}: {told}"
