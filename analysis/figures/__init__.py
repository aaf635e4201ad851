"""The figures: each answers one question of a run and yields a drawing, its data, its command.

To add one, write a module with `build`, `data` and `caption` (functions of a result, or of a
comparison of mechanisms, or of an equilibrium, or of a game of strategies, or of a sweep, or of a
boundary) and list it in `FIGURES`, `COMPARISONS`, `EQUILIBRIA`, `GAMES`, `SWEEPS` or `BOUNDARIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import pandas as pd
import plotly.graph_objects as go

from ...scenarios.compare import Comparison
from ...scenarios.result import Result
from ...scenarios.sweep.swept import Sweep
from ..equilibrium.solved import Equilibrium
from ..games.game import Game
from ..sweeps.boundary import Boundary
from . import (
    basins,
    best_responses,
    compared,
    deadlines,
    enough_seeds,
    exploitability,
    fitted_surface,
    fluid_map,
    frontier,
    indices,
    mechanisms,
    misallocation,
    phase_boundary,
    phase_transition,
    price_paths,
    reactions,
    responses,
    run_exploitability,
    run_seeds,
    selection_map,
    simplex,
    structure,
    theory,
    waterfall,
    who_serves,
)
from .solved_frames import known
from .template import CONFIG, escape

_CAPTION = "font: 14px/1.4 sans-serif; max-width: 62em; margin: 8px"

T = TypeVar("T", Result, Comparison, Equilibrium, Game, Sweep, Boundary)


@dataclass(frozen=True)
class Figure(Generic[T]):
    """A figure of the registry.

    Attributes:
        id: its name on the command line, such as F1.
        question: the question it answers.
        builder: draws it from a result, a comparison, an equilibrium, a game, a sweep or a
            boundary; the title says what that answers.
        data: returns the numbers drawn, units in `attrs["units"]`; empty if there is nothing to
            draw.
        caption: explains how to read it.
    """

    id: str
    question: str
    builder: Callable[[T], go.Figure]
    data: Callable[[T], pd.DataFrame]
    caption: Callable[..., str]

    def html(self, result: T) -> str:
        """Return a page of its own that opens offline."""
        return self.page(self.builder(result), self.caption(result))

    def page(self, drawn: go.Figure, caption: str) -> str:
        """Return a drawing and its caption as a page that opens offline."""
        config = dict(CONFIG)  # Plotly writes into what it is given
        page = str(drawn.to_html(include_plotlyjs=True, div_id=self.id, config=config))
        body, _, rest = page.rpartition("</body>")
        said = f"<b>{self.id}. {escape(self.question)}</b> {escape(caption)}"
        return f'{body}<p style="{_CAPTION}">{said}</p></body>{rest}'

    def csv(self, result: T) -> str:
        """Return its data as CSV."""
        return self.data(result).to_csv(index=False, float_format="%.6g")

    @staticmethod
    def command(result: T) -> str:
        """Return the command that makes the run it is drawn from; empty if none is recorded."""
        return str(getattr(result, "manifest", {}).get("command", ""))


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
        "F5", "Are we at equilibrium?",
        run_exploitability.build, run_exploitability.data, run_exploitability.caption,
    ),
    Figure(
        "F10", "Are deadlines met, and how busy are the sellers?",
        deadlines.build, deadlines.data, deadlines.caption,
    ),
    Figure(
        "F11", "How is the market shared?", structure.build, structure.data, structure.caption,
    ),
    Figure(
        "F14", "Are there enough replications?",
        run_seeds.build, run_seeds.data, run_seeds.caption,
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


def _with_verdict(caption: Callable[..., str]) -> Callable[..., str]:
    """Let a caption end with what is known of the point: a figure may be seen alone."""

    def whole(found: Equilibrium, *more: Any) -> str:
        return f"{caption(found, *more)} {known(found)}"

    return whole


_SOLVED = (
    Figure(
        "F1", "Who is chosen for which deadline and which stakes?",
        fluid_map.build, fluid_map.data, fluid_map.caption,
    ),
    Figure(
        "F1b", "Where would the planner choose otherwise?",
        misallocation.build, misallocation.data, misallocation.caption,
    ),
    Figure(
        "F2", "What do accuracy and speed cost?", frontier.build, frontier.data, frontier.caption,
    ),
    Figure(
        "F3", "Where do best responses lead prices?",
        best_responses.build, best_responses.data, best_responses.caption,
    ),
    Figure(
        "F5", "Are we at equilibrium?",
        exploitability.build, exploitability.data, exploitability.caption,
    ),
    Figure(
        "F6", "How does the market respond to the price of reasoning, and does it come back?",
        phase_transition.build, phase_transition.data, phase_transition.caption,
    ),
    Figure(
        "F7", "How many price equilibria are there, and what leads to each?",
        basins.build, basins.data, basins.caption,
    ),
    Figure(
        "F8", "What costs the market welfare?", waterfall.build, waterfall.data, waterfall.caption,
    ),
    Figure(
        "F12", "How do two sellers answer each other?",
        reactions.build, reactions.data, reactions.caption,
    ),
    Figure(
        "F13", "Does simulation say the same?", theory.build, theory.data, theory.caption,
    ),
)  # fmt: skip
EQUILIBRIA: dict[str, Figure[Equilibrium]] = {
    figure.id: replace(figure, caption=_with_verdict(figure.caption)) for figure in _SOLVED
}
"""The figures of an equilibrium by their id."""
GAMES: dict[str, Figure[Game]] = {
    "F7": Figure(
        "F7", "How many equilibria are there, and what leads to each?",
        simplex.build, simplex.data, simplex.caption,
    ),
}  # fmt: skip
"""The figures of a game of strategies by their id."""
_SWEPT = (
    Figure(
        "F6", "How does the market respond to a lever?",
        responses.build, responses.data, responses.caption,
    ),
    Figure(
        "F6b", "What does the measure look like between the points that were tried?",
        fitted_surface.build, fitted_surface.data, fitted_surface.caption,
    ),
    Figure(
        "F9", "What does the outcome hang on?", indices.build, indices.data, indices.caption,
    ),
    Figure(
        "F14", "Are there enough replications?",
        enough_seeds.build, enough_seeds.data, enough_seeds.caption,
    ),
)  # fmt: skip
SWEEPS: dict[str, Figure[Sweep]] = {figure.id: figure for figure in _SWEPT}
"""The figures of a sweep by their id; each takes a measure: metric, task, offer."""
BOUNDARIES: dict[str, Figure[Boundary]] = {
    "F6c": Figure(
        "F6c", "Where does a phase begin?",
        phase_boundary.build, phase_boundary.data, phase_boundary.caption,
    ),
}  # fmt: skip
"""The figures of a boundary by their id."""

__all__ = ["BOUNDARIES", "COMPARISONS", "EQUILIBRIA", "FIGURES", "GAMES", "SWEEPS", "Figure"]
