"""F8: from the planner's welfare to the market's, a bar for what each friction costs."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from ..equilibrium.solved import HOUR, Equilibrium
from .notation import number, percent
from .template import HEIGHT, INK, MUTED, OKABE_ITO, titled

_FULL = 0.15
"""Parts that come to less of the planner's welfare are drawn on an axis that begins above 0."""


def data(found: Equilibrium) -> pd.DataFrame:
    """Return the bars in order: part, change (USD/h), low and high (where it is drawn, USD/h)."""
    gap, rows = found.gap, []
    level = gap.planner * HOUR
    rows.append(("planner", level, 0.0, level))
    for name, part in gap.parts.items():
        lost = part * HOUR
        rows.append((name, -lost, min(level, level - lost), max(level, level - lost)))
        level -= lost
    rows.append(("market", gap.market * HOUR, 0.0, gap.market * HOUR))
    out = pd.DataFrame(rows, columns=["part", "change", "low", "high"])
    out.attrs["units"] = dict.fromkeys(("change", "low", "high"), "USD/h")
    return out


def build(found: Equilibrium) -> go.Figure:
    """Draw the bars; a loss goes down and is hatched one way, a gain up and the other way."""
    table = data(found)
    low, high, zoomed = _range(table)
    ends = table["part"].isin(["planner", "market"])
    loss = table["change"] < 0
    colours = [MUTED if end else OKABE_ITO[5] if down else OKABE_ITO[2]
               for end, down in zip(ends, loss, strict=True)]  # fmt: skip
    shapes = ["" if end else "\\" if down else "/" for end, down in zip(ends, loss, strict=True)]
    base = table["low"].where(~ends | ~pd.Series(low > 0, index=table.index), low)
    figure = go.Figure(go.Bar(
        x=table["part"], y=table["high"] - base, base=base,
        marker={"color": colours,
                "pattern": {"shape": shapes, "fgcolor": "white", "solidity": 0.3}},
        text=[_level(c) if end else f"{'+' if c > 0 else ''}{number(c)}"
              for c, end in zip(table["change"], ends, strict=True)],
        textposition="outside", textfont={"color": INK}, cliponaxis=False, showlegend=False,
        hovertemplate="%{x}: %{text} USD/h<extra></extra>",
    ))  # fmt: skip
    levels = [float(table["high"].iloc[0])]
    for change in table["change"].iloc[1:-1]:
        levels.append(levels[-1] + float(change))
    for i, level in enumerate(levels):
        figure.add_shape(type="line", x0=i - 0.4, x1=i + 1.4, y0=level, y1=level,
                         line={"color": MUTED, "width": 1, "dash": "dot"})  # fmt: skip
    figure = titled(figure, finding(found), height=HEIGHT - 60)
    about = " (axis does not begin at 0)" if zoomed else ""
    return figure.update_layout(
        xaxis_type="category", yaxis={"title_text": f"welfare (USD/h){about}", "range": [low, high],
                              "tickformat": ",.7~g"},
        bargap=0.35, margin_b=70,
    )  # fmt: skip


def _range(table: pd.DataFrame) -> tuple[float, float, bool]:
    """Return the axis and whether it is zoomed in on the parts."""
    levels = pd.concat(
        [table["low"].iloc[1:-1], table["high"].iloc[1:-1], table["high"].iloc[[0, -1]]]
    )
    low, high = float(levels.min()), float(levels.max())
    wide = high - low
    if low <= 0.0 or wide > _FULL * high or wide == 0.0:
        ends = min(low, 0.0), max(high, 0.0)
        pad = 0.08 * ((ends[1] - ends[0]) or 1.0)
        return ends[0] - (pad if low < 0.0 else 0.0), ends[1] + pad, False
    return low - 0.4 * wide, high + 0.15 * wide, True


def finding(found: Equilibrium) -> str:
    """Say in one sentence how much is lost and what costs most."""
    gap = found.gap
    if not gap.planner > 0:
        return f"The planner makes {number(gap.planner * HOUR)} USD/h of this market"
    lost = 1.0 - gap.market / gap.planner
    if lost < 5e-5 or not gap.parts:
        return "The market does as well as the planner"
    name = max(gap.parts, key=lambda n: gap.parts[n])
    gains = [n for n, part in gap.parts.items() if part < -1e-3 * abs(gap.planner - gap.market)]
    also = f"; {gains[0]} makes up for some of it" if gains else ""
    loss = f"The market loses {percent(lost)} of the planner's welfare"
    return f"{loss}, most of it by {_said(name)}{also}"


def _level(amount: float) -> str:
    """Return a level to the dollar where it is many: parts are small beside it."""
    return f"{amount:,.0f}".replace("-", "−") if abs(amount) >= 1000.0 else number(amount)


def _said(name: str) -> str:
    return {"mark-up": "mark-ups", "search": "search", "information": "poor information"}.get(
        name, name
    )


def caption(found: Equilibrium) -> str:
    """Explain how to read the figure."""
    rough = (
        ""
        if found.gap.converged
        else " Not all markets behind the parts were solved: they are rough."
    )
    return (
        "Welfare is buyers' surplus, profits and the platform's revenue. Each part is what one "
        "friction costs, averaged over all orders in which frictions may come (Shapley 1953): "
        "parts add up to the gap and may be negative, where one friction makes up for another. "
        "Mark-up: prices above cost; mis-selection: mark-ups that differ between offers; "
        f"congestion: nobody pays for the delay he causes.{rough}"
    )
