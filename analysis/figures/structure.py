"""F11: structure of the market: shares, concentration, entry and exit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ...scenarios.result import Result
from .frames import (
    MAIN_SELLERS,
    entries_and_exits,
    seller_colours,
    seller_order,
    series,
    steady,
)
from .notation import clock, number
from .template import INK, OUTSIDE, end_labels, escape, label, room_for, titled, undrawn

_SHARES = {"served": "tasks served", "revenue": "revenue"}
_STACK, _HHI = 248, 124  # px of a panel of shares and of that of concentration
_OTHERS = "others"
_AROUND = 140  # px of margins and of what parts the panels


def data(result: Result) -> pd.DataFrame:
    """Return one row per epoch and seller, means over replications.

    Columns: start (s), seller, owner, served (tasks), revenue (USD), served_share, revenue_share
    (ratios, 0 while nobody has any), hhi_served, hhi_revenue (over owners, 0 to 1).
    """
    reps = max(result.reps, 1)
    epochs, sellers = series(result, "epochs"), series(result, "sellers")
    chosen = epochs[epochs["seller"] != ""]
    served = chosen.groupby(["start", "seller"])["served"].sum() / reps
    revenue = sellers.groupby(["start", "seller"])["revenue"].sum() / reps
    both = pd.DataFrame({"served": served, "revenue": revenue}).fillna(0.0)
    out = both.rename_axis(["start", "seller"]).reset_index()
    owners = {s.name: s.owned_by for s in result.market.sellers}
    out.insert(2, "owner", out["seller"].map(owners).fillna(out["seller"]))
    for what in ("served", "revenue"):
        total = out.groupby("start")[what].transform("sum")
        out[f"{what}_share"] = (out[what] / total.where(total > 0)).fillna(0.0)
        firms = out.groupby(["start", "owner"])[f"{what}_share"].sum()
        hhi = (firms**2).groupby("start").sum()
        out[f"hhi_{what}"] = out["start"].map(hhi.where(hhi > 0))
    out.attrs["units"] = {"start": "s", "served": "tasks", "revenue": "USD", "hhi_served": "ratio",
                          "served_share": "ratio", "revenue_share": "ratio",
                          "hhi_revenue": "ratio"}  # fmt: skip
    return out


def build(result: Result) -> go.Figure:
    """Draw stacked shares of tasks and of revenue over time, and HHI below them."""
    table = data(result)
    if not table["served"].any():
        return undrawn(finding(result), "No seller served a task.")
    shared = _shared(table)
    per, unit = clock(result.market.run.until)
    heights = [_STACK] * len(shared) + [_HHI]
    figure = make_subplots(len(heights), 1, shared_xaxes=True, row_heights=heights,
                           vertical_spacing=0.05)  # fmt: skip
    colours = {**seller_colours(result), _OTHERS: OUTSIDE}
    main = _main(result, table)
    for row, what in enumerate(shared, start=1):
        _stack(figure, row, _wide(table, f"{what}_share", main), colours, per)
        figure.update_yaxes(range=[0, 1], tickformat=".0%", title_text=_SHARES[what],
                            row=row, col=1)  # fmt: skip
    _concentration(figure, table, per)
    _marks(figure, result, per)
    starts = table["start"] / per
    figure.update_xaxes(range=[starts.min(), starts.max()])  # names of marks would stretch it
    figure.update_xaxes(title_text=f"time ({unit})", row=len(heights), col=1)
    figure = titled(figure, finding(result), height=round(sum(heights) + _AROUND))
    figure.update_layout(
        margin_r=24 + room_for([*map(label, main), "HHI by revenue"]), showlegend=False,
        margin_t=figure.layout.margin.t + 24,
    )  # fmt: skip
    return figure


def _shared(table: pd.DataFrame) -> list[str]:
    """Return what there is to share: revenue only where anybody has any."""
    return [what for what in _SHARES if what == "served" or table[what].abs().sum() > 0]


def _main(result: Result, table: pd.DataFrame) -> list[str]:
    """Return the sellers drawn one by one: the largest by tasks and by revenue, best first."""
    means = table.groupby("seller")[["served_share", "revenue_share"]].mean().max(axis=1)
    largest = set(means.nlargest(MAIN_SELLERS + 3).index)
    return [s for s in seller_order(result) if s in largest]


def _wide(table: pd.DataFrame, what: str, main: list[str]) -> pd.DataFrame:
    wide = table.pivot_table(index="start", columns="seller", values=what, aggfunc="sum").fillna(0)
    small = [s for s in wide if s not in main]
    out = wide.reindex(columns=main, fill_value=0.0)
    if small:
        out[_OTHERS] = wide[small].sum(axis=1)
    return out


def _stack(
    figure: go.Figure, row: int, shares: pd.DataFrame, colours: dict[str, str], per: float
) -> None:
    x = (shares.index.to_numpy() / per).astype(np.float32)
    for seller in shares:
        figure.add_trace(go.Scatter(
            x=x, y=shares[seller].to_numpy(np.float32), mode="lines", name=escape(seller),
            stackgroup=f"stack{row}", line={"color": "white", "width": 0.6},
            fillcolor=colours[str(seller)],
            hovertemplate="%{y:.1%}<extra>" + escape(seller) + "</extra>",
        ), row=row, col=1)  # fmt: skip
    tail = shares.iloc[-_last(shares) :].mean()
    labels = [
        (label(s), top - part / 2, colours[str(s)])
        for s, part, top in zip(shares, tail, tail.cumsum(), strict=True) if part >= 0.012
    ]  # fmt: skip
    end_labels(figure, labels, row, (0.0, 1.0), 0.8 * _STACK)


def _last(rows: pd.DataFrame | pd.Series) -> int:
    """Return how many rows at the end say where a label belongs."""
    return max(len(rows) // 20, 1)


def _concentration(figure: go.Figure, table: pd.DataFrame, per: float) -> None:
    shared = _shared(table)
    row = len(shared) + 1
    hhi = table.groupby("start")[[f"hhi_{what}" for what in shared]].first()
    x = (hhi.index.to_numpy() / per).astype(np.float32)
    labels = []
    looks = {"served": ("by tasks", INK), "revenue": ("by revenue", OUTSIDE)}
    for what in shared:
        column, (by, colour) = f"hhi_{what}", looks[what]
        figure.add_trace(go.Scatter(
            x=x, y=hhi[column].to_numpy(np.float32), mode="lines", name=f"HHI {by}",
            line={"color": colour, "width": 1.6},
            hovertemplate="%{y:.2f}<extra>HHI " + by + "</extra>",
        ), row=row, col=1)  # fmt: skip
        known = hhi[column].dropna()
        if len(known):
            labels.append((f"HHI {by}", float(known.iloc[-_last(known) :].mean()), colour))
    figure.update_yaxes(range=[0, 1], title_text="HHI", row=row, col=1)
    end_labels(figure, labels, row, (0.0, 1.0), 0.8 * _HHI)


def _marks(figure: go.Figure, result: Result, per: float) -> None:
    """Mark entries and exits by vertical lines through all panels, named above the first."""
    until = result.market.run.until
    for i, (at, what, seller) in enumerate(_marked(result)):
        side = "left" if at < 0.1 * until else "right" if at > 0.9 * until else "center"
        figure.add_vline(x=at / per, line={"color": INK, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=f"{label(seller)} {what}", x=at / per, xref="x", y=1, yref="y domain",
            yanchor="bottom", xanchor=side, yshift=1 + 14 * (i % 2), showarrow=False,
            font={"size": 11},
        )  # fmt: skip


def _marked(result: Result) -> list[tuple[float, str, str]]:
    """Return the first entries and exits; who enters in the first epoch was there all along."""
    market = result.market
    return [m for m in entries_and_exits(market) if market.epoch <= m[0] <= market.run.until][:12]


def finding(result: Result) -> str:
    """Say in one sentence how concentrated the market is."""
    table = steady(result, data(result))
    totals = table.groupby("owner")[["served", "revenue"]].sum()
    if totals["served"].sum() == 0:
        return "How is the market shared?"
    hhi = ((totals / totals.sum()) ** 2).sum()
    leader = str(totals["served"].idxmax())
    share = totals["served"].max() / totals["served"].sum()
    text = f"{leader} serves the most tasks ({share:.0%}); HHI is {number(float(hhi['served']))}"
    if totals["revenue"].sum() > 0:
        text += f" by tasks and {number(float(hhi['revenue']))} by revenue"
    return text


def caption(result: Result) -> str:
    """Explain how to read the figure."""
    mean = " (mean over replications)" if result.reps > 1 else ""
    revenue = " and of revenue" if "revenue" in _shared(data(result)) else ""
    marks = " Dotted lines: a seller enters or exits." if _marked(result) else ""
    return (
        f"Shares of tasks served{revenue} in each epoch{mean}, the whole run, warm-up "
        "included; small sellers are merged into “others”. HHI is the sum of squared shares over "
        f"owners: 1 is monopoly, 1/n is n equal owners.{marks}"
    )
