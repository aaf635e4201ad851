"""F3: prices over time, with marginal costs; median and 10–90% fan over replications.

Where somebody moves prices in a market that is quickly solved, Nash and joint-profit prices stand
beside them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ...scenarios.result import Result
from ..equilibrium.references import References, references
from .frames import (
    MAIN_SELLERS,
    seller_colours,
    seller_order,
    series,
    short_names,
    steady,
)
from .notation import clock, duration, log_ticks, number
from .solved_frames import once
from .template import HEIGHT, INK, end_labels, escape, label, rgba, room_for, titled, undrawn

_UNITS = ("USD/Mtok", "USD/task")
_NAMED = 2 * MAIN_SELLERS
LINES = {"nash": ("Nash", "dash"), "joint": ("joint profit", "dashdot")}
"""Reference prices by column: name and dash of their lines."""
_STILL = 1e-4  # relative change of a price after the warm-up that is none
_RARE = 0.001  # share of the tasks served below which a price that stays is not drawn


def data(result: Result) -> pd.DataFrame:
    """Return one row per posted price and time, with quantiles over replications.

    Columns: path (the seller, or its offer where efforts are ever priced apart), seller, start
    (s), price_unit, low (10%), median, high (90%), marginal_cost, nash and joint (profit) prices,
    all in that unit; the last two are NaN where they are not solved.
    """
    prices = _paths(result)
    grouped = prices.groupby(["path", "seller", "start", "price_unit"], sort=False)["price"]
    out = grouped.quantile(np.array([0.1, 0.5, 0.9])).unstack()
    out.columns = ["low", "median", "high"]
    out = out.reset_index()
    out["marginal_cost"] = out["seller"].map(_marginal_costs(result))
    alone = out["seller"].where(out["path"] == out["seller"])  # with one price for all efforts
    for name, solved in _solved(result).items():
        out[name] = alone.map(solved).astype(float)
    out.attrs["units"] = {"start": "s", **dict.fromkeys(
        ("low", "median", "high", "marginal_cost", "nash", "joint"), "price_unit")}  # fmt: skip
    return out


def references_of(result: Result) -> References | None:
    """Return the reference prices of a run's market where they are quickly solved, once."""
    return once(result, "references", lambda: references(result.market))


def _solved(result: Result) -> dict[str, pd.Series]:
    """Return Nash and joint-profit prices by seller, as far as they are known."""
    seen = references_of(result) if moving(result) else None
    points = {"nash": seen.nash, "joint": seen.joint} if seen else {"nash": None, "joint": None}
    return {
        name: pd.Series(
            [] if p is None else p.prices, [] if p is None else list(p.game.levers), np.float64
        )
        for name, p in points.items()
    }


def moving(result: Result) -> bool:
    """Tell whether any price is ever changed."""
    prices = series(result, "prices").groupby(["offer", "rep"], sort=False)["price"]
    return bool((prices.max() > prices.min() * (1 + 1e-9)).any())


def _paths(result: Result) -> pd.DataFrame:
    """Return the prices that were posted, those of a seller's efforts once where all are alike."""
    prices = series(result, "prices")
    posted = prices.groupby(["seller", "rep", "epoch"], sort=False)["price"]
    apart = (posted.transform("max") > posted.transform("min")).groupby(prices["seller"])
    prices["path"] = prices["seller"].where(
        ~apart.transform("any"), prices["offer"].map(short_names(result.market))
    )
    return prices.drop_duplicates(["path", "rep", "epoch"])


def _marginal_costs(result: Result) -> dict[str, float]:
    """Return each seller's marginal cost in the unit of its lever."""
    return {
        s.name: s.cost.output if s.price.by_token else s.cost.task for s in result.market.sellers
    }


