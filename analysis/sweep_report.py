"""The report of a sweep, or of the study that it answers: one HTML file that opens offline."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..scenarios.studies import study_of
from ..scenarios.sweep.store import write_whole
from ..scenarios.sweep.study import Study
from ..scenarios.sweep.swept import Sweep
from . import sweep_tables
from .figures import SWEEPS, Figure, fitted_surface
from .figures.notation import percent
from .figures.sweep_frames import Cell
from .odd_page import described
from .page import Panel, fill, flat, panels_of
from .report_tables import Table, parameters
from .sweep_answer import answer, main_measure
from .sweeps.cube import cube
from .verdicts import Judged, judged

_SAID = ("command", "paths", "spans", "sample", "constants", "question", "name", "points")
"""Parts of the manifest that stand elsewhere."""
_GOOD = 0.9
"""Share of the variance from which on a response surface is shown."""


def write_sweep(sweep: Sweep, path: str | Path) -> Path:
    """Write the report of a sweep as one HTML file: under another name first, then renamed.

    Args:
        sweep: all runs of which have ended.
        path: the file to write; its folder must exist.

    Raises:
        ValueError: runs are left to do.
        OSError: the file cannot be written.
    """
    write_whole(Path(path), render(sweep).encode())
    return Path(path)


def render(sweep: Sweep) -> str:
    """Return the report as HTML; its links lead to the sweep's own files beside it.

    Raises:
        ValueError: runs are left to do.
    """
    done, total = sweep.counts[0], int(sweep.manifest["total"])
    if not (sweep.folder / "results.parquet").is_file():
        raise ValueError(f"{done:,} of {total:,} runs are done; repeat the command of the sweep")
    study = study_of(sweep.folder)
    verdicts = judged(sweep, study) if study is not None else []
    cell = _measure(sweep, study)
    emblem, panels, undrawn = _figures(sweep, study, cell)
    table, points = sweep_tables.points(sweep, cell)
    counted, failed = sweep_tables.failures(sweep)
    market = sweep_tables.market_of(sweep)
    return fill(
        "sweep.html.j2", name=str(sweep.manifest["name"]), study=study is not None,
        question=str(sweep.manifest["question"]), scenario=str(sweep.manifest["scenario"]),
        verdicts=[v.sentence for v in verdicts], together=_together(verdicts),
        answer=answer(sweep, cell), emblem=emblem, panels=panels, undrawn=undrawn,
        settings=cube(sweep, *cell).labels if cell else [],
        key=sweep_tables.key_numbers(sweep, cell), classes=sweep_tables.by_class(sweep, cell),
        measure=" of ".join(filter(None, (cell[0], *_of(cell)))) if cell else "",
        table=table, points=points, design=sweep_tables.design(sweep), failures=counted,
        failed=failed, failures_in_all=len(sweep.failures),
        parameters=parameters(market) if market is not None else [],
        odd=described(market) if market is not None else "",
        command=str(sweep.manifest.get("command", "")),
        provenance=Table(["", ""], [
            [key, text] for key, text in flat("", sweep.manifest) if key not in _SAID
            and key.partition(".")[0] not in _SAID
        ]),
    )  # fmt: skip


def _of(cell: Cell) -> list[str]:
    return [name for name in cell[1:] if name != "all"]


def _measure(sweep: Sweep, study: Study | None) -> Cell | None:
    """Return the measure that the report is about: of a study that of its first verdict."""
    if study is None:
        return main_measure(sweep)
    first = study.verdicts[0]
    cell = (first.metric, first.task, first.offer)
    try:
        cube(sweep, *cell)
    except KeyError:
        return main_measure(sweep)
    return cell


def _together(verdicts: list[Judged]) -> str:
    if not verdicts:
        return ""
    if len(verdicts) == 1:
        return "The interval is of 95%."
    return f"Each holds at {100.0 * verdicts[0].level:.3g}%, so that all together hold at 95%."


# --- figures --------------------------------------------------------------------------------------


def _figures(
    sweep: Sweep, study: Study | None, cell: Cell | None
) -> tuple[Panel | None, list[Panel], list[str]]:
    """Return the main figure, the others, and a sentence on each that cannot be drawn."""
    if cell is None:
        return None, [], []
    panels, undrawn = _drawn(sweep, cell, SWEEPS)
    poor = _poor(sweep, cell) if "F6b" in panels else ""
    if poor:
        del panels["F6b"]
        undrawn.append(poor)
    wanted = study.figure if study is not None else ""
    order = [id for id in (wanted, "F6", "F9", "F6b", *panels) if id in panels]
    emblem = panels.pop(order[0], None) if order else None
    more: list[Panel] = []
    for i, other in enumerate(_others(study, cell), start=2):
        extra, missing = _drawn(sweep, other, {wanted: SWEEPS[wanted]} if wanted in SWEEPS else {})
        more += [replace(panel, place=f"{panel.id}-{i}") for panel in extra.values()]
        undrawn += missing
    return emblem, [*more, *panels.values()], undrawn


def _poor(sweep: Sweep, cell: Cell) -> str:
    """Say of a surface that it is no picture of the points; empty if it is one."""
    share = fitted_surface.explained(sweep, *cell)
    if share >= _GOOD:
        return ""
    return (
        f"F6b, “{SWEEPS['F6b'].question}”, is left out: a quadratic explains {percent(share)} of "
        "the variance between points, and would mislead."
    )


def _others(study: Study | None, cell: Cell) -> list[Cell]:
    """Return the other measures that a study's verdicts are about."""
    if study is None:
        return []
    cells = [
        (v.metric, v.task, offer)
        for v in study.verdicts for offer in (v.offer, v.less) if offer
    ]  # fmt: skip
    return [c for c in dict.fromkeys(cells) if c != cell]


def _drawn(
    sweep: Sweep, cell: Cell, figures: dict[str, Figure[Sweep]]
) -> tuple[dict[str, Panel], list[str]]:
    """Return figures of one measure, each with the command that draws it alone."""
    panels, undrawn = panels_of(sweep, {id: _bound(f, cell) for id, f in figures.items()})
    told = ":".join(cell[: 3 if cell[2] != "all" else 2 if cell[1] != "all" else 1])
    out = {}
    for id, panel in panels.items():
        words = ["walras", "figure", id, str(sweep.folder), "--metric", told]
        out[id] = replace(panel, command=shlex.join(words))
    return out, undrawn


def _bound(figure: Figure[Sweep], cell: Cell) -> Figure[Sweep]:
    """Return a figure of a sweep that is always of one measure."""

    def of(part: Any) -> Any:
        return lambda sweep: part(sweep, *cell)

    return replace(
        figure, builder=of(figure.builder), data=of(figure.data), caption=of(figure.caption)
    )  # fmt: skip
