"""The figures: each answers one question of a run and yields a drawing, its data, its command.

To add one, write a module with `build`, `data` and `caption` (functions of a result, or of a
comparison of mechanisms) and list it in `FIGURES` or in `COMPARISONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pandas as pd
import plotly.graph_objects as go

from ...scenarios.compare import Comparison
from ...scenarios.result import Result
from . import compared, deadlines, mechanisms, price_paths, selection_map, structure, who_serves
from .template import CONFIG

T = TypeVar("T", Result, Comparison)


@dataclass(frozen=True)
class Figure(Generic[T]):
    """A figure of the registry.

    Attributes:
        id: its name on the command line, such as F1.
        question: the question it answers.
        builder: draws it from a result or a comparison; the title says what this run answers.
        data: returns the numbers drawn, units in `attrs["units"]`; empty if there is nothing to
            draw.
        caption: explains how to read it.
    """

    id: str
    question: str
    builder: Callable[[T], go.Figure]
    data: Callable[[T], pd.DataFrame]
    caption: Callable[[T], str]

    def html(self, result: T) -> str:
        """Return a page of its own that opens offline."""
        config = dict(CONFIG)  # Plotly writes into what it is given
        drawn = self.builder(result)
        return str(drawn.to_html(include_plotlyjs=True, div_id=self.id, config=config))

    def csv(self, result: T) -> str:
        """Return its data as CSV."""
        return self.data(result).to_csv(index=False, float_format="%.6g")

    @staticmethod
    def command(result: T) -> str:
        """Return the command that makes the run it is drawn from; empty if none is recorded."""
        return str(result.manifest.get("command", ""))


_ALL = (
    Figure(
        "F1", "Who is chosen for which deadline and which stakes?",
        selection_map.build, selection_map.data, selection_map.caption,
    ),
    Figure(
        "F3", "How do prices move?", price_paths.build, price_paths.data, price_paths.caption,
    ),
    Figure("F4", "Who serves what?", who_serves.build, who_serves.data, who_serves.caption),
    Figure(
        "F10", "Are deadlines met, and how busy are the sellers?",
        deadlines.build, deadlines.data, deadlines.caption,
    ),
    Figure(
        "F11", "How is the market shared?", structure.build, structure.data, structure.caption,
    ),
)  # fmt: skip
FIGURES: dict[str, Figure[Result]] = {figure.id: figure for figure in _ALL}
"""The figures of a run by their id."""
COMPARISONS: dict[str, Figure[Comparison]] = {
    "M1": Figure(
        "M1", "What does each mechanism make of the same demand?",
        mechanisms.build, compared.data, mechanisms.caption,
    ),
}  # fmt: skip
"""The figures of a comparison by their id."""

__all__ = ["COMPARISONS", "FIGURES", "Figure"]
