"""F4: who serves what, as parallel categories: task class → offer → outcome."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...market.schema.market import Market
from ...scenarios.result import Result
from .frames import (
    OUTSIDE_OFFER,
    seller_colours,
    seller_of,
    series,
    short_names,
    steady,
)
from .notation import number, percent
from .template import HEIGHT, OUTSIDE, escape, label, room_for, titled, undrawn

OUTCOMES = ("right, in time", "wrong, in time", "late", "left the queue", "failed", "did without")
_LEAST = 0.026  # share of the height a label needs, with the gap between bands
_OTHER = "other offers"
_MERGED = "#cfcfcf"


def data(result: Result) -> pd.DataFrame:
    """Return the counts after warm-up: one row per task class, offer and outcome.

    Columns: task, offer, outcome, tasks (of the whole run), share (of the class's tasks).
    """
    sums = steady(result, series(result, "epochs")).groupby(["task", "offer"], sort=False)[
        ["assigned", "served", "right", "wrong", "late", "reneged", "failed"]
    ].sum()  # fmt: skip
    outside = sums.index.get_level_values("offer") == OUTSIDE_OFFER
    # Right and late are independent given class and offer, so the late come from both alike.
    timely = 1 - sums["late"] / sums["served"].where(sums["served"] > 0)
    parts = {
        OUTCOMES[0]: sums["right"] * timely, OUTCOMES[1]: sums["wrong"] * timely,
        OUTCOMES[2]: sums["late"], OUTCOMES[3]: sums["reneged"], OUTCOMES[4]: sums["failed"],
        OUTCOMES[5]: sums["assigned"].where(outside, 0),
    }  # fmt: skip
    wide = pd.DataFrame({k: v.where(~outside, 0) if k != OUTCOMES[5] else v
                         for k, v in parts.items()}).fillna(0.0)  # fmt: skip
    out = wide.reset_index().melt(["task", "offer"], var_name="outcome", value_name="tasks")
    out = out[out["tasks"] > 0]
    out["share"] = out["tasks"] / out.groupby("task")["tasks"].transform("sum")
    out.attrs["units"] = {"tasks": "tasks", "share": "ratio"}
    return out.reset_index(drop=True)


def build(result: Result) -> go.Figure:
    """Draw the bands; every task class is equally tall, thin bands are merged."""
    table = data(result)
    if table.empty:
        return undrawn("Who serves what?", "No task ended after the warm-up.")
    counts = table.groupby("task")["tasks"].sum()
    left = {t: f"{label(t)}<br>{number(counts[t])}" for t in counts.index}
    figure = go.Figure(ribbons(table, result.market, seller_colours(result), left))
    figure = titled(figure, finding(result), height=HEIGHT + 80)
    top = figure.layout.margin.t + 20
    figure.update_layout(margin={"l": room_for(left.values()), "r": 130, "b": 24, "t": top})
    return figure.update_layout(annotations=heads("task class", "offer chosen", "outcome"))


def heads(*names: str) -> list[dict[str, object]]:
    """Return what stands above the three columns, as annotations."""
    return [
        {"text": f"<b>{text}</b>", "x": x, "y": 1, "xref": "paper", "yref": "paper",
         "yanchor": "bottom", "yshift": 8, "showarrow": False}
        for x, text in zip((0.0, 0.5, 1.0), names, strict=True)
    ]  # fmt: skip


def ribbons(
    table: pd.DataFrame, market: Market, colours: dict[str, str], left: dict[str, str],
    least: float = _LEAST, name: Callable[[object], str] = label,
) -> go.Parcats:  # fmt: skip
    """Return the ribbons from task class to offer to outcome.

    Args:
        table: as `data` returns it, not empty.
        market: the spec.
        colours: of sellers by their names.
        left: label of each task class, ready for Plotly.
        least: share of the height that a label needs; thinner bands are merged.
        name: makes an offer's name a label, ready for Plotly.
    """
    bands = _bands(table, least)
    tasks = [t.name for t in market.tasks if (bands["task"] == t.name).any()]
    names = short_names(market)
    last = {OUTSIDE_OFFER: 2, _OTHER: 1}
    offers = sorted(bands["offer"].unique(), key=lambda o: (last.get(o, 0), _lane(bands, o, tasks)))
    ends = bands.groupby("outcome", sort=False)["share"].sum() / bands["share"].sum()
    outcomes = [o for o in OUTCOMES if o in ends] + [o for o in ends.index if o not in OUTCOMES]
    sizes = bands.groupby("offer", sort=False)["share"].sum() / bands["share"].sum()
    shown, told = _named(offers, sizes, least), _named(outcomes, ends, least)
    used = list(dict.fromkeys(bands["seller"]))
    shades = [colours.get(s, _MERGED if s == _OTHER else OUTSIDE) for s in used]
    return go.Parcats(
        dimensions=[
            _dimension(bands["task"], tasks, [left[t] for t in tasks]),
            _dimension(bands["offer"], offers,
                       [name(names.get(o, o)) if o in shown else "" for o in offers]),
            _dimension(bands["outcome"], outcomes,
                       [_wrapped(f"{o} {percent(ends[o])}", ends[o] / least) if o in told else ""
                        for o in outcomes]),
        ],
        counts=bands["share"].to_numpy(np.float32),
        line={"color": bands["seller"].map(used.index).to_numpy(np.int8), "cmin": 0,
              "cmax": max(len(used) - 1, 1), "shape": "hspline",
              "colorscale": _steps(shades)},
        arrangement="fixed", sortpaths="forward", bundlecolors=True, hoveron="category",
        hoverinfo="probability", tickfont={"size": 12},
    )  # fmt: skip


def _bands(table: pd.DataFrame, least: float) -> pd.DataFrame:
    """Return shares by task class, offer, outcome and seller, with thin categories merged."""
    table = table.copy()
    table["seller"] = seller_of(table["offer"])
    table["offer"] = _merged(table, "offer", _OTHER, least, keep=OUTSIDE_OFFER)
    table.loc[table["offer"] == _OTHER, "seller"] = _OTHER
    before = table["outcome"]
    table["outcome"] = _merged(table, "outcome", "", least)
    thin = before[table["outcome"] == ""]
    table.loc[thin.index, "outcome"] = ", ".join(o for o in OUTCOMES if (thin == o).any())
    keys = ["task", "offer", "outcome", "seller"]
    return table.groupby(keys, sort=False)[["share"]].sum().reset_index()


def _merged(
    table: pd.DataFrame, column: str, other: str, least: float, keep: str = ""
) -> pd.Series:
    """Return a column with its thin categories called `other`; those with room for a name stay."""
    share = table.groupby(column)["share"].sum()
    thin = [n for n, part in share.items() if part < least * share.sum() and n != keep]
    if len(thin) < 2:
        return table[column]
    return table[column].where(~table[column].isin(thin), other)


def _named(order: list[str], shares: pd.Series, least: float) -> set[str]:
    """Return the bands with room for their name: thick ones, and thin ones between thick ones."""
    parts = [float(shares[name]) for name in order]
    found = set()
    for i, part in enumerate(parts):
        beside = parts[max(i - 1, 0) : i] + parts[i + 1 : i + 2]
        if part >= least or all(part + other >= 2 * least for other in beside):
            found.add(order[i])
    return found


def _lane(bands: pd.DataFrame, offer: str, tasks: list[str]) -> float:
    """Return the mean place of the classes an offer serves, so that ribbons cross little."""
    rows = bands[bands["offer"] == offer]
    return float(np.average(rows["task"].map(tasks.index), weights=rows["share"]))


def _wrapped(label: str, lines_of_room: float) -> str:
    lines = textwrap.wrap(label, 18) if lines_of_room > 2.2 or len(label) > 22 else [label]
    return "<br>".join(escape(line) for line in lines)


def _dimension(values: pd.Series, order: list[str], labels: list[str]) -> dict[str, object]:
    return {"label": "", "values": values.map(order.index).to_numpy(np.int8),
            "categoryorder": "array", "categoryarray": list(range(len(order))),
            "ticktext": labels}  # fmt: skip


def _steps(colours: list[str]) -> list[list[float | str]]:
    """Return a colour scale that gives each of 0, 1, 2, ... its own colour."""
    last = max(len(colours) - 1, 1)
    scale: list[list[float | str]] = [[i / last, c] for i, c in enumerate(colours)]
    return scale if len(colours) > 1 else [[0.0, colours[0]], [1.0, colours[0]]]


def finding(result: Result) -> str:
    """Say in one sentence how tasks end."""
    table = data(result)
    by_outcome = table.groupby("outcome")["share"].sum() / table["task"].nunique()
    right = float(by_outcome.get(OUTCOMES[0], 0.0))
    bad = by_outcome.drop(OUTCOMES[0], errors="ignore")
    if bad.empty or bad.max() == 0:
        return "Every task gets a right answer in time"
    worst = str(bad.idxmax())
    ends = {"late": "come late", "did without": "do without", "left the queue": "leave the queue",
            "failed": "fail", OUTCOMES[1]: "are answered wrong"}  # fmt: skip
    return (
        f"Averaged over task classes, {percent(right)} of tasks get a right answer in time; "
        f"{percent(float(bad.max()))} {ends.get(worst, worst)}"
    )


def caption(result: Result) -> str:
    """Explain how to read the figure."""
    return (
        "Each task class is drawn equally tall, whatever its number of tasks (written below its "
        "name), so that rare classes are seen; percentages on the right average over classes. "
        "Colour tells the seller; light grey is several, dark grey none. Bands too thin to be "
        "labelled are merged; what has no room for a name even so has none. Counts start after "
        "the warm-up. Late answers are taken from right and wrong ones "
        "alike, since the two are independent for a given class and offer."
    )
