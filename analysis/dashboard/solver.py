"""What takes seconds, solved behind the page: the planner, equilibrium prices, what they leave.

It goes step by step and tells after each; a page that has moved on ends the process.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ...market.fluid.setting import setting_of
from ...market.fluid.solve import solve
from ...market.schema.errors import BadInputError
from ...market.schema.market import Market
from ..equilibrium.response import reasoners
from ..equilibrium.solved import HOUR, Equilibrium, equilibrium
from ..figures import EQUILIBRIA
from ..figures.notation import log_ticks
from ..figures.template import INK, OKABE_ITO, titled
from .asked import FACTORS, Asked, asked_of, loaded, market_of
from .look import POSTED, SOLVED
from .numbers import of_selection

_STEPS = 25

Step = tuple[str, Callable[[], dict[str, Any]]]


class Solver:
    """Solves what pages show.

    Args:
        targets: file, or name in the library, of each scenario.

    Example:
        >>> told = list(Solver({"best_responses": "best_responses"}).steps(
        ...     {"scenario": "best_responses"}))  # fmt: skip
        >>> sorted(told[-1]["figures"]), round(told[-1]["nash"], 2)
        (['F12', 'F1b', 'F3', 'F5', 'F8'], 1.6)
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = dict(targets)

    def steps(self, message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what is known so far, after each step, the last time with `done`.

        Keys: `of`, what the message calls the market; `planner` (welfare, USD/h),
        `exploitability`, `nash` (USD a task pays at solved prices), `asks` (of mean tasks there,
        USD, by class and offer), `text`, `levers` (a table), `figures` (by id), `sweep` (a
        figure), `gap` (USD/h by name), `why` where there is nothing to solve.
        """
        found: dict[str, Any] = {"figures": {}, "of": str(message.get("of", ""))}
        try:
            asked = asked_of(message, list(self._targets))
            market = market_of(asked, self._targets)
            for said, step in self._plan(asked, market):
                found = {**found, "step": said}
                yield found
                told = step()
                found = {
                    **found,
                    **told,
                    "figures": {**found["figures"], **told.get("figures", {})},
                }
        except (BadInputError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            problems = getattr(error, "problems", None)
            found["why"] = problems[0].message if problems else str(error)
        yield {**found, "step": "", "done": True}

    def _plan(self, asked: Asked, market: Market) -> Iterator[Step]:
        if reasoners(market):
            yield "the price of reasoning", lambda: {"sweep": self._sweep(asked)}
        posted = equilibrium(market, prices="posted", certificate=False)
        yield "the planner", lambda: _posted(posted)
        for id in POSTED:
            yield f"figure {id}", lambda id=id: _drawn(id, posted)  # type: ignore[misc]
        solved: list[Equilibrium] = []

        def solve_prices() -> dict[str, Any]:
            solved.append(equilibrium(market, certificate=False))
            return _solved(solved[0])

        yield "equilibrium prices", solve_prices
        if solved[0].point.converged:
            for id in SOLVED:
                yield f"figure {id}", lambda id=id: _drawn(id, solved[0])  # type: ignore[misc]

    def _sweep(self, asked: Asked) -> dict[str, Any]:
        """Return key figures along the price of reasoning, the fluid market's, as a figure."""
        market = loaded(self._targets[asked.scenario], asked.changes).require()
        setting = setting_of(market).at_mean()
        factors = np.logspace(math.log10(FACTORS[0]), math.log10(FACTORS[1]), _STEPS)
        names = set(reasoners(market))
        held = np.array([s.name in names for s in market.sellers])[setting.seller_of]
        rows, near = [], None
        for factor in factors:
            levers = np.where(held, factor * setting.levers, setting.levers)
            near = solve(setting, setting.charges(levers), near, tolerance=1e-6)
            rows.append(of_selection(near))
        return _plain(_response(factors, rows))


def _posted(found: Equilibrium) -> dict[str, Any]:
    return {
        "planner": found.planner.selection.welfare * HOUR,
        "exploitability": found.point.epsilon if math.isfinite(found.point.epsilon) else None,
        "gap": {name: part * HOUR for name, part in found.gap.parts.items()},
    }


def _solved(found: Equilibrium) -> dict[str, Any]:
    price = of_selection(found.selection)["price"]
    columns = ["lever", "unit", "posted", "price", "unit_cost", "markup", "load"]
    rows = [
        [
            x if isinstance(x, str) else (float(f"{x:.6g}") if math.isfinite(x) else None)
            for x in row
        ]
        for row in found.levers[columns].itertuples(index=False)
    ]
    return {
        "nash": price if found.point.converged and math.isfinite(price) else None,
        "asks": found.selection.charges.ask.tolist() if found.point.converged else None,
        "text": found.text, "levers": {"columns": columns, "rows": rows},
    }  # fmt: skip


def _drawn(id: str, found: Equilibrium) -> dict[str, Any]:
    figure = EQUILIBRIA[id]
    if figure.data(found).empty:
        return {}
    return {"figures": {id: {
        "figure": _plain(figure.builder(found)), "caption": figure.caption(found),
        "question": figure.question,
    }}}  # fmt: skip


def _response(factors: np.ndarray, rows: list[dict[str, float]]) -> go.Figure:
    """Draw reasoning, welfare and missed deadlines along the price of reasoning."""
    parts = (("reasoning", "reasoning", ".3~p"), ("welfare", "welfare (USD/h)", ".4~s"),
             ("miss", "missed", ".3~p"))  # fmt: skip
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    at = [{"reasoning": float(f"{factor:.3g}")} for factor in factors]
    for i, (name, label, form) in enumerate(parts, 1):
        figure.add_trace(go.Scatter(
            x=factors, y=[row[name] for row in rows], mode="lines+markers", customdata=at,
            line={"color": OKABE_ITO[0]}, marker={"size": 7},
            hovertemplate="× %{x:.3g}: %{y:.4g}<extra></extra>",
        ), row=i, col=1)  # fmt: skip
        figure.update_yaxes(title_text=label, tickformat=form, row=i, col=1)
    ends = [math.log10(factors[0]) - 0.02, math.log10(factors[-1]) + 0.02]
    figure.update_xaxes(type="log", range=ends, **log_ticks(*ends))
    figure.update_xaxes(title_text="price of reasoning, times what is posted", row=3, col=1)
    figure.add_vline(x=1.0, line={"color": INK, "width": 1, "dash": "dot"})
    drawn = titled(figure, "What does the price of reasoning do?", height=460)
    return drawn.update_layout(title_text="", margin_t=16, showlegend=False)


def _plain(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as plain data; Plotly packs its arrays."""
    drawn: dict[str, Any] = json.loads(figure.to_json())
    return drawn
