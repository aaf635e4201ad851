"""Tasks as dots on the selection map: where they lay, who took them, how they ended."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....market.state import SERVED
from ...figures.notation import duration, number
from ..look import Look
from .sellers import Sellers


def dots(
    rows: NDArray[Any], kept: NDArray[np.bool_], sellers: Sellers, look: Look
) -> dict[str, Any] | None:
    """Return a trace of tasks that ended; None where none has a deadline and a value.

    Args:
        rows: of `TRADE`, one class, shape [n].
        kept: which of them are selected, shape [n]; the others fade.
        sellers: how offers are drawn.
        look: of the page.
    """
    placed = np.isfinite(rows["deadline"]) & (rows["deadline"] > 0) & (rows["value"] > 0)
    rows, kept = rows[placed], kept[placed]
    if not len(rows):
        return None
    good = (rows["status"] == SERVED) & (rows["right"] == 1) & (rows["late"] == 0)
    last = len(sellers.colours) - 1
    offer = np.where(rows["offer"] < 0, last, rows["offer"])
    return {
        "type": "scatter", "mode": "markers", "name": "tasks", "showlegend": False,
        "x": [float(f"{x:.4g}") for x in rows["deadline"]],
        "y": [float(f"{x:.4g}") for x in rows["value"]],
        "text": [_said(row, sellers) for row in rows], "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "size": 6, "color": [sellers.colours[o] for o in offer],
            "symbol": np.where(good, "circle", "x").tolist(),
            "opacity": np.where(kept, 0.95, 0.12).tolist(),
            "line": {"width": 1, "color": look.page},
        },
    }  # fmt: skip


def _said(row: Any, sellers: Sellers) -> str:
    offer = sellers.labels[int(row["offer"])] if row["offer"] >= 0 else sellers.labels[-1]
    where = f"{duration(float(row['deadline']))}, {number(float(row['value']))} USD: {offer}"
    if row["offer"] < 0:
        return where
    if row["status"] != SERVED:
        return f"{where}, not served"
    right = "right" if row["right"] == 1 else "wrong"
    late = "late" if row["late"] == 1 else "in time"
    return f"{where}, {right}, {late} after {duration(float(row['sojourn']))}"
