"""What the figures read of a run: the frames cut to the steady state, names, order, colours."""

from __future__ import annotations

import math

import pandas as pd

from ...market.schema.market import Enter, Exit, Market
from ...scenarios.result import Result
from .template import SYMBOLS, palette

OUTSIDE_OFFER = "outside"
"""The offer of those who did without."""
MAIN_SELLERS = 7
"""Sellers drawn one by one where room is short; as many as there are unmixed hues."""


def warm_from(result: Result) -> float:
    """Return when the steady state starts, s: the warm-up rounded up to whole epochs."""
    epoch = result.market.epoch
    return epoch * math.ceil(result.market.run.warmup / epoch - 1e-9)


def series(result: Result, name: str) -> pd.DataFrame:
    """Return a table with a row per epoch: "epochs", "sellers" or "prices", names as text.

    Raises:
        ValueError: the run was saved without them.
    """
    frame: pd.DataFrame = getattr(result, name)
    if frame.columns.empty:
        raise ValueError("the run kept summaries only; run with record='epochs'")
    return named(frame)


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its names as text: figures merge and rename what codes cannot."""
    coded = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(coded, object))


def steady(result: Result, frame: pd.DataFrame, column: str = "start") -> pd.DataFrame:
    """Return the rows of a table whose time in `column` lies after the warm-up, names as text."""
    return named(frame[frame[column] >= warm_from(result) - 1e-9])


def seller_of(offers: pd.Series) -> pd.Series:
    """Return the seller of each offer name: what stands before the last slash."""
    names = [str(offer).rpartition("/")[0] for offer in offers]
    return pd.Series(names, index=offers.index, dtype=object)


def short_names(market: Market) -> dict[str, str]:
    """Map each offer to a label: the seller alone if it has only one effort.

    The entry "outside" reads "did without".
    """
    names = {OUTSIDE_OFFER: "did without"}
    for seller in market.sellers:
        for effort in seller.effort:
            full = f"{seller.name}/{effort}"
            names[full] = seller.name if len(seller.effort) == 1 else f"{seller.name} · {effort}"
    return names


def effort_ranks(market: Market) -> dict[str, int]:
    """Map each offer to the rank of its effort on the seller's menu, from 0, least first."""
    ranks = {}
    for seller in market.sellers:
        for i, effort in enumerate(sorted(seller.effort, key=lambda e: seller.effort[e])):
            ranks[f"{seller.name}/{effort}"] = i
    return ranks


def symbol(rank: int) -> str:
    """Return the marker of the effort of that rank."""
    return SYMBOLS[rank % len(SYMBOLS)]


def seller_order(result: Result) -> list[str]:
    """Return all sellers, those first who serve the most, each task class counting the same.

    Equal weights keep the winner of a rare but dear class from drowning in a common, cheap one.
    """
    served = steady(result, series(result, "epochs")).groupby(["task", "seller"])["served"].sum()
    served = served[served.index.get_level_values("seller") != ""]
    totals = served.groupby("task").transform("sum")
    weight = (served / totals.where(totals > 0)).groupby("seller").sum()
    names = [s.name for s in result.market.sellers]
    return sorted(names, key=lambda n: (-float(weight.get(n, 0.0)), names.index(n)))


def seller_colours(result: Result) -> dict[str, str]:
    """Map each seller to its colour, the same in every figure of the run."""
    return palette(seller_order(result))


def entries_and_exits(market: Market) -> list[tuple[float, str, str]]:
    """Return (time in s, "enters" or "exits", seller), in order of time."""
    marks = [(s.enters, "enters", s.name) for s in market.sellers if s.enters > 0]
    for event in market.events:
        if isinstance(event, Enter | Exit):
            marks.append((event.at, f"{event.kind}s", event.seller))
    return sorted(marks)
