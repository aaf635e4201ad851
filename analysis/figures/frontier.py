"""F2: what accuracy costs and how long it takes, offer by offer, for one class of tasks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ..equilibrium.solved import Equilibrium
from .frames import effort_ranks, symbol
from .notation import duration, log_ticks, number, percent
from .solved_frames import (
    View,
    drawn,
    offer_colours,
    offer_labels,
    once,
    rows_of,
    sellers_by_revenue,
)
from .template import HEIGHT, INK, MUTED, label, plain, titled

Floats = NDArray[np.float64]
_BUBBLE = (7.0, 34.0)
"""Diameters of the quickest and the slowest offer, px."""
_LEVELS, _NAMED = 4, 9
_SHARE = 0.005


def data(found: Equilibrium) -> pd.DataFrame:
    """Return one row per class and offer that serves it, and one per baseline.

    Columns: task, offer, price and cost (USD per mean task), accuracy, latency (s), share,
    frontier (whether no mixture of other offers is as accurate for less).
    """
    return once(found, "frontier", lambda: _data(found))


def _data(found: Equilibrium) -> pd.DataFrame:
    sel, st = found.selection, found.selection.setting
    frames = []
    for k, task in enumerate(found.market.tasks):
        on = np.flatnonzero((st.state.cells["serves"][k] == 1) & sel.charges.listed)
        price, right = sel.charges.ask[k, on], st.right[k, on]
        edge = np.isin(np.arange(len(on)), hull(price, right))
        frames.append(pd.DataFrame({
            "task": task.name, "offer": [st.market.offers[o] for o in on], "price": price,
            "cost": st.cost[k, on], "accuracy": right, "latency": sel.sojourn[k, on],
            "share": sel.share[k, on], "frontier": edge,
        }))  # fmt: skip
        frames.append(_baselines(found, k, on))
    out = pd.concat(frames, ignore_index=True)
    out.attrs["units"] = {
        "price": "USD/task", "cost": "USD/task", "accuracy": "probability", "latency": "s",
        "share": "ratio",
    }  # fmt: skip
    return out


def _baselines(found: Equilibrium, k: int, on: NDArray[np.int64]) -> pd.DataFrame:
    """Return where one would come out with the best offer per task, the best one, or a random one.

    Best for the buyer: by expected utility at the class's deadlines, values and delay costs, tastes
    apart; a task that no offer is worth is left out.
    """
    sel, st = found.selection, found.selection.setting
    price, right, times = sel.charges.ask[k], st.right[k], sel.sojourn[k]
    worth, weight = _utilities(found, k, on)
    best = worth.argmax(axis=1)
    gains = (
        worth.max(axis=1) > 0.0
        if found.market.tasks[k].outside_option
        else worth.max(axis=1) > -np.inf
    )
    each = np.bincount(best[gains], weight[gains], len(on))
    single = np.eye(len(on))[int((weight @ worth).argmax())]
    rows = []
    for name, mix in (("oracle", each), ("best single", single), ("random", np.ones(len(on)))):
        if mix.sum() <= 0.0:
            continue
        w = mix / mix.sum()
        rows.append((f"({name})", w @ price[on], w @ st.cost[k, on], w @ right[on], w @ times[on]))
    table = pd.DataFrame(rows, columns=["offer", "price", "cost", "accuracy", "latency"])
    return table.assign(task=found.market.tasks[k].name, share=np.nan, frontier=False)


def _utilities(found: Equilibrium, k: int, on: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the utility of offers [points, n] over kinds and values, and the points' weights."""
    sel, st = found.selection, found.selection.setting
    moment = int(sel.weights.argmax())
    quoted = sel.responses[moment].quoted(sel.moments[moment].expected)
    money = st.money[k]
    worth, weight = [], []
    for j in np.flatnonzero(st.class_of == k):
        worth.append(
            money.value[:, None] * quoted.gain[j, on] - money.delay[:, None] * quoted.time[j, on]
            - quoted.base[j, on]
        )  # fmt: skip
        worth[-1] = np.where(sel.moments[moment].on_show[j, on], worth[-1], -1e12)
        weight.append(st.part[j] * money.weights)
    return np.concatenate(worth), np.concatenate(weight)


def hull(price: Floats, right: Floats) -> list[int]:
    """Return the offers on the frontier, the cheapest first: no mixture of others beats them.

    Example:
        >>> hull(np.array([1.0, 2.0, 3.0, 2.0]), np.array([0.5, 0.6, 0.9, 0.4]))
        [0, 2]
    """
    kept: list[int] = []
    for i in np.lexsort((-right, price)):
        if kept and right[i] <= right[kept[-1]]:
            continue
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (right[b] - right[a]) * (price[i] - price[a]) > (right[i] - right[a]) * (
                price[b] - price[a]
            ):
                break
            kept.pop()
        kept.append(int(i))
    return kept


