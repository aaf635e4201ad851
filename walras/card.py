"""The result card: what a run says, on one screen of a terminal; the report has the rest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from .market.schema.errors import plain
from .market.schema.trading import DOUBLE
from .scenarios.estimates import Estimate
from .scenarios.summary import BACKLOG

if TYPE_CHECKING:
    import pandas as pd

    from .market.schema.market import Market
    from .scenarios.result import Result

Row = tuple[str, ...]
_ROWS = 24  # lines that task classes and their offers may take: the card fits into 40
_OFFERS = 3  # offers of a class at most
_SELLERS = 3
_SHORTEST = 12  # letters to which names are cut at most
_GAP = "  "


class _Figure(NamedTuple):
    """A row of the summary; `half` is half the width of its 95% interval."""

    value: float = math.nan
    se: float = math.nan
    half: float = math.nan
    unit: str = ""


class Figures:
    """The summary of a run, looked up by task class, offer and metric."""

    def __init__(self, summary: pd.DataFrame) -> None:
        columns = ("task", "offer", "metric", "value", "se", "unit", "n")
        self.rows: dict[tuple[str, str, str], _Figure] = {
            (str(task), str(offer), str(metric)): _Figure(value, se, _half(value, se, n), str(unit))
            for task, offer, metric, value, se, unit, n in zip(
                *(summary[c].tolist() for c in columns), strict=True
            )
        }

    def value(self, task: str, offer: str, metric: str) -> float:
        """Return a figure; NaN if the run has none."""
        return self.rows.get((task, offer, metric), _Figure()).value

    def told(self, task: str, offer: str, metric: str, form: str, *, error: bool = False) -> str:
        """Return a figure as text, with its 95% interval if wanted; empty if there is none."""
        figure = self.rows.get((task, offer, metric), _Figure())
        if not math.isfinite(figure.value):
            return ""
        text = FORMS[form](figure.value)
        told = error and math.isfinite(figure.half) and figure.half > 0
        return f"{text} ±{FORMS[form](figure.half)}" if told else text

    def offers(self, task: str) -> list[str]:
        """Return the offers a class chose, the most chosen first; `outside` among them."""
        shares = {
            offer: figure.value for (k, offer, metric), figure in self.rows.items()
            if k == task and metric == "share" and offer != "all" and figure.value > 0
        }  # fmt: skip
        return sorted(shares, key=lambda offer: (-shares[offer], offer))


def _half(value: float, se: float, n: float) -> float:
    """Return half the width of a 95% interval, as the report shows it; NaN if unknown."""
    if not math.isfinite(se) or not n > 1:
        return math.nan
    low, high = Estimate(value, se, int(n), int(n) - 1).interval()
    return (high - low) / 2


def duration(x: float) -> str:
    """Return seconds in the unit that reads best."""
    if x == 0:
        return "0"
    if x < 0.9995:
        return f"{1000 * x:.3g} ms"
    if x < 120:
        return f"{x:.3g} s"
    return f"{x / 60:.3g} min" if x < 7200 else f"{x / 3600:.3g} h"


FORMS = {
    "share": lambda x: f"{100 * x:.1f}%" if x < 0.9995 else "100%",
    "usd": lambda x: f"{x:.3g}" if abs(x) < 1000 else f"{x:,.0f}",
    "time": duration,
}


def card(result: Result, folder: str, command: str, width: int = 80) -> RenderableType:
    """Return the result card: who wins which class, the sellers, where the files are.

    Args:
        result: a run.
        folder: the run folder, empty if nothing was written.
        command: the command that repeats it, empty if there is none.
        width: letters in a line of the terminal.
    """
    figures = Figures(result.summary())
    market = result.market
    title = f"{plain(market.name)}  seed {result.seed}"
    if any(math.isfinite(figure.half) for figure in figures.rows.values()):
        title += "  (± half the width of a 95% interval)"
    parts: list[RenderableType] = [Text(title, style="bold")]
    if market.question:
        parts.append(Text(plain(market.question, 400)))
    parts += ["", _classes(figures, [task.name for task in market.tasks], width)]
    sellers = _sellers(figures, market, width)
    if sellers is not None:
        parts += ["", sellers]
    parts += ["", Text(_totals(figures, width))]
    parts += [Text(line, style="yellow") for line in _settling(result)]
    came, left = (figures.value("all", "all", name) for name in ("arrived", "unfinished"))
    if left > BACKLOG * came:
        told = f"{left:,.0f} tasks had not ended when the run did; {came:,.0f} came"
        told = f"backlog {told}{' after the warm-up' if market.run.warmup > 0 else ''}"
        parts.append(Text(told, style="yellow"))
    if folder:
        parts.append(Text(f"files   {folder}"))
    if command:
        parts.append(Text(f"repeat  {command}"))
    return Group(*parts)


def table(header: Row, rows: list[Row], width: int) -> Text:
    """Return a table; where the terminal is narrow, names are cut in the middle, numbers never."""
    widest = [max(len(cells[i]) for cells in (header, *rows)) for i in range(len(header))]
    room = max(width - sum(widest[1:]) - len(_GAP) * (len(header) - 1), _SHORTEST)
    widest[0] = min(widest[0], room)
    lines = [
        _GAP.join(
            middle(cell, size).ljust(size) if i == 0 or header[i] == "unit" else cell.rjust(size)
            for i, (cell, size) in enumerate(zip(cells, widest, strict=True))
        ).rstrip()
        for cells in (header, *rows)
    ]
    text = Text(no_wrap=True, overflow="ignore")
    return text.append(lines[0], style="bold").append("".join(f"\n{line}" for line in lines[1:]))


def middle(text: str, width: int) -> str:
    """Cut a text in the middle: of `seller/effort` both ends tell.

    Example:
        >>> middle("claude-3.7-sonnet/think-64k", 20)
        'claude-3…t/think-64k'
    """
    if len(text) <= width:
        return text
    end = width // 2 + 1
    return f"{text[: width - 1 - end]}…{text[-end:]}"


def _classes(figures: Figures, tasks: list[str], width: int) -> Text:
    """Who wins which task class: a line for all of the class, below it its most chosen offers."""
    shown = min(max(_ROWS // len(tasks) - 1, 1), _OFFERS)
    rows: list[Row] = []
    for task in tasks[: _ROWS // (1 + shown)]:
        offers = figures.offers(task)
        rows.append(_fare(figures, task, "all", plain(task, 64) + ("" if offers else ": no tasks")))
        rows += [
            _fare(figures, task, offer, f"  {plain(offer, 200)}") for offer in offers[:shown]
        ]  # fmt: skip
    header = ("task class, offer", "share", "price USD", "time", "missed", "right")
    text = table(header, rows, width)
    more = len(tasks) - _ROWS // (1 + shown)
    return text.append(f"\n{more} more classes are in the report") if more > 0 else text


def _fare(figures: Figures, task: str, offer: str, name: str) -> Row:
    """How those of a class fare who chose an offer, or all of it, as a row under a name."""
    return (
        name,
        figures.told(task, offer, "share", "share", error=True),
        figures.told(task, offer, "price", "usd"),
        figures.told(task, offer, "sojourn", "time"),
        figures.told(task, offer, "miss_rate", "share"),
        figures.told(task, offer, "accuracy", "share"),
    )


def _sellers(figures: Figures, market: Market, width: int) -> Text | None:
    """The busiest sellers; sellers without a capacity limit have no utilisation.

    What they post is left out under double auctions, where nobody buys at posted prices.
    """
    posted = not isinstance(market.mechanism, DOUBLE)
    load = {s.name: figures.value("all", s.name, "utilisation") for s in market.sellers}
    limited = [s for s in market.sellers if math.isfinite(load[s.name])]
    limited.sort(key=lambda s: -load[s.name])
    rows: list[Row] = [
        (
            plain(s.name, 64), figures.told("all", s.name, "utilisation", "share", error=True),
            figures.told("all", s.name, "waiting", "usd"),
            *(_posted(figures, s.offers) if posted else ()),
        )
        for s in limited[:_SELLERS]
    ]  # fmt: skip
    header = ("busiest sellers", "utilisation", "waiting", *(("posted", "unit") if posted else ()))
    return table(header, rows, width) if rows else None


def _posted(figures: Figures, offers: list[str]) -> tuple[str, str]:
    """What a seller's offers posted on average, from the lowest to the highest, and the unit."""
    prices = [figures.value("all", offer, "posted_price") for offer in offers]
    low, high = (FORMS["usd"](price) for price in (min(prices), max(prices)))
    unit = figures.rows.get(("all", offers[0], "posted_price"), _Figure()).unit
    return (low if low == high else f"{low} to {high}"), unit


def _totals(figures: Figures, width: int) -> str:
    """What the market is worth per hour, as far as the run has it; errors where there is room."""
    labels = {"welfare": "welfare", "surplus": "buyers", "profit": "sellers"}
    if figures.value("all", "all", "platform") > 0:
        labels["platform"] = "platform"
    line = ""
    for error in (True, False):
        told = {m: figures.told("all", "all", m, "usd", error=error) for m in labels}
        known = [f"{label} {told[m]}" for m, label in labels.items() if told[m]]
        line = f"{', '.join(known)} USD/h" if known else ""
        if len(line) <= width:
            break
    return line


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
        {"task": k, "offer": o, "metric": m, "value": _finite(f.value),
         "se": _finite(f.se), "unit": f.unit}
        for (k, o, m), f in Figures(result.summary()).rows.items()
    ]  # fmt: skip
    return {
        "scenario": result.market.name, "seed": result.seed, "reps": result.reps,
        "digest": result.digest, "folder": folder, "command": command, "summary": rows,
    }  # fmt: skip


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
