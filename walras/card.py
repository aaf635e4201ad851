"""The result card: what a run says, on one screen of a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .scenarios.errors import plain

if TYPE_CHECKING:
    import pandas as pd

    from .scenarios.result import Result

Row = tuple[str, ...]
_OFFERS = 3
_SELLERS = 8


class Figures:
    """The summary of a run, looked up by task class, offer and metric."""

    def __init__(self, summary: pd.DataFrame) -> None:
        self.rows: dict[tuple[str, str, str], tuple[float, float, str]] = {
            (str(task), str(offer), str(metric)): (float(value), float(error), str(unit))
            for task, offer, metric, value, error, unit in zip(
                *(summary[c].tolist() for c in ("task", "offer", "metric", "value", "se", "unit")),
                strict=True,
            )
        }

    def value(self, task: str, offer: str, metric: str) -> float:
        """Return a figure; NaN if the run has none."""
        return self.rows.get((task, offer, metric), (math.nan, math.nan, ""))[0]

    def told(self, task: str, offer: str, metric: str, form: str, *, error: bool = False) -> str:
        """Return a figure as text, with its standard error if wanted; empty if there is none."""
        value, se, _ = self.rows.get((task, offer, metric), (math.nan, math.nan, ""))
        if not math.isfinite(value):
            return ""
        text = _FORMS[form](value)
        return f"{text} ±{_FORMS[form](se)}" if error and math.isfinite(se) and se > 0 else text

    def offers(self, task: str) -> list[str]:
        """Return the offers a class chose, the most chosen first; `outside` among them."""
        shares = {
            offer: value for (k, offer, metric), (value, _, _) in self.rows.items()
            if k == task and metric == "share" and offer != "all" and value > 0
        }  # fmt: skip
        return sorted(shares, key=lambda offer: (-shares[offer], offer))


def duration(x: float) -> str:
    """Return seconds in the unit that reads best."""
    if x == 0:
        return "0"
    if x < 0.9995:
        return f"{1000 * x:.3g} ms"
    if x < 120:
        return f"{x:.3g} s"
    return f"{x / 60:.3g} min" if x < 7200 else f"{x / 3600:.3g} h"


_FORMS = {
    "share": lambda x: f"{100 * x:.1f}%" if x < 0.9995 else "100%",
    "usd": lambda x: f"{x:.3g}" if x < 1000 else f"{x:,.0f}",
    "time": duration,
}


def card(result: Result, folder: str, command: str) -> RenderableType:
    """Return the result card: who wins which class, the sellers, where the files are.

    Args:
        result: a run.
        folder: the run folder, empty if nothing was written.
        command: the command that repeats it.
    """
    figures = Figures(result.summary())
    market = result.market
    parts: list[RenderableType] = [Text(f"{plain(market.name)}  seed {result.seed}", style="bold")]
    if market.question:
        parts.append(Text(plain(market.question, 400)))
    parts += ["", _classes(figures, [task.name for task in market.tasks])]
    sellers = _sellers(figures, [s.name for s in market.sellers])
    if sellers.row_count:
        parts += ["", sellers]
    parts += ["", *(Text(line) for line in _totals(figures))]
    parts += [Text(line, style="yellow") for line in _settling(result)]
    if folder:
        parts.append(Text(f"files   {folder}"))
    parts.append(Text(f"repeat  {command}"))
    return Group(*parts)


def _table(header: Row, rows: list[Row]) -> Table:
    """Return a table whose texts give way before its numbers where the terminal is narrow."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for i, name in enumerate(header):
        widest = max(len(cells[i]) for cells in (header, *rows))
        text = name in ("task class", "offer", "seller", "unit")
        table.add_column(
            name, justify="left" if text else "right", no_wrap=True, overflow="ellipsis",
            min_width=min(widest, 12) if text else widest,
        )  # fmt: skip
    for row in rows:
        table.add_row(*row)
    return table


def _classes(figures: Figures, tasks: list[str]) -> Table:
    """Who wins which task class."""
    rows: list[Row] = []
    for task in tasks:
        offers = figures.offers(task)
        for i, offer in enumerate(offers[:_OFFERS]):
            rows.append((
                plain(task) if i == 0 else "", plain(offer),
                figures.told(task, offer, "share", "share", error=True),
                figures.told(task, offer, "price", "usd"),
                figures.told(task, offer, "wait", "time"),
                figures.told(task, offer, "miss_rate", "share"),
                figures.told(task, offer, "accuracy", "share"),
            ))  # fmt: skip
        if len(offers) > _OFFERS:
            rest = 1 - sum(figures.value(task, offer, "share") for offer in offers[:_OFFERS])
            others = f"{len(offers) - _OFFERS} others"
            rows.append(("", others, _FORMS["share"](max(rest, 0.0)), "", "", "", ""))
        if not offers:
            rows.append((plain(task), "no tasks", "", "", "", "", ""))
    return _table(("task class", "offer", "share", "price USD", "wait", "missed", "right"), rows)


def _sellers(figures: Figures, names: list[str]) -> Table:
    """The busiest sellers; sellers without a capacity limit have no utilisation."""
    known = [n for n in names if math.isfinite(figures.value("all", n, "utilisation"))]
    known.sort(key=lambda n: -figures.value("all", n, "utilisation"))
    rows: list[Row] = [
        (
            plain(name), figures.told("all", name, "utilisation", "share", error=True),
            figures.told("all", name, "waiting", "usd"), figures.told("all", name, "price", "usd"),
            figures.rows.get(("all", name, "price"), (0.0, 0.0, ""))[2],
        )
        for name in known[:_SELLERS]
    ]  # fmt: skip
    return _table(("seller", "utilisation", "waiting", "price", "unit"), rows)


def _totals(figures: Figures) -> list[str]:
    """Totals of the market, those that the run has."""
    out = []
    for metric, label in (("welfare", "welfare"), ("surplus", "buyers"), ("profit", "sellers")):
        told = figures.told("all", "all", metric, "usd", error=True)
        if told:
            unit = figures.rows["all", "all", metric][2]
            out.append(f"{label:<8}{told} {unit}".rstrip())
    return out


def _settling(result: Result) -> list[str]:
    """Warn when the run seems to settle later than its warm-up, or not at all."""
    found, run = result.settling(), result.market.run
    if found is None:
        return []
    settled = found.epochs * result.market.epoch
    if not found.reached:
        return ["warm-up no steady state is seen in the load: run longer, or with more epochs"]
    if settled > run.warmup + result.market.epoch:
        return [
            f"warm-up the load seems to settle at {settled:.3g} s; warmup is {run.warmup:.3g} s"
        ]
    return []


def as_data(result: Result, folder: str, command: str) -> dict[str, Any]:
    """Return what `--json` prints; figures that are not known are null."""
    rows = [
        {"task": k, "offer": o, "metric": m, "value": _finite(v), "se": _finite(e), "unit": u}
        for (k, o, m), (v, e, u) in Figures(result.summary()).rows.items()
    ]
    return {
        "scenario": result.market.name, "seed": result.seed, "reps": result.reps,
        "digest": result.digest, "folder": folder, "command": command, "summary": rows,
    }  # fmt: skip


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