def build(found: Equilibrium) -> go.Figure:
    """Draw a class at a time, with a menu."""
    table = data(found)
    views = [_view(found, k, table[table["task"] == task.name].reset_index(drop=True))
             for k, task in enumerate(found.market.tasks)]  # fmt: skip
    figure = titled(drawn(views), finding(found), height=HEIGHT + 20)
    return figure.update_layout(margin={"l": 76, "r": 190, "b": 60}, legend={
        "x": 1.01, "y": 1, "yanchor": "top", "font": {"size": 11},
    })  # fmt: skip


def _view(found: Equilibrium, k: int, table: pd.DataFrame) -> View:
    base = table["offer"].str.startswith("(")
    offers, baselines = table[~base], table[base]
    money = found.selection.setting.money[k]
    value = float(
        np.median(np.repeat(money.value, np.maximum(1, (1000 * money.weights).astype(int))))
    )
    loss = float(found.market.tasks[k].loss)
    free = offers["price"].to_numpy()[offers["price"].to_numpy() > 0]
    low = float(free.min()) if len(free) else 1e-6
    shown = offers.assign(x=offers["price"].clip(lower=low / 3.0))
    xs = pd.concat(
        [
            shown["x"],
            offers.loc[offers["cost"] > 0, "cost"],
            baselines.loc[baselines["price"] > 0, "price"],
        ]
    )
    x = [float(np.log10(xs.min())) - 0.15, float(np.log10(xs.max())) + 0.25]
    a = offers["accuracy"]
    span = max(float(a.max() - a.min()), 0.02)
    y = [float(a.min()) - 0.15 * span, min(float(a.max()) + 0.2 * span, 1.0 + 0.1 * span)]
    traces = [
        _indifference(shown, value, loss, x, y), _edge(offers, x), _costs(shown),
        *_bubbles(found, shown), _marks(baselines),
    ]  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"type": "log", "range": x, **log_ticks(*x),
                  "title_text": "per mean task: price (filled), cost of serving (dash), USD"},
        "yaxis": {"range": y, "tickformat": ".0%", "title_text": "accuracy"},
    }  # fmt: skip
    notes = _names(found, shown, baselines[baselines["price"] > 0.0], x, y)
    return View(label(found.market.tasks[k].name), traces, notes, layout)


def _bubbles(found: Equilibrium, shown: pd.DataFrame) -> list[go.Scatter]:
    """Return bubbles by seller: colour the seller, shape the effort, size the latency."""
    market = found.selection.setting.market
    ranks, names = (
        effort_ranks(market),
        dict(zip(market.offers, offer_labels(market), strict=False)),
    )
    colours = dict(zip(market.offers, offer_colours(found), strict=False))
    size = _size(shown["latency"].to_numpy())
    order = {name: i for i, name in enumerate(sellers_by_revenue(found))}
    seller = shown["offer"].str.rpartition("/")[0]
    traces = []
    for name in sorted(seller.unique(), key=lambda n: order[n]):
        rows = shown[seller == name]
        traces.append(go.Scatter(
            x=rows["x"], y=rows["accuracy"], mode="markers", name=label(name),
            marker={"size": size[rows.index.to_numpy()].tolist(),
                    "color": colours[rows["offer"].iloc[0]],
                    "opacity": 0.85, "line": {"width": 1, "color": "white"},
                    "symbol": [symbol(ranks[o]) for o in rows["offer"]]},
            text=[f"{names[r.offer]}: {percent(r.accuracy)} right, {number(r.price)} USD, "
                  f"{duration(r.latency)}, chosen by {percent(r.share)}" for r in rows_of(rows)],
            hovertemplate="%{text}<extra></extra>",
        ))  # fmt: skip
    return traces


def _size(latency: Floats) -> Floats:
    logs = np.log(np.maximum(np.nan_to_num(latency, nan=1e-3), 1e-3))
    low, wide = logs.min(), max(float(np.ptp(logs)), 1e-9)
    return np.asarray(_BUBBLE[0] + (_BUBBLE[1] - _BUBBLE[0]) * (logs - low) / wide)


def _edge(offers: pd.DataFrame, x: list[float]) -> go.Scatter:
    """Return the frontier: mixtures of two offers are lines in price, curves on this axis."""
    edge = offers[offers["frontier"]].sort_values("price")
    price, right = edge["price"].to_numpy(), edge["accuracy"].to_numpy()
    inner = np.concatenate([np.linspace(a, b, 40) for a, b in pairwise(price)] or [price])
    at = np.maximum(inner, 10.0 ** x[0])
    return go.Scatter(
        x=at, y=np.interp(inner, price, right), mode="lines", name="frontier",
        line={"color": INK, "width": 1.8}, hoverinfo="skip",
    )  # fmt: skip


