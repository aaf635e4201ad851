"""F4: who serves what and how it ends, from task class to offer to outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ....market.schema.market import Market
from ...figures.frames import OUTSIDE_OFFER
from ...figures.template import label, room_for
from ...figures.who_serves import OUTCOMES, heads, ribbons
from ..look import Drawn, Look, empty, figure
from .sellers import Sellers

_LEAST = 0.05  # share of the card's height that a name needs

_LETTERS = 16


def serving(counts: NDArray[np.float64], market: Market, sellers: Sellers, look: Look) -> Drawn:
    """Return ribbons from each task class to who served it and what came of it.

    Args:
        counts: tasks by class, offer (doing without last) and outcome (`who_serves.OUTCOMES`),
            shape [K, O + 1, 6].
        market: the spec.
        sellers: how offers are drawn.
        look: of the page.
    """
    k, o, end = np.nonzero(counts > 0)
    if not len(k):
        return empty(look, "no task has ended yet")
    offers = [*market.offers, OUTSIDE_OFFER]
    tasks = counts[k, o, end]
    table = pd.DataFrame({
        "task": [market.tasks[i].name for i in k], "offer": [offers[i] for i in o],
        "outcome": [OUTCOMES[i] for i in end], "tasks": tasks,
        "share": tasks / counts.sum(axis=(1, 2))[k],
    })  # fmt: skip
    left = {t.name: _short(t.name) for t in market.tasks}
    drawn = ribbons(table, market, sellers.of, left, _LEAST, _short).to_plotly_json()
    for dimension in drawn["dimensions"]:
        dimension["values"] = np.asarray(dimension["values"]).tolist()
    drawn["counts"] = np.asarray(drawn["counts"]).round(6).tolist()
    drawn["line"]["color"] = np.asarray(drawn["line"]["color"]).tolist()
    drawn |= {"tickfont": {"size": 10, "color": look.ink}, "labelfont": {"color": look.ink}}
    return figure(
        look, [drawn], annotations=heads("task", "offer", "outcome"),
        margin={"l": room_for(left.values(), 10.0), "r": 100, "t": 26, "b": 8},
    )  # fmt: skip


def _short(name: object) -> str:
    """Return a label that leaves room for the ribbons."""
    text = str(name)
    return label(text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…")


def outcomes(
    served: NDArray[np.float64], right: NDArray[np.float64], late: NDArray[np.float64],
    reneged: NDArray[np.float64], failed: NDArray[np.float64], without: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Return tasks by outcome, shape [K, O + 1, 6], from counts [K, O] and of those without [K].

    Right and late are independent given class and offer, so the late come from both alike.
    """
    timely = 1.0 - np.divide(late, served, out=np.zeros_like(late), where=served > 0)
    each = [right * timely, (served - right) * timely, late, reneged, failed, np.zeros_like(late)]
    found = np.zeros((*served.shape, len(OUTCOMES)))
    found[...] = np.stack(each, axis=-1)
    last = np.zeros((len(without), 1, len(OUTCOMES)))
    last[:, 0, -1] = without
    return np.concatenate([found, last], axis=1)
