"""The card of a comparison: what each mechanism gives, and what is certain to differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from .card import FORMS, Row, duration, table
from .market.schema.errors import plain
from .scenarios.compare import SHOWN, significant
from .scenarios.summary import BACKLOG

if TYPE_CHECKING:
    import pandas as pd

    from .scenarios.compare import Comparison

_LABELS = {
    "welfare": ("welfare, USD/h", "usd"), "surplus": ("buyers, USD/h", "usd"),
    "profit": ("sellers, USD/h", "usd"), "platform": ("platform, USD/h", "usd"),
    "miss_rate": ("missed", "share"), "served_share": ("served", "share"),
    "price": ("price, USD", "usd"), "sojourn": ("time", "time"),
}  # fmt: skip


def card(
    comparison: Comparison, folder: str, command: str, width: int = 80, what: str = "mechanisms"
) -> RenderableType:
    """Return the card of a comparison: means, then differences to the first mechanism.

    Args:
        comparison: the runs.
        folder: the folder written, empty if none was.
        command: the command that repeats it, empty if there is none.
        width: letters in a line of the terminal.
        what: is compared.
    """
    market, names = comparison.first.market, comparison.names
    title = f"{plain(market.name)}  seed {comparison.first.seed}  {len(names)} {what}"
    parts: list[RenderableType] = [Text(f"{title}, the same demand for all", style="bold")]
    if market.question:
        parts.append(Text(plain(market.question, 400)))
    levels, differences = comparison.levels(), comparison.differences()
    rows = _rows(levels)
    known = {
        (m, name): FORMS[_LABELS[m][1]](value).replace("-", "−")
        for m, name, value in _of_all(levels, "value")
        if m in rows and math.isfinite(value)
    }
    parts += _tables("", known, rows, names, width)
    changes = _changes(differences, rows, short=len(names) > 4)
    parts += _tables(f"against {names[0]}", changes, rows, names[1:], width)
    shown = differences[(differences["task"] == "all") & differences["metric"].isin(rows)]
    star = f"* differs, at 5% over all {shown['p'].notna().sum()} together (Holm)"
    parts.append(Text(f"{star}; ± half the width of a 95% interval" if any(
        "±" in cell for cell in changes.values()) else star, style="dim"))  # fmt: skip
    parts += [Text(line, style="yellow") for line in _backlogs(levels)]
    if folder:
        parts.append(Text(f"files   {folder}"))
    if command:
        parts.append(Text(f"repeat  {command}"))
    return Group(*parts)


def _backlogs(levels: pd.DataFrame) -> list[str]:
    """Say under which mechanisms more tasks come than are served."""
    return [
        f"backlog {name}: {FORMS['share'](value)} of those who came had not ended"
        for metric, name, value in _of_all(levels, "value")
        if metric == "unfinished_share" and value > BACKLOG
    ]


def _rows(levels: pd.DataFrame) -> list[str]:
    """Return the metrics shown; the platform's income only where it has any."""
    earns = levels[levels["metric"] == "platform"]["value"].abs().sum() > 0
    return [m for m in SHOWN if m in _LABELS and (earns or m != "platform")]


def _of_all(frame: pd.DataFrame, column: str) -> list[tuple[str, str, float]]:
    rows = frame[frame["task"] == "all"]
    return list(zip(rows["metric"], rows["mechanism"], rows[column], strict=True))


def _changes(
    differences: pd.DataFrame, rows: list[str], *, short: bool
) -> dict[tuple[str, str], str]:
    """Return each difference as text, with its interval where there is room."""
    of_all = differences[(differences["task"] == "all") & differences["metric"].isin(rows)]
    of_all = of_all[of_all["difference"].notna()]
    cells = {}
    for row, sure in zip(of_all.to_dict("records"), significant(of_all), strict=True):
        form = _LABELS[row["metric"]][1]
        half, change = (row["high"] - row["low"]) / 2, row["difference"]
        told = "" if short or not half > 0 else f" ±{_size(form, half)}"
        sign = "+" if change > 0 else "−" if change < 0 else ""
        text = f"{sign}{_size(form, abs(change))}{told}{'*' if sure else ' '}"
        cells[row["metric"], row["mechanism"]] = text
    return cells


def _size(form: str, x: float) -> str:
    """Return how large a difference is; of shares in percentage points."""
    if form == "share":
        return f"{100 * x:.2g}" if x < 0.1 else f"{100 * x:.3g}"
    return duration(x) if form == "time" else FORMS[form](x)


def _tables(
    title: str, cells: dict[tuple[str, str], str], rows: list[str], names: list[str], width: int
) -> list[RenderableType]:
    """Return a table, broken into several where the mechanisms don't fit side by side."""
    points = ", points" if title else ""
    labels = [_LABELS[m][0] + (points if _LABELS[m][1] == "share" else "") for m in rows]
    room = width - max(len(text) for text in (title, *labels))
    parts: list[RenderableType] = []
    for block in _blocks(cells, rows, names, room):
        body: list[Row] = [
            (label, *(cells.get((m, name), "") for name in block))
            for m, label in zip(rows, labels, strict=True)
        ]
        body = [row for row in body if any(row[1:])]
        if body:
            parts += ["", table((title, *block), body, width)]
    return parts


def _blocks(
    cells: dict[tuple[str, str], str], rows: list[str], names: list[str], room: int
) -> list[list[str]]:
    """Return the names in groups whose columns fit into `room`."""
    blocks: list[list[str]] = []
    left = 0
    for name in names:
        texts = [cells[m, name] for m in rows if (m, name) in cells]
        need = 2 + max(map(len, (name, *texts)))
        if not blocks or need > left:
            blocks.append([])
            left = room
        blocks[-1].append(name)
        left -= need
    return blocks


def as_data(comparison: Comparison, folder: str, command: str) -> dict[str, Any]:
    """Return what `--json` prints; figures that are not known are null."""
    first = comparison.first
    return {
        "scenario": first.market.name, "seed": first.seed, "reps": first.reps,
        "mechanisms": comparison.names, "digest": comparison.manifest["digest"],
        "digests": comparison.manifest["digests"], "folder": folder, "command": command,
        "levels": _records(comparison.levels()),
        "differences": _records(comparison.differences()),
    }  # fmt: skip


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            str(k): None if isinstance(v, float) and not math.isfinite(v) else v
            for k, v in row.items()
        }
        for row in frame.to_dict("records")
    ]
