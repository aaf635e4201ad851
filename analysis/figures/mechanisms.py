"""M1: one demand under several mechanisms: welfare and its split, misses, prices, side by side."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ...scenarios.compare import Comparison, significant
from .compared import ALL, GAINS, MISSES, QUANTILES, data
from .notation import number, percent
from .template import INK, MUTED, OKABE_ITO, OUTSIDE, escape, label, titled, undrawn

_CLASSES = 5  # classes that have a row of panels of their own
_LOOKS = {
    "buyers": (OKABE_ITO[0], ""), "sellers": (OKABE_ITO[1], "/"), "platform": (OKABE_ITO[2], "x"),
    "late": (OKABE_ITO[5], ""), "left": (OKABE_ITO[3], "/"), "did without": (OUTSIDE, "."),
    "not ended": (OKABE_ITO[4], "x"),
}  # fmt: skip
"""Colour and pattern of each part: the patterns tell them apart in a grey print."""
_BAR, _ABOVE, _TOP, _BOTTOM = 24, 74, 74, 54
"""Heights: of a mechanism's bar, between rows of panels, above the first and below the last, px."""
_WIDTHS = (0.40, 0.28, 0.32)
_ROOM = 0.30
"""How far an axis goes on to the right, for numbers, as a share of what is drawn."""
_LETTER = 0.009
"""Width of a letter of a number as a share of all three panels, if they are 800 px wide."""
_SLIVER = 0.005
"""A share of an axis that nobody sees."""


def build(comparison: Comparison) -> go.Figure:
    """Draw a row of three panels for all tasks and one for each of the classes that come most."""
    table = data(comparison)
    if not (table["metric"] == "welfare").any():
        return undrawn(finding(comparison), "No task came.")
    rows, names = _rows(comparison), comparison.names
    bars = _BAR * len(names)
    room = len(rows) * bars + (len(rows) - 1) * _ABOVE
    figure = make_subplots(
        len(rows), 3, shared_yaxes=True, column_widths=list(_WIDTHS), horizontal_spacing=0.035,
        vertical_spacing=_ABOVE / room if len(rows) > 1 else 0.0,
    )  # fmt: skip
    for row, task in enumerate(rows, start=1):
        cell = _Cell(table, task, names)
        _gains(figure, row, cell)
        _missed(figure, row, cell)
        _prices(figure, row, cell)
        told = "all tasks" if task == ALL else label(task)
        axis = "y" if row == 1 else f"y{3 * row - 2}"
        figure.add_annotation(
            text=f"<b>{told}</b>", x=0, xref="x domain", y=1, yref=f"{axis} domain",
            xanchor="left", yanchor="bottom", yshift=4, font={"size": 13},
        )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure = titled(figure, finding(comparison))
    top = int(figure.layout.margin.t) + _TOP - 24
    _keys(figure)
    figure.update_layout(
        barmode="relative", bargap=0.34, showlegend=False, margin_t=top, margin_b=_BOTTOM,
        height=room + top + _BOTTOM,
    )  # fmt: skip
    return figure


def _rows(comparison: Comparison) -> list[str]:
    """Return what has a row of panels: all tasks and, if there are several, the main classes."""
    tasks = [t.name for t in comparison.first.market.tasks]
    if len(tasks) == 1:
        return [ALL]
    rows = comparison.levels()
    rows = rows[(rows["metric"] == "welfare") & (rows["mechanism"] == comparison.names[0])]
    worth = rows.set_index("task")["value"].abs()
    main = sorted(tasks, key=lambda t: -float(worth.get(t, 0.0)))[:_CLASSES]
    return [ALL, *(t for t in tasks if t in main)]


class _Cell:
    """The numbers of one row of panels, by metric and mechanism."""

    def __init__(self, table: pd.DataFrame, task: str, names: list[str]) -> None:
        self.names = names
        self.shown = [label(name.replace("_", " ")) for name in names]
        rows = table[table["task"] == task]
        self._rows = rows.set_index(["metric", "mechanism"])[["value", "low", "high"]]

    def get(self, metric: str, what: str = "value") -> list[float]:
        """Return a number per mechanism; NaN where there is none."""
        return [
            float(self._rows[what].get((metric, name), math.nan)) for name in self.names
        ]  # fmt: skip

    def has(self, metric: str) -> bool:
        """Return whether a metric is known and not zero throughout."""
        values = np.nan_to_num(self.get(metric))
        return bool(np.any(values != 0.0))


