"""F14 of a run: whether it has enough replications, for the means of all tasks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...scenarios.result import Result
from ...scenarios.summary import ALL, class_ratios
from .frames import series
from .half_widths import FEW, draw, half_widths, worst
from .template import undrawn

_QUESTION = "Are there enough replications?"
_NONE = f"Intervals need {FEW} replications at least: `walras run --reps`."
_METRICS = ("welfare", "miss_rate", "price", "sojourn", "served_share")


def data(result: Result) -> pd.DataFrame:
    """Return half-widths by replications, as `half_widths` does, a line per measure.

    A replication's value is the ratio of its own sums; where it has none, it is left out.
    """
    epochs, sellers = series(result, "epochs"), series(result, "sellers")
    if result.reps < FEW:
        return pd.DataFrame()
    ratios = class_ratios(result.market, epochs, sellers, result.reps)
    lines = {}
    for metric in _METRICS:
        if (ALL, metric) in ratios:
            sums, counts = (part.sum(axis=1) for part in ratios[ALL, metric])
            each = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts != 0.0)
            known = each[~np.isnan(each)]
            lines["means", metric] = (each, float(known.mean()) if len(known) else 0.0)
    return half_widths(lines)


def build(result: Result) -> go.Figure:
    """Draw how intervals shrink with replications."""
    table = data(result)
    return undrawn(_QUESTION, _NONE) if table.empty else draw(table, f"A{worst(table)[1:]}")


def caption(result: Result) -> str:
    """Explain how to read the figure."""
    if result.reps < FEW:
        return _NONE
    return (
        "Half the width of the 95% interval (Student’s t) of the first n replications, as a share "
        "of the mean; dotted lines go on as n^−1/2. With few replications widths jump by chance. "
        "Means are of all tasks after the warm-up."
    )