def build(result: Result) -> go.Figure:
    """Draw a panel per unit of price; sellers beyond the main ones are thin and grey."""
    table = _drawn(result)
    if table.empty:
        why = "All prices are zero, which a logarithmic scale cannot show."
        return undrawn(finding(result), why)
    units = [u for u in _UNITS if (table["price_unit"] == u).any()]
    figure = make_subplots(len(units), 1, shared_xaxes=True, vertical_spacing=0.1)
    main = _main(result, table)
    per, unit_of_time = clock(result.market.run.until)
    for row, unit in enumerate(units, start=1):
        rows = table[table["price_unit"] == unit]
        with_cost = [s for s in main if (rows["seller"] == s).any()][:MAIN_SELLERS]
        _references(figure, rows, main, per, row)
        for name, path in rows.groupby("path", sort=False):
            colour = main.get(str(path["seller"].iloc[0]))
            figure.add_traces(_path(str(name), path, colour, per, result.reps), rows=row, cols=1)
        for seller in with_cost:
            path = rows[rows["seller"] == seller]
            figure.add_traces(_cost(seller, path, main[seller], per), rows=row, cols=1)
        low, high = _range(rows, with_cost)
        figure.update_yaxes(type="log", range=[low, high], row=row, col=1,
                            title_text=f"price ({unit})", **log_ticks(low, high))  # fmt: skip
        last = rows.sort_values("start").groupby("path", sort=False).tail(1)
        last = last[last["seller"].isin(main)]
        labels = [(label(name), np.log10(p), main[s]) for name, s, p in
                  zip(last["path"], last["seller"], last["median"], strict=True)]  # fmt: skip
        end_labels(figure, labels, row, (low, high), HEIGHT / len(units) - 90)
    figure.update_xaxes(title_text=f"time ({unit_of_time})", row=len(units), col=1)
    figure = titled(figure, finding(result))
    shown = table.loc[table["seller"].isin(main), "path"].unique()
    named: set[str] = set()
    for trace in figure.data:
        trace.showlegend = trace.name in dict(LINES.values()) and trace.name not in named
        named |= {trace.name} if trace.showlegend else set()
    figure.update_layout(
        margin_r=24 + room_for(map(label, shown)), showlegend=bool(named),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0.0},
    )  # fmt: skip
    return figure


def _drawn(result: Result) -> pd.DataFrame:
    """Return the rows of the data that are drawn: prices above zero, without rarely used sellers.

    One seller whom hardly anybody uses can be a thousand times dearer than all others.
    """
    table = data(result)
    table = table[table["median"] > 0]
    served = steady(result, series(result, "epochs")).groupby("seller")["served"].sum()
    often = set(served.index[served >= _RARE * served.sum()])
    return table[table["seller"].isin(often | set(_main(result, table)))]


def _main(result: Result, table: pd.DataFrame) -> dict[str, str]:
    """Return the sellers drawn in colour: those whose price moves first, then the busiest."""
    spread = _swing(table).groupby(level="seller").max()
    order = [s for s in seller_order(result) if s in spread.index]
    order = sorted(order, key=lambda s: spread[s] <= 1e-9)[:_NAMED]
    colours = seller_colours(result)
    return {s: colours[s] for s in order}


def _swing(table: pd.DataFrame) -> pd.Series:
    """Return by how much each path moves between its low and its high, by path and seller."""
    return table.groupby(["path", "seller"])["median"].agg(lambda p: p.max() / p.min() - 1)


def _path(
    name: str, path: pd.DataFrame, colour: str | None, per: float, reps: int
) -> list[go.Scatter]:
    x = (path["start"] / per).to_numpy(np.float32)
    name = escape(name)
    if colour is None:
        return [go.Scatter(x=x, y=path["median"].to_numpy(np.float32), mode="lines", name=name,
                           line={"color": "#c4c4c4", "width": 1, "shape": "hv"})]  # fmt: skip
    traces = []
    if reps > 1 and (path["high"] > path["low"]).any():
        around = {"mode": "lines", "hoverinfo": "skip", "x": x}
        thin = {"width": 0, "shape": "hv"}
        traces += [
            go.Scatter(y=path["low"].to_numpy(np.float32), line=thin, **around),
            go.Scatter(y=path["high"].to_numpy(np.float32), line=thin, fill="tonexty",
                       fillcolor=rgba(colour, 0.22), **around),
        ]  # fmt: skip
    traces.append(go.Scatter(
        x=x, y=path["median"].to_numpy(np.float32), mode="lines", name=name,
        line={"color": colour, "width": 2.2, "shape": "hv"},
        hovertemplate="%{y:.3g}<extra>" + name + "</extra>",
    ))  # fmt: skip
    return traces


def _cost(seller: str, path: pd.DataFrame, colour: str, per: float) -> list[go.Scatter]:
    cost = float(path["marginal_cost"].iloc[0])
    if cost <= 0:
        return []
    ends = path["start"].agg(["min", "max"]) / per
    name = f"{escape(seller)}: marginal cost"
    return [go.Scatter(
        x=ends.to_numpy(np.float32), y=np.array([cost, cost], np.float32), mode="lines", name=name,
        line={"color": colour, "width": 1.2, "dash": "dot"},
        hovertemplate="%{y:.3g}<extra>" + name + "</extra>",
    )]  # fmt: skip


