"""F13: theory against simulation: what the fluid market says beside one run of the event market."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...scenarios.estimates import Estimate
from ..equilibrium.accuracy import MEASURES
from ..equilibrium.solved import Equilibrium
from .frames import OUTSIDE_OFFER, short_names
from .notation import log_ticks, percent
from .solved_frames import once, rows_of
from .template import HEIGHT, INK, OKABE_ITO, escape, titled, undrawn

_LOOKS = (
    (True, OKABE_ITO[0], "circle", "in the 95% interval"),
    (False, OKABE_ITO[5], "diamond-open", "outside it"),
)
_ACROSS = 3
"""Panels side by side."""
_FEW = 30
"""Tasks served in the run below which an offer's time is not compared."""


def data(found: Equilibrium) -> pd.DataFrame:
    """Return one row per measure, class and offer that both know.

    Columns: measure (share or sojourn), task, offer, fluid, events, low and high (95% interval of
    events; NaN if unknown), exact (whether the fluid market claims to be). Empty without a run.
    """
    return once(found, "theory", lambda: _data(found))


def _data(found: Equilibrium) -> pd.DataFrame:
    if found.simulated is None:
        return pd.DataFrame()
    summary = found.simulated.summary()
    summary = summary[summary["metric"].isin(["share", "sojourn"]) & (summary["task"] != "all")]
    tasks = [task.name for task in found.market.tasks]
    offers = [*found.selection.setting.market.offers, OUTSIDE_OFFER]
    fluid = {"share": found.selection.share, "sojourn": found.selection.answer_time}
    counts = found.simulated.summary().query("metric == 'served'")
    served = counts.set_index(["task", "offer"])["value"]
    rows = []
    for row in rows_of(summary):
        if row.offer not in offers or not np.isfinite(row.value):
            continue
        k, o = tasks.index(row.task), offers.index(row.offer)
        if row.metric == "sojourn" and (
            o == len(offers) - 1 or served.get((row.task, row.offer), 0) < _FEW
        ):
            continue
        n = 0 if pd.isna(row.n) else int(row.n)
        low, high = Estimate(float(row.value), float(row.se), n, n - 1).interval()
        rows.append(
            (row.metric, row.task, row.offer, float(fluid[row.metric][k, o]), row.value, low, high)
        )
    columns = ["measure", "task", "offer", "fluid", "events", "low", "high"]
    out = pd.DataFrame(rows, columns=columns).assign(exact=not found.approximate)
    out.attrs["units"] = dict.fromkeys(
        ("fluid", "events", "low", "high"), "ratio for shares, s for times"
    )
    return out


def build(found: Equilibrium) -> go.Figure:
    """Draw shares and times, fluid against events, with the diagonal."""
    table = data(found)
    if table.empty:
        return undrawn(finding(found), "No run of the event market came with this equilibrium.")
    return titled(draw(table, short_names(found.market)), finding(found), height=HEIGHT - 60)


def draw(table: pd.DataFrame, names: dict[str, str] | None = None) -> go.Figure:
    """Draw any table with measure, fluid, events and low, high: a panel per measure.

    `equilibrium.accuracy.compare` gives one of any market.

    Args:
        table: as `data` returns it; low and high may be missing where `se` is there.
        names: labels of offers.
    """
    if "low" not in table:
        table = table.assign(
            low=table["events"] - 1.96 * table["se"], high=table["events"] + 1.96 * table["se"]
        )
    measures = list(dict.fromkeys(table["measure"]))
    titles = [MEASURES.get(m, m) for m in measures]
    across = min(len(measures), _ACROSS)
    lines = math.ceil(len(measures) / across)
    figure = go.Figure().set_subplots(
        lines, across, horizontal_spacing=0.12,
        vertical_spacing=0.25, subplot_titles=[escape(t) for t in titles],
    )  # fmt: skip
    for i, measure in enumerate(measures):
        at = {"row": i // across + 1, "col": i % across + 1}
        rows = table[table["measure"] == measure]
        rows = rows[(rows["fluid"] > 0) & (rows["events"] > 0)]
        if rows.empty:
            continue
        ends = [
            float(rows[["fluid", "events"]].min().min()) / 1.4,
            float(rows[["fluid", "events"]].max().max()) * 1.4,
        ]
        figure.add_scatter(x=ends, y=ends, mode="lines", **at,
                           line={"color": INK, "width": 1, "dash": "dot"},
                           showlegend=False, hoverinfo="skip")  # fmt: skip
        inside = (rows["low"] <= rows["fluid"]) & (rows["fluid"] <= rows["high"])
        for held, colour, shape, name in _LOOKS:
            some = rows[inside == held]
            figure.add_scatter(
                x=some["fluid"], y=some["events"], mode="markers", name=name,
                showlegend=len(some) > 0 and not any(
                    t.name == name and t.showlegend for t in figure.data
                ),
                legendgroup=name, **at,
                marker={"color": colour, "symbol": shape, "size": 8},
                error_y={"type": "data", "symmetric": False, "thickness": 1, "width": 0,
                         "array": (some["high"] - some["events"]).fillna(0.0),
                         "arrayminus": (some["events"] - some["low"]).clip(lower=0.0).fillna(0.0)},
                text=[f"{escape(r.task)}: {escape((names or {}).get(r.offer, r.offer))}"
                      for r in rows_of(some)] if "offer" in some else None,
                hovertemplate="%{text}<br>fluid %{x:.4g}, events %{y:.4g}<extra></extra>",
            )  # fmt: skip
        log = [float(v) for v in np.log10(ends)]
        scale = {"type": "log", "range": log, **log_ticks(*log), **at}
        figure.update_xaxes(title_text="fluid market", **scale)
        figure.update_yaxes(title_text="event market" if at["col"] == 1 else None, **scale)
    figure.update_annotations(font_size=13)
    return figure.update_layout(
        legend={"orientation": "h", "y": 1.0 + 0.12 / lines, "yanchor": "bottom", "x": 0.0},
        margin_b=60,
    )


def finding(found: Equilibrium) -> str:
    """Say in one sentence how far the two agree."""
    table = data(found)
    if table.empty:
        return "Does simulation say the same?"
    shares = table[table["measure"] == "share"]
    known = shares[shares["low"].notna()]
    inside = ((known["low"] <= known["fluid"]) & (known["fluid"] <= known["high"])).sum()
    gap = float((shares["fluid"] - shares["events"]).abs().max())
    return (
        f"{inside} of {len(known)} simulated shares have the fluid market's in their 95% interval; "
        f"the largest difference is {percent(gap).removesuffix('%')} points"
    )


def caption(found: Equilibrium) -> str:
    """Explain how to read the figure."""
    why = " The fluid market claims to be exact here."
    if found.approximate:
        why = f" The fluid market is approximate here: {'; '.join(found.approximate)}."
    return (
        "Each mark is an offer in a task class: what the fluid market says across, what a run of "
        "the event market at the same prices gave upwards, with its 95% interval; on the diagonal "
        "they agree. One in twenty intervals misses by chance. Not drawn: what one of the two "
        f"never chooses, and times of offers that served under {_FEW} tasks.{why}"
    )
