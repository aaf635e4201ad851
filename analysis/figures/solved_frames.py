"""What figures of an equilibrium share: order, names and colours of sellers, views with a menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...market.fluid.solve import Selection
from ...market.schema.demand import Argmax
from ...market.schema.market import Market
from ..equilibrium.quick import slow
from ..equilibrium.solved import Equilibrium
from .frames import OUTSIDE_OFFER, short_names
from .template import MUTED, OUTSIDE, label, palette

T = TypeVar("T")


def once(found: object, what: str, make: Callable[[], T]) -> T:
    """Return what several parts of a figure need, worked out once for each point or game."""
    kept: dict[str, Any] = found.__dict__.setdefault("_drawn", {})
    if what not in kept:
        kept[what] = make()
    return kept[what]  # type: ignore[no-any-return]


def known(found: Equilibrium) -> str:
    """Say in one short sentence what is known of the point, as every figure of it does."""
    c = found.certificate
    if c is None:
        return "The point is a candidate that nothing certifies."
    if c.verdict == "certified":
        return f"Simulation certifies the point at ε = {c.upper:.3%}."
    if c.verdict == "refuted":
        return f"Simulation refutes the point: a deviation gains {c.lower:.3%} at least."
    return "Simulation leaves it undecided whether the point is an equilibrium."


def why_slow(found: Equilibrium) -> str:
    """Say why best responses take long to follow here; empty where they do not."""
    game = found.point.game
    return slow(game, found.selection) or slow(game, found.posted)


def tasteless(found: Equilibrium) -> bool:
    """Return whether some buyers take the best offer, whoever else is near: demand then jumps."""
    return any(isinstance(task.choice, Argmax) for task in found.point.game.market.tasks)


def why_restless(found: Equilibrium) -> str:
    """Say why prices about the point take long to look at; empty where they do not."""
    rests = found.point.iterations and found.point.converged
    if tasteless(found) and not rests:
        return "buyers have no tastes, and prices have not come to rest"
    return why_slow(found)


def levers_by_revenue(found: Equilibrium) -> list[str]:
    """Return all levers, in the order of their sellers."""
    main = sellers_by_revenue(found)
    return sorted(
        found.point.game.levers,
        key=lambda n: main.index(n if n in main else n.rpartition("/")[0]),
    )


@dataclass(frozen=True)
class View:
    """What one entry of a menu shows.

    Attributes:
        label: the entry, ready for Plotly.
        traces: what is drawn.
        notes: annotations.
        layout: axes and whatever else differs from view to view.
    """

    label: str
    traces: list[go.BaseTraceType]
    notes: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)


def rows_of(table: pd.DataFrame) -> list[Any]:
    """Return the rows of a table as tuples with names."""
    return list(table.itertuples())


def sellers_by_revenue(found: Equilibrium) -> list[str]:
    """Return all sellers, those first who serve the most at the point."""
    return sellers_by_share(found.selection)


def sellers_by_share(selection: Selection) -> list[str]:
    """Return all sellers, those first who serve the most, each task class counting the same.

    As `frames.seller_order` does for runs, so that a market has the same colours in both.
    """
    share = selection.by_seller(selection.share[:, :-1])
    total = share.sum(axis=1, keepdims=True)
    weight = np.divide(share, total, out=np.zeros_like(share), where=total > 0.0).sum(axis=0)
    names = [s.name for s in selection.setting.market.sellers]
    return [names[s] for s in np.lexsort((np.arange(len(names)), -weight))]


def solved_colours(found: Equilibrium) -> dict[str, str]:
    """Map each seller to its colour, the same in every figure of the equilibrium; "" is outside."""
    return {**palette(sellers_by_revenue(found)), "": OUTSIDE}


def offer_labels(market: Market) -> list[str]:
    """Return the label of each offer in the market's order and, last, of doing without."""
    names = short_names(market)
    return [label(names[offer]) for offer in [*market.offers, OUTSIDE_OFFER]]


def offer_colours(found: Equilibrium) -> list[str]:
    """Return the colour of each offer's seller in the market's order and, last, of no offer."""
    colours = solved_colours(found)
    return [
        *(colours[o.rpartition("/")[0]] for o in found.selection.setting.market.offers),
        OUTSIDE,
    ]


def drawn(views: Sequence[View], **menu: Any) -> go.Figure:
    """Return a figure of all views, the first of them shown, with a menu if there are several.

    Args:
        views: at least one.
        menu: where it stands and how; by default at the lower right of the drawing.
    """
    figure = go.Figure()
    for view in views:
        for trace in view.traces:
            trace.visible = view is views[0]
            figure.add_trace(trace)
    figure.update_layout(**views[0].layout, annotations=views[0].notes)
    if len(views) == 1:
        return figure
    buttons = []
    for view in views:
        shown = [other is view for other in views for _ in other.traces]
        change = {"annotations": view.notes, **view.layout}
        buttons.append(
            {"label": view.label, "method": "update", "args": [{"visible": shown}, change]}
        )
    place = {"x": 1.01, "xanchor": "left", "y": 0.0, "yanchor": "bottom", **menu}
    figure.update_layout(updatemenus=[{
        "buttons": buttons, "direction": "down", "bgcolor": "white", "bordercolor": MUTED,
        "font": {"size": 12}, "showactive": True, **place,
    }])  # fmt: skip
    return figure
