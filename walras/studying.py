"""`walras study`: do the sweep that answers a question, draw its figure, print the verdict."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import terminal
from .papers import Json, Quiet
from .reporting import REPORT, report_sweep
from .sweeping import do, saying_why, tell

if TYPE_CHECKING:
    from .analysis.verdicts import Judged
    from .scenarios.sweep.study import Study


def study_command(
    target: Annotated[
        str, typer.Argument(metavar="NAME_OR_FILE", help="A study: see `walras list studies`.")
    ],
    jobs: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Worker processes; one a core if absent.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Its folder; sweeps/<name>-<hash> if absent.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Answer a question: do its sweep, draw its figure, print the verdict with its interval."""
    from .scenarios.studies import read_study
    from .scenarios.sweep.planned import folder_of, plan

    study, text, scenario = read_study(target)
    planned = plan(scenario, study, given=text)
    folder = folder_of(planned) if out is None else out
    words = ["walras", "study", target, *(["--out", str(out)] if out is not None else [])]
    command = shlex.join(words)
    if planned.problems and not quiet:
        terminal.show(planned.problems[:3])
    with saying_why(folder, command):
        do(planned, folder, jobs, (1, 1), "", command, quiet)
        report_sweep(folder, quiet)
        verdicts, failed = _judged(folder, study)
    drawn = _figure(study, folder)
    files = [str(path) for path in (*drawn, folder / REPORT) if path.is_file()]
    if json:
        terminal.print_json({
            "name": planned.name, "question": study.question, "folder": str(folder),
            "failed": failed, "files": files, "verdicts": [v.as_dict() for v in verdicts],
        })  # fmt: skip
    elif not quiet:
        typer.echo(study.question)
        for verdict in verdicts:
            typer.echo(f"  {verdict.sentence}")
        for path in files:
            typer.echo(f"  {path}")
    if failed:
        tell(folder, json=False, quiet=True, failing=True)


def _judged(folder: Path, study: Study) -> tuple[list[Judged], int]:
    """Return the verdicts, and how many runs have failed."""
    from .analysis.verdicts import judged
    from .scenarios.sweep.swept import Sweep

    found = Sweep.load(folder)
    return judged(found, study), found.counts[1]


def _figure(study: Study, folder: Path) -> list[Path]:
    """Write the figure of the first verdict's measure as a page; say why if there is none."""
    from .drawing import draw
    from .market.schema.errors import BadInputError

    first = study.verdicts[0]
    metric = ":".join((first.metric, first.task, first.offer))
    words: list[Any] = ["walras", "figure", study.figure, str(folder), "--metric", metric]
    try:
        return draw(study.figure, folder, metric=metric, command=shlex.join(words))[:1]
    except (BadInputError, OSError) as error:
        terminal.tell(f"warning: {study.figure} could not be drawn: {terminal.one_line(error)}")
        return []