def _gains(figure: go.Figure, row: int, cell: _Cell) -> None:
    """Stack who gains what and mark their sum."""
    for metric, part in GAINS.items():
        if cell.has(metric):
            _bar(figure, row, 1, cell, metric, part, "%{x:,.3~g} USD/h")
    _marked(figure, row, 1, cell, "welfare", "%{x:,.4~g} USD/h")
    # The marker's reach counts where it lies beyond the bars.
    sums = [
        sum(max(v, 0.0) for v in values if math.isfinite(v))
        for values in zip(*(cell.get(m) for m in GAINS), strict=True)
    ]
    reach = [_largest(s, w, h) for s, w, h in zip(
        sums, cell.get("welfare"), cell.get("welfare", "high"), strict=True)]  # fmt: skip
    texts = [number(v) for v in cell.get("welfare")]
    ends = [*(cell.get(m) for m in GAINS), cell.get("welfare"), cell.get("welfare", "low")]
    low = min(0.0, *(v for values in ends for v in values if math.isfinite(v)))
    low = low if low < -_SLIVER * max(reach) else 0.0
    _told(figure, row, 1, cell, reach, texts, cell.get("welfare")[0], low)
    _range(figure, row, 1, low, max(reach))
    figure.update_xaxes(tickformat=",~g", nticks=5, row=row, col=1)


def _missed(figure: go.Figure, row: int, cell: _Cell) -> None:
    """Stack the shares of those who came and got nothing in time."""
    for metric, part in MISSES.items():
        if cell.has(metric):
            _bar(figure, row, 2, cell, metric, part, "%{x:.1%}")
    totals = cell.get("missed_share")
    _told(figure, row, 2, cell, totals, [percent(v) for v in totals], totals[0])
    _line(figure, row, 2, totals[0])
    _range(figure, row, 2, 0.0, _largest(*totals))
    figure.update_xaxes(tickformat="~%", nticks=5, row=row, col=2)


def _prices(figure: go.Figure, row: int, cell: _Cell) -> None:
    """Draw the middle of the prices paid as a band and their mean as a mark."""
    low, high = (cell.get(f"price_{q:.0%}") for q in QUANTILES)
    for y, a, b in zip(cell.shown, low, high, strict=True):
        if math.isfinite(a):
            figure.add_trace(go.Scatter(
                x=[a, b], y=[y, y], mode="lines", line={"color": "#c8c8c8", "width": 9},
                hovertemplate="%{x:,.3~g} USD<extra>10% and 90% of answers</extra>",
            ), row=row, col=3)  # fmt: skip
    _marked(figure, row, 3, cell, "price", "%{x:,.3~g} USD")
    reach = [_largest(*ends) for ends in zip(
        cell.get("price"), cell.get("price", "high"), high, strict=True)]  # fmt: skip
    means = cell.get("price")
    _told(figure, row, 3, cell, reach, [number(v) for v in means], means[0])
    _range(figure, row, 3, 0.0, _largest(*reach))
    figure.update_xaxes(tickformat=",~g", nticks=5, row=row, col=3)


def _bar(
    figure: go.Figure, row: int, col: int, cell: _Cell, metric: str, part: str, hover: str
) -> None:
    colour, shape = _LOOKS[part]
    figure.add_trace(go.Bar(
        x=cell.get(metric), y=cell.shown, orientation="h", name=part,
        marker={"color": colour, "line": {"color": "white", "width": 0.6},
                "pattern": {"shape": shape, "fgcolor": "white", "fillmode": "overlay", "size": 5,
                            "solidity": 0.3}},
        hovertemplate=f"{hover}<extra>{part}</extra>",
    ), row=row, col=col)  # fmt: skip


def _marked(figure: go.Figure, row: int, col: int, cell: _Cell, metric: str, hover: str) -> None:
    """Mark a mean, its interval, and where the first mechanism stands."""
    values, high = cell.get(metric), cell.get(metric, "high")
    _line(figure, row, col, values[0])
    half = [0.0 if math.isnan(h) else h - v for v, h in zip(values, high, strict=True)]
    figure.add_trace(go.Scatter(
        x=values, y=cell.shown, mode="markers", name=metric,
        marker={"symbol": "diamond", "size": 8, "color": INK,
                "line": {"color": "white", "width": 1}},
        error_x={"type": "data", "array": half, "color": INK, "thickness": 1.4, "width": 4},
        hovertemplate=f"{hover}<extra>{metric}</extra>",
    ), row=row, col=col)  # fmt: skip


def _line(figure: go.Figure, row: int, col: int, at: float) -> None:
    """Draw where the first mechanism stands."""
    if math.isfinite(at):
        figure.add_vline(x=at, line={"color": INK, "width": 1, "dash": "dot"}, row=row, col=col)


