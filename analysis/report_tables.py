"""The report's tables: key numbers, offers, parameters, sources."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..agents import catalogue as models
from ..market.schema.market import Market
from ..market.schema.supply import Ability
from ..scenarios.estimates import Estimate
from ..scenarios.schema import entry_at
from .figures.frames import OUTSIDE_OFFER, short_names
from .figures.notation import duration, number, percent, time_unit

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
    ("price", "price"), ("thinking", "thinking"), ("surplus", "surplus"),
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
    """Return the 95% interval of a row of the summary as text; empty if its error is unknown.

    Batches that all gave the same value tell no error either.
    """
    low, high = _ends(row)
    if math.isnan(low) or low == high:
        return ""
    first, last = (measured(end, str(row["unit"])) for end in (low, high))
    _, gap, unit = last.partition(" ")
    return f"{first.removesuffix(gap + unit)} to {last}"


def with_error(row: pd.Series | None) -> str:
    """Return a row's value ± the half-width of its 95% interval, to the error's first digit.

    Example:
        >>> row = {"value": 0.5368, "se": 0.01, "n": 20, "unit": "ratio"}
        >>> with_error(pd.Series(row))
        '54 ± 2%'
    """
    if row is None:
        return "–"
    value, unit = float(row["value"]), str(row["unit"])
    low, high = _ends(row)
    half = (high - low) / 2
    if not (math.isfinite(value) and math.isfinite(half) and half > 0):
        return measured(value, unit)
    size, name = told_in(value, unit)
    places = -math.floor(math.log10(half / size))
    texts = [f"{round(v / size, places):,.{max(places, 0)}f}" for v in (value, half)]
    return f"{' ± '.join(texts)}{name}".replace("-", "−")


def told_in(value: float, unit: str) -> tuple[float, str]:
    """Return the size of the unit that a value is told in, and its name with the gap before it."""
    if unit in _RATIOS:
        return 0.01, "%"
    if unit == "s":
        size, name = time_unit(abs(value))
        return size, f" {name}"
    name = unit.removesuffix("/task")
    return 1.0, "" if name == "tasks" else f" {name}"


def pick(
    summary: pd.DataFrame, metric: str, task: str = "all", offer: str = "all"
) -> pd.Series | None:
    """Return the row of the summary that holds a metric; None if it is unknown."""
    rows = summary[
        (summary["metric"] == metric) & (summary["task"] == task) & (summary["offer"] == offer)
    ]
    rows = rows[rows["value"].notna()]
    return None if rows.empty else rows.iloc[0]


def key_numbers(summary: pd.DataFrame) -> Table:
    """Return the totals of a run, each with its 95% interval where the error is known."""
    rows = []
    for metric, label in _TOTALS:
        row = pick(summary, metric)
        if row is not None:
            rows.append([label, measured(float(row["value"]), str(row["unit"])), interval(row)])
    return Table(["", "mean", "95% interval"], rows)


def class_numbers(market: Market, summary: pd.DataFrame) -> Table:
    """Return the totals of each task class, ± half the width of the 95% interval."""
    names, leaders = short_names(market), leading_offers(summary)
    columns = {"did without": [pick(summary, "share", t.name, OUTSIDE_OFFER) for t in market.tasks]}
    for metric, heading in _BY_CLASS:
        columns[heading] = [pick(summary, metric, t.name) for t in market.tasks]
    for heading in ("did without", "thinking"):
        if not any(row is not None and row["value"] > 0 for row in columns[heading]):
            del columns[heading]
    columns = {h: rows for h, rows in columns.items() if any(row is not None for row in rows)}
    head, cells = ["task class", "most chosen offer"], []
    for heading, found in columns.items():
        unit = next(told_in(1.0, str(row["unit"]))[1] for row in found if row is not None)
        told = unit if heading in ("price", "thinking", "surplus") else ""
        head.append(f"{heading} ({told.strip()})" if told else heading)
        cells.append([with_error(row).removesuffix(told) for row in found])
    lines = []
    for task, *row in zip(market.tasks, *cells, strict=True):
        offer, share = leaders.get(task.name, ("", math.nan))
        leader = f"{names.get(offer, offer)} ({percent(share)})" if offer else "–"
        lines.append([task.name, leader, *row])
    return Table(head, lines)


def leading_offers(summary: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Map each task class to its most chosen offer and that offer's share of the class."""
    shares = summary[(summary["metric"] == "share") & (summary["task"] != "all")]
    shares = shares[~shares["offer"].isin(["all", OUTSIDE_OFFER]) & (shares["value"] > 0)]
    best = shares.sort_values("value", kind="stable").groupby("task").tail(1)
    return {
        str(t): (str(o), float(v))
        for t, o, v in zip(best["task"], best["offer"], best["value"], strict=True)
    }


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
    for path, value in leaves(data, ()):
        entry = entry_at(path, data)
        title, skip = "market", 0
        if len(path) > 1:
            title, skip = str(path[0]), 1
        if title in _LISTS:
            item = data[title][path[1]]
            title, skip = f"{_LISTS[title]} {item.get('name', f'{path[1]}')}", 2
        row = [".".join(map(str, path[skip:])), as_text(value)]
        row += [entry.unit, entry.doc] if entry is not None else ["", ""]
        groups.setdefault(title, []).append(row)
    head = ["field", "value", "unit", "meaning"]
    return [Table(head, rows, title) for title, rows in groups.items() if rows]


def leaves(
    value: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the values in plain data, each with the steps that lead to it."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, tuple) and value and isinstance(value[0], dict):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*path, i))
    else:
        yield path, value


def as_text(value: Any) -> str:
    """Return a value of a field as a reader wants it."""
    if value is None or value in ("", {}, ()):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return f"{value:.12g}"
    if isinstance(value, tuple):
        some = value if len(value) <= 6 else [f"{len(value):,} entries", value[0], "…", value[-1]]
        return ", ".join(map(as_text, some))
    if callable(value):
        return f"Python function {getattr(value, '__name__', type(value).__name__)}"
    return str(value)


def _estimated(ability: Mapping[str, Ability], field: str) -> bool:
    """Whether a seller sells by the estimate that a figure `ability.SKILL.…` is."""
    item = ability.get(field.split(".")[1])
    return item is not None and item.error > 0


def sources(market: Market) -> list[Table]:
    """Return the sources of the catalogue's figures; nothing without a known catalogue."""
    if market.catalogue not in models.catalogues():
        return []
    book = models.load(market.catalogue)
    abilities = {s.name: s.ability for s in market.sellers}
    rows = [
        r for r in models.sources_table(book)
        if r["model"] in abilities
        and (r["kind"] != "estimated" or _estimated(abilities[r["model"]], r["field"]))
    ]  # fmt: skip
    used = {key for r in rows for key in str(r["source"]).split(", ") if key}
    figures = Table(
        ["model", "figure", "value", "unit", "kind", "source"],
        [[r["model"], r["field"], as_text(r["value"]), r["unit"], r["kind"], r["source"]]
         for r in rows], "figures of the catalogue",
    )  # fmt: skip
    listed = [[key, str(text)] for key, text in book.sources.items() if key in used]
    return [Table(["source", "where"], listed, "sources"), figures]