def _references(
    figure: go.Figure, rows: pd.DataFrame, main: dict[str, str], per: float, row: int
) -> None:
    """Draw Nash and joint-profit prices: one line in ink if all have one price, else by seller."""
    ends = (rows["start"].agg(["min", "max"]) / per).to_numpy(np.float32)
    for what, (name, dash) in LINES.items():
        known = rows[rows[what] > 0].groupby("seller", sort=False)[what].first()
        known = known[known.index.isin(main)]
        if len(known) and known.max() < 1.001 * known.min():
            known = known.iloc[:1]
        elif len(known):  # a grey entry for the legend: colours are the sellers'
            figure.add_scatter(x=[None], y=[None], mode="lines", name=name, row=row, col=1,
                               line={"color": INK, "dash": dash, "width": 1.4})  # fmt: skip
        for seller, price in known.items():
            figure.add_scatter(
                x=ends, y=np.array([price, price], np.float32), mode="lines", row=row, col=1,
                name=name if len(known) == 1 else f"{name}: {escape(str(seller))}",
                line={"color": INK if len(known) == 1 else main[str(seller)], "dash": dash,
                      "width": 1.4},
                hovertemplate=f"{name} %{{y:.4g}}<extra></extra>",
            )  # fmt: skip


def _range(rows: pd.DataFrame, with_cost: list[str]) -> tuple[float, float]:
    costs = rows.loc[rows["seller"].isin(with_cost), "marginal_cost"]
    solved = rows.loc[rows["seller"].isin(with_cost), ["nash", "joint"]].stack()
    seen = pd.concat([rows["low"], rows["high"], costs, solved])
    seen = seen[seen > 0]
    low, high = np.log10(seen.min()), np.log10(seen.max())
    pad = 0.06 * (high - low) + 0.05
    return float(low - pad), float(high + pad)


def finding(result: Result) -> str:
    """Say in one sentence how prices moved, and whether they still do at the end."""
    table = steady(result, data(result))
    table = table[table["median"] > 0]
    if table.empty:
        return "How do prices move?"
    swing = _swing(table)
    some_move = swing[swing > _STILL]
    if some_move.empty:
        return "Prices have come to rest" if moving(result) else "Prices are posted once and stay"
    who = str(some_move.sort_values(kind="stable").index[-1][0])
    movers = some_move.index.unique("seller")
    path = table[table["path"] == who]
    some = f"{len(movers)} sellers move their prices, most of all"
    if len(movers) == 1:
        some = "One seller moves its price:"
    between = f"between {number(path['median'].min())} and {number(path['median'].max())}"
    return f"{some} {who}, {between} {path['price_unit'].iloc[0]}; {_until(table)}"


def _until(table: pd.DataFrame) -> str:
    """Say when the last price changes; a change in the last tenth of the run is at its end."""
    ordered = table.sort_values("start", kind="stable")
    before = ordered.groupby("path")["median"].shift()
    last = float(ordered.loc[before.notna() & (ordered["median"] != before), "start"].max())
    end = float(ordered["start"].max())
    return (
        "they still move at the end" if last > 0.9 * end else f"none changes after {duration(last)}"
    )


def moves(result: Result) -> bool:
    """Tell whether any price changes after the warm-up."""
    swing = _swing(steady(result, data(result)).query("median > 0"))
    return bool((swing > _STILL).any())


def caption(result: Result) -> str:
    """Explain how to read the figure."""
    fan = " with the 10–90% fan over replications" if result.reps > 1 else ""
    middle = "Median price" if result.reps > 1 else "Price"
    table, drawn = data(result), set(_drawn(result)["seller"])
    rare = [s for s in dict.fromkeys(table.loc[table["median"] > 0, "seller"]) if s not in drawn]
    out = ""
    if rare:
        some = f"{', '.join(rare[:6])}{' and others' if len(rare) > 6 else ''}"
        out = f" Left out, as they keep their price and serve under 0.1% of tasks: {some}."
    solved = _told(table) if moving(result) else ""
    return (
        f"{middle} of each seller, or of each of its offers where efforts are priced apart{fan}, "
        "on a logarithmic scale; dotted: the marginal cost (of an output token, or of a task) of "
        "those that move their price or serve most. Sellers in grey keep their price and serve "
        f"less; the data name them. A price of zero cannot be drawn on this scale.{out}{solved}"
    )


def _told(table: pd.DataFrame) -> str:
    """Say what the reference lines are, and which are not there."""
    words = {
        "nash": "dashed: the price from which no seller gains by another (Nash)",
        "joint": "dash-dotted: that of owners who maximise the sum of their profits",
    }
    there = [name for name in words if table[name].notna().any()]
    if not there:
        return (
            " Nash and joint-profit prices are not quickly solved for this market, or none exist."
        )
    lines = f" Solved in the fluid market, {'; '.join(words[name] for name in there)}."
    return lines + ("" if "joint" in there else " Joint-profit prices were not found.")
