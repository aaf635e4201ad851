"""The static report of a run: one HTML file that opens offline and says the answer first."""

from __future__ import annotations

from pathlib import Path

from ..scenarios.result import Result
from .figures import FIGURES, Figure
from .odd_page import described
from .page import fill, flat, panels_of, span
from .report_answer import answer
from .report_tables import (
    Table,
    class_numbers,
    key_numbers,
    offers_table,
    parameters,
    sources,
)

_SECTIONS = (
    ("F3", "Prices"), ("F4", "Who serves what"), ("F10", "Deadlines and queues"),
    ("F5", "Distance from equilibrium"), ("F11", "Structure of the market"),
)  # fmt: skip
_SAID = ("command", "seed", "reps")  # parts of the manifest that stand elsewhere


def write_report(result: Result, path: str | Path) -> Path:
    """Write the report of a run as one HTML file.

    Args:
        result: the run.
        path: the file to write; its folder must exist.

    Returns:
        The path written.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.write_text(render(result), encoding="utf-8")
    return path


def render(result: Result) -> str:
    """Return the report of a run as HTML: no request leaves the page when it is opened."""
    summary = result.summary()
    panels, undrawn = panels_of(result, FIGURES)
    return fill(
        "report.html.j2",
        market=result.market,
        answer=answer(result, summary),
        emblem=panels.get("F1"),
        sections=[(title, panels[id]) for id, title in _SECTIONS if id in panels],
        undrawn=undrawn,
        key=key_numbers(summary),
        classes=class_numbers(result.market, summary),
        offers=offers_table(result.market, summary),
        sources=sources(result.market),
        parameters=parameters(result.market),
        odd=described(result.market),
        span=span(result),
        provenance=_provenance(result),
        command=Figure.command(result),
    )


def _provenance(result: Result) -> Table:
    rows = [["digest", result.digest], ["recorded", result.record], ["seed", str(result.seed)]]
    rows.append(["replications", str(result.reps)])
    rows += [[key, text] for key, text in flat("", result.manifest) if key not in _SAID]
    return Table(["", ""], rows)