def _costs(shown: pd.DataFrame) -> go.Scatter:
    """Return a line from each offer's price to its cost of serving."""
    rows = shown[shown["cost"] > 0]
    gap = np.full(len(rows), np.nan)
    return go.Scatter(
        x=np.column_stack([rows["x"], rows["cost"], gap]).ravel(),
        y=np.column_stack([rows["accuracy"], rows["accuracy"], gap]).ravel(), mode="lines+markers",
        line={"color": "#c4c4c4", "width": 1}, name="cost of serving", hoverinfo="skip",
        marker={"symbol": "line-ns-open", "size": 8, "color": MUTED},
    )  # fmt: skip


def _indifference(
    shown: pd.DataFrame, value: float, loss: float, x: list[float], y: list[float]
) -> go.Scatter:
    """Return lines on which the median buyer is as well off: price = (V + loss)·a − const."""
    best = (value + loss) * shown["accuracy"] - shown["price"]
    step = (value + loss) * (y[1] - y[0]) / _LEVELS
    top, at = float(best.max()), np.linspace(x[0], x[1], 120)
    parts: list[Floats] = []
    for i in range(-1, _LEVELS):
        right = (10.0**at + top - i * step) / (value + loss) if value + loss > 0 else at * np.nan
        parts += [np.vstack([10.0**at, right]), np.full((2, 1), np.nan)]
    line = np.concatenate(parts, axis=1)
    return go.Scatter(
        x=line[0], y=line[1], mode="lines", line={"color": MUTED, "width": 1, "dash": "dot"},
        name="indifference", hoverinfo="skip",
    )  # fmt: skip


def _marks(baselines: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=baselines["price"], y=baselines["accuracy"], mode="markers", name="baselines",
        text=baselines["offer"].str.strip("()"),
        marker={"symbol": "x-thin-open", "size": 11, "color": INK, "line": {"width": 2}},
        hovertemplate="%{text}: %{y:.1%} right, %{x:.3g} USD<extra></extra>",
    )  # fmt: skip


def _names(
    found: Equilibrium, shown: pd.DataFrame, baselines: pd.DataFrame, x: list[float], y: list[float]
) -> list[dict[str, Any]]:
    """Name baselines, offers most chosen and those on the frontier, as far as names don't meet."""
    market = found.selection.setting.market
    names = dict(zip(market.offers, offer_labels(market), strict=False))
    order = shown.sort_values(["share"], ascending=False)
    order = (
        pd.concat([order.head(5), order[order["frontier"]]]).drop_duplicates("offer").head(_NAMED)
    )
    order = pd.concat([baselines.assign(x=baselines["price"]), order])
    names |= {o: f"<i>{o.strip('()')}</i>" for o in baselines["offer"]}
    placed: list[tuple[float, float, float]] = []
    notes: list[dict[str, Any]] = []
    for row in rows_of(order):
        px = 535.0 * (np.log10(row.x) - x[0]) / (x[1] - x[0])
        py = 480.0 * (row.accuracy - y[0]) / (y[1] - y[0])
        wide = 6.4 * len(plain(names[row.offer]).replace("<i>", "").replace("</i>", ""))
        for dy in (20.0, -20.0, 34.0, -34.0, 48.0, -48.0):
            clear = all(abs(py + dy - b) > 13 or abs(px - a) > (wide + w) / 2 for a, b, w in placed)
            if clear and 0 < py + dy < 480:
                placed.append((px, py + dy, wide))
                notes.append({
                    "text": names[row.offer], "x": float(np.log10(row.x)), "y": float(row.accuracy),
                    "yshift": dy, "showarrow": False, "font": {"size": 11, "color": INK},
                    "bgcolor": "rgba(255,255,255,0.7)", "xanchor": "left" if px < wide / 2 else
                    "right" if px > 535 - wide / 2 else "center",
                })  # fmt: skip
                break
    return notes


def finding(found: Equilibrium) -> str:
    """Say in one sentence whether what is chosen lies on the frontier."""
    table = data(found)
    offers = table[~table["offer"].str.startswith("(")]
    arrivals = dict(
        zip([t.name for t in found.market.tasks], found.selection.arrivals, strict=True)
    )
    weight = offers["share"] * offers["task"].map(arrivals)
    on = float(weight[offers["frontier"]].sum() / max(weight.sum(), 1e-300))
    first = found.market.tasks[0].name
    mine = offers[offers["task"] == first]
    edge, all_ = int(mine["frontier"].sum()), len(mine)
    return (
        f"{percent(on)} of served tasks go to offers on the frontier of price and accuracy; "
        f"in {first}, {edge} of {all_} offers are on it"
    )


def caption(found: Equilibrium) -> str:
    """Explain how to read the figure."""
    return (
        "Each offer at what it charges for a mean task and how often it is right; the larger, the "
        "longer the answer takes (logarithmic, from the quickest to the slowest of the class); the "
        "shape tells the effort. The thin line leads to what serving costs. The black line is the "
        "convex hull: what mixtures of two offers reach. Along a dotted line the median buyer is "
        "as well off, delays and tastes apart. Oracle: the best offer for each task's own "
        "deadline, value and delay cost; best single: one offer for all; random: any. An offer for "
        "nothing stands at the left edge."
    )