def _told(
    figure: go.Figure, row: int, col: int, cell: _Cell, at: list[float], texts: list[str],
    line: float, low: float = 0.0,
) -> None:  # fmt: skip
    """Write numbers to the right of what they are about, or of the dotted line if that is there.

    `low` is where the axis begins.
    """
    letter = (_largest(*at) - low) * (1.0 + _ROOM) * _LETTER / _WIDTHS[col - 1]
    for end, y, text in zip(at, cell.shown, texts, strict=True):
        x = line if end < line < end + letter * (len(text) + 2) else end
        if math.isfinite(x):
            figure.add_annotation(
                text=escape(text), x=x, y=y, xanchor="left", yanchor="middle", xshift=7,
                font={"size": 12}, bgcolor="rgba(255,255,255,0.85)", borderpad=0, row=row, col=col,
            )  # fmt: skip


def _range(figure: go.Figure, row: int, col: int, low: float, high: float) -> None:
    """Fit an axis, with room for numbers at its right; draw its zero."""
    span = max(high - low, 1e-12)
    figure.update_xaxes(
        range=[low - 0.03 * span * (low < 0), high + _ROOM * span], row=row, col=col
    )
    figure.update_xaxes(zeroline=True, zerolinecolor=MUTED, zerolinewidth=1.2, row=row, col=col)


def _largest(*values: float) -> float:
    return max((v for v in values if math.isfinite(v)), default=0.0)


def _keys(figure: go.Figure) -> None:
    """Head each column with what it shows and its colours."""
    heads: tuple[tuple[str, list[str], str], ...] = (
        ("welfare, USD per hour", [*dict.fromkeys(GAINS.values())], "◆ sum"),
        ("got nothing in time, of all who came", [*MISSES.values()], ""),
        ("price of an answer, USD", [], "◆ mean, ▬ 10 to 90% of answers"),
    )
    for col, (head, parts, mark) in enumerate(heads):
        axis = "x domain" if col == 0 else f"x{col + 1} domain"
        drawn = {str(trace.name) for trace in figure.data}
        keys = [f'<span style="color:{_LOOKS[p][0]}">■</span> {p}' for p in parts if p in drawn]
        figure.add_annotation(
            text=f"{head}<br>{'  '.join([*keys, *([mark] if mark else [])])}", x=0, xref=axis, y=1,
            yref="y domain", xanchor="left", yanchor="bottom", yshift=26, align="left",
            font={"size": 12, "color": INK},
        )  # fmt: skip


def finding(comparison: Comparison) -> str:
    """Say in one sentence what the mechanisms change for certain, all together at 5% (Holm)."""
    first = comparison.names[0]
    rows = comparison.differences()
    rows = rows[(rows["task"] == ALL) & rows["metric"].isin(_VERBS) & rows["difference"].notna()]
    if rows.empty:
        return "What do the mechanisms change?"
    sure = rows[significant(rows)]
    parts = [_changes(sure[sure["metric"] == metric], *_VERBS[metric]) for metric in _VERBS]
    parts = [part for part in parts if part]
    if not parts:
        return f"No mechanism is sure to change what anybody has under {first}"
    still = "" if (sure["metric"] == "welfare").any() else "; none is sure to change welfare"
    return f"Against {first}, {'; '.join(parts)}{still}"


_VERBS = {
    "welfare": ("welfare is", "higher", "lower"), "surplus": ("buyers gain", "more", "less"),
    "profit": ("sellers earn", "more", "less"),
}  # fmt: skip


def _changes(sure: pd.DataFrame, verb: str, more: str, less: str) -> str:
    """Say under which mechanisms something is more and under which it is less."""
    parts = []
    for word, rows in ((more, sure["difference"] > 0), (less, sure["difference"] < 0)):
        names = [str(name) for name in sure[rows]["mechanism"]]
        if names:
            listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
            parts.append(f"{word} under {listed}")
    return f"{verb} {', '.join(parts)}" if parts else ""


def caption(comparison: Comparison) -> str:
    """Explain how to read the figure."""
    first = comparison.first
    errors = "replications" if first.reps > 1 else "batches of epochs"
    shown, tasks = _rows(comparison), first.market.tasks
    left = len(tasks) + 1 - len(shown) if len(tasks) > 1 else 0
    more = f" {left} more {'classes are' if left > 1 else 'class is'} in the data." if left else ""
    return (
        "The same tasks, tastes and answers under each mechanism. Left: who gains what; a bar to "
        "the left of 0 is a loss, ◆ their sum (of a class, before sellers’ fixed costs). Middle: "
        "shares of those who came that were served late, left or failed, did without, or had "
        "not ended when the run did. Right: ◆ the mean price of an answer, ▬ what the middle 80% "
        "of answers cost: a few very dear ones can pull the mean beyond it. The dotted line is "
        f"{comparison.names[0]}; whiskers are 95% intervals of the paired difference from it, over "
        f"{errors}: one that does not touch the line differs, taken alone.{more}"
    )
