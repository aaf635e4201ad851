"""The report's words and tables: the answer, key numbers, offers, parameters, sources."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..agents import catalogue as models
from ..market.spec import Market
from ..scenarios.estimates import Estimate
from ..scenarios.result import Result
from ..scenarios.schema import entry_at
from .figures.frames import OUTSIDE_OFFER, short_names
from .figures.notation import duration, number, percent, usd

_LISTS = {"tasks": "task class", "sellers": "seller", "events": "event"}
_RATIOS = ("ratio", "share", "probability", "")
_TOTALS = (
    ("served", "tasks served"), ("miss_rate", "late or never served"),
    ("accuracy", "right of those served"), ("sojourn", "mean time to the answer"),
    ("price", "mean price of an answer"), ("surplus", "buyers’ surplus"),
    ("profit", "sellers’ profit"), ("welfare", "welfare"),
)  # fmt: skip
_BY_CLASS = (
    ("arrived", "tasks"), ("miss_rate", "missed"), ("accuracy", "right"), ("sojourn", "time"),
    ("price", "price"), ("surplus", "surplus"),
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table as text, ready to print.

    Attributes:
        head: one heading per column.
        rows: cells, as text.
        title: its name, where several stand together.
    """

    head: list[str]
    rows: list[list[str]]
    title: str = ""


# --- numbers -----------------------------------------------------------------------------------


def measured(value: float, unit: str) -> str:
    """Return a value as a reader wants it: percentages, times and money in their own notation.

    Example:
        >>> measured(0.031, "ratio"), measured(90.0, "s"), measured(2.5, "USD/h")
        ('3.1%', '1.5 min', '2.5 USD/h')
    """
    if not math.isfinite(value):
        return number(value)
    if unit in _RATIOS:
        return percent(value) if value >= 0 else f"{100 * value:.1f}%"
    if unit == "s":
        return duration(value)
    if unit == "tasks":
        return number(value)
    return f"{number(value)} {unit.removesuffix('/task')}"


def _ends(row: pd.Series) -> tuple[float, float]:
    n = 0 if pd.isna(row["n"]) else int(row["n"])
    return Estimate(float(row["value"]), float(row["se"]), n, n - 1).interval()


def interval(row: pd.Series) -> str:
    """Return the 95% interval of a row of the summary as text; empty if its error is unknown."""
    low, high = _ends(row)
    if math.isnan(low):
        return ""
    unit = str(row["unit"])
    return f"{measured(low, unit)} to {measured(high, unit)}"


def with_error(row: pd.Series | None) -> str:
    """Return a row's value ± the half-width of its 95% interval, as text."""
    if row is None:
        return "–"
    unit = str(row["unit"])
    low, high = _ends(row)
    text = measured(float(row["value"]), unit)
    half = (high - low) / 2
    if math.isnan(half):
        return text
    if half > 0 and math.isfinite(half):
        half = round(half, 1 - math.floor(math.log10(half)))
    error = measured(half, unit)
    name, _, same = text.rpartition(" ")
    return f"{name} ± {error}" if name and error.endswith(f" {same}") else f"{text} ± {error}"


def _pick(
    summary: pd.DataFrame, metric: str, task: str = "all", offer: str = "all"
) -> pd.Series | None:
    rows = summary[
        (summary["metric"] == metric) & (summary["task"] == task) & (summary["offer"] == offer)
    ]
    rows = rows[rows["value"].notna()]
    return None if rows.empty else rows.iloc[0]


def key_numbers(summary: pd.DataFrame) -> Table:
    """Return the totals of a run, each with its 95% interval where the error is known."""
    rows = []
    for metric, label in _TOTALS:
        row = _pick(summary, metric)
        if row is not None:
            rows.append([label, measured(float(row["value"]), str(row["unit"])), interval(row)])
    return Table(["", "mean", "95% interval"], rows)


def class_numbers(market: Market, summary: pd.DataFrame) -> Table:
    """Return the totals of each task class, ± half the width of the 95% interval."""
    names, leaders = short_names(market), leading_offers(summary)
    metrics = [m for m in _BY_CLASS if any(_pick(summary, m[0], t.name) is not None
                                          for t in market.tasks)]  # fmt: skip
    rows = []
    for task in market.tasks:
        offer, share = leaders.get(task.name, ("", math.nan))
        leader = f"{names.get(offer, offer)} ({percent(share)})" if offer else "–"
        cells = [task.name, leader]
        cells += [with_error(_pick(summary, metric, task.name)) for metric, _ in metrics]
        rows.append(cells)
    return Table(["task class", "most chosen offer", *(label for _, label in metrics)], rows)


