"""F14 of a sweep: whether it has enough replications, for means and for paired differences."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ...scenarios.sweep.swept import Sweep
from ..sweeps.cube import Cube, cube
from ..sweeps.intervals import mean_over
from .half_widths import FEW, draw, half_widths, worst
from .notation import percent
from .solved_frames import once
from .sweep_frames import MOST, chosen, cube_of
from .template import undrawn

_QUESTION = "Are there enough replications?"
_NONE = f"Intervals need {FEW} replications at least: give the sweep more seeds."
_MEANS, _DIFFERENCES = "means", "paired differences to the first"


def data(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> pd.DataFrame:
    """Return half-widths by replications, as `half_widths` does, a line per setting of levers.

    The panels are "means" and "paired differences to the first" setting; both are shares of the
    greatest mean in size: one setting's may be near 0. Each value is a replication's mean over the
    sample.
    """
    if sweep.manifest["seeds"] < FEW:
        return pd.DataFrame()
    cell = chosen(sweep, metric, task, offer)
    return once(sweep, f"enough_seeds {cell}", lambda: _widths(cube(sweep, *cell)))


def _widths(whole: Cube) -> pd.DataFrame:
    values = mean_over(whole.values, axis=1)
    sizes = np.abs(mean_over(values, axis=1))
    scale = float(np.nanmax(sizes)) if not np.isnan(sizes).all() else math.nan
    lines = {(_MEANS, name): (row, scale) for name, row in zip(whole.labels, values, strict=True)}
    for name, row in zip(whole.labels[1:], values[1:], strict=True):
        lines[_DIFFERENCES, name] = (row - values[0], scale)
    return half_widths(lines)


def build(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> go.Figure:
    """Draw how intervals shrink with replications."""
    table = data(sweep, metric, task, offer)
    if table.empty:
        return undrawn(_QUESTION, _NONE)
    return draw(table, finding(sweep, metric, task, offer))


def finding(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Say in one sentence whether there are enough."""
    table = data(sweep, metric, task, offer)
    if table.empty:
        return _QUESTION
    whole = cube_of(sweep, metric, task, offer)
    said = f"{whole.what}: {worst(table[table['panel'] == _MEANS])}"
    other = table[table["panel"] == _DIFFERENCES]
    if other.empty:
        return said
    last = other.sort_values("n").groupby("line", sort=False).tail(1)["half_width"]
    return f"{said}; differences are known to ± {percent(float(np.max(last)))}"


def caption(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> str:
    """Explain how to read the figure."""
    table = data(sweep, metric, task, offer)
    if table.empty:
        return _NONE
    lines = table["line"].nunique()
    more = f" {lines - MOST} more settings are in the data." if lines > MOST else ""
    paired = "share their streams" if sweep.manifest["paired"] else "have streams of their own"
    return (
        "Half the width of the 95% interval (Student’s t) of the first n replications, as a share "
        "of the greatest mean; dotted lines go on as n^−1/2. With few replications widths "
        f"jump by chance. Settings {paired} in each replication.{more}"
    )