def leading_offers(summary: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Map each task class to its most chosen offer and that offer's share of the class."""
    shares = summary[(summary["metric"] == "share") & (summary["task"] != "all")]
    shares = shares[~shares["offer"].isin(["all", OUTSIDE_OFFER]) & (shares["value"] > 0)]
    best = shares.sort_values("value", kind="stable").groupby("task").tail(1)
    return {
        str(t): (str(o), float(v))
        for t, o, v in zip(best["task"], best["offer"], best["value"], strict=True)
    }


# --- the answer --------------------------------------------------------------------------------


def answer(result: Result, summary: pd.DataFrame) -> list[str]:
    """Say in up to three sentences who wins what, how tasks fare, and what it is worth."""
    return [s for s in (_who(result, summary), _how(summary), _worth(summary)) if s]


def _who(result: Result, summary: pd.DataFrame) -> str:
    names, leaders = short_names(result.market), leading_offers(summary)
    if not leaders:
        return "No buyer chose any offer."
    won: dict[str, list[str]] = {}
    for task in result.market.tasks:
        if task.name in leaders:
            offer, share = leaders[task.name]
            won.setdefault(names.get(offer, offer), []).append(f"{task.name} ({percent(share)})")
    if len(won) == 1:
        ((offer, tasks),) = won.items()
        return f"{offer} is the most chosen offer, in {_list(tasks)}."
    parts = [f"{offer} for {_list(tasks)}" for offer, tasks in won.items()]
    return f"{len(won)} different offers are chosen most: " + "; ".join(parts) + "."


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _how(summary: pd.DataFrame) -> str:
    parts = []
    right, missed, arrived = (_pick(summary, m) for m in ("accuracy", "miss_rate", "arrived"))
    if right is not None:
        parts.append(f"{percent(float(right['value']))} of answers are right")
    if missed is not None:
        share = percent(float(missed["value"]))
        parts.append(f"{share} of those who chose an offer are served late or never")
    if not parts:
        return ""
    of = f"Of {number(float(arrived['value']))} tasks that arrive: " if arrived is not None else ""
    text = of + " and ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _worth(summary: pd.DataFrame) -> str:
    price, surplus, profit = (_pick(summary, m) for m in ("price", "surplus", "profit"))
    parts = []
    if price is not None:
        parts.append(f"an answer costs {usd(float(price['value']))} on average")
    if surplus is not None:
        gain = f"buyers gain {usd(float(surplus['value']))} per hour"
        parts.append(gain + _most_of_it(summary, float(surplus["value"])))
    if profit is not None:
        verb = "earn" if profit["value"] >= 0 else "lose"
        parts.append(f"sellers {verb} {usd(abs(float(profit['value'])))} per hour")
    text = _list(parts) if parts else ""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _most_of_it(summary: pd.DataFrame, total: float) -> str:
    """Name the class that half the buyers' surplus or more comes from, with its share of tasks."""
    rows = summary[(summary["task"] != "all") & (summary["offer"] == "all")]
    gains = rows[rows["metric"] == "surplus"].set_index("task")["value"].dropna()
    counts = rows[rows["metric"] == "arrived"].set_index("task")["value"]
    if len(gains) < 2 or total <= 0 or not 0.5 <= gains.max() / total <= 1 or not counts.sum() > 0:
        return ""
    most = gains.idxmax()
    tasks = percent(float(counts.get(most, 0.0) / counts.sum()))
    return f" ({percent(float(gains.max() / total))} of it in {most}, {tasks} of the tasks)"


# --- offers, parameters, sources ---------------------------------------------------------------


def offers_table(market: Market, summary: pd.DataFrame) -> Table:
    """Return one row per offer: terms, technology and the classes it leads."""
    names = short_names(market)
    leads: dict[str, list[str]] = {}
    for task, (offer, _) in leading_offers(summary).items():
        leads.setdefault(offer, []).append(task)
    rows = []
    for s in market.sellers:
        for effort, thinking in s.effort.items():
            offer = f"{s.name}/{effort}"
            per_task = f"{number(s.price.task)} per task" if s.price.task else ""
            tokens = f"{number(s.price.input)} / {number(s.price.output)}"
            tokens = tokens if s.price.by_token else ""
            rows.append([
                names[offer], s.owned_by, "open" if s.open else "closed", number(thinking),
                " + ".join(filter(None, (tokens, per_task))) or "0",
                number(s.speed), number(s.slots), ", ".join(leads.get(offer, [])) or "–",
            ])  # fmt: skip
    head = ["offer", "owner", "weights", "thinking (tokens)", "price in / out (USD/Mtok)",
            "speed (tokens/s)", "slots", "most chosen in"]  # fmt: skip
    return Table(head, rows)


def parameters(market: Market) -> list[Table]:
    """Return every field of the market with value, unit and meaning, one table per part."""
    data = market.model_dump()
    groups: dict[str, list[list[str]]] = {"market": []}
    for path, value in _leaves(data, ()):
        entry = entry_at(path, data)
        title, skip = "market", 0
        if len(path) > 1:
            title, skip = str(path[0]), 1
        if title in _LISTS:
            item = data[title][path[1]]
            title, skip = f"{_LISTS[title]} {item.get('name', f'{path[1]}')}", 2
        row = [".".join(map(str, path[skip:])), _shown(value)]
        row += [entry.unit, entry.doc] if entry is not None else ["", ""]
        groups.setdefault(title, []).append(row)
    head = ["field", "value", "unit", "meaning"]
    return [Table(head, rows, title) for title, rows in groups.items() if rows]


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for i, inner in enumerate(value):
            yield from _leaves(inner, (*path, i))
    else:
        yield path, value


def _shown(value: Any) -> str:
    if value is None or value in ("", {}, []):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return f"{value:.12g}"
    if isinstance(value, list):
        some = value if len(value) <= 6 else [f"{len(value):,} entries", value[0], "…", value[-1]]
        return ", ".join(map(_shown, some))
    if callable(value):
        return f"Python function {getattr(value, '__name__', type(value).__name__)}"
    return str(value)


def sources(market: Market) -> list[Table]:
    """Return the sources of the catalogue's figures; nothing without a known catalogue."""
    if market.catalogue not in models.catalogues():
        return []
    book = models.load(market.catalogue)
    here = {s.name for s in market.sellers}
    rows = [r for r in models.sources_table(book) if r["model"] in here]
    used = {key for r in rows for key in str(r["source"]).split(", ") if key}
    figures = Table(
        ["model", "figure", "value", "unit", "kind", "source"],
        [[r["model"], r["field"], _shown(r["value"]), r["unit"], r["kind"], r["source"]]
         for r in rows], "figures of the catalogue",
    )  # fmt: skip
    listed = [[key, str(text)] for key, text in book.sources.items() if key in used]
    return [Table(["source", "where"], listed, "sources"), figures]
