"""`walras report`: make the report of a folder, whatever it holds, once more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .papers import Dir, Json, Quiet, saying_why
from .progress import patience

if TYPE_CHECKING:
    from .analysis.paper.folder import Folder

REPORT = "report.html"


def report_command(
    folder: Dir,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="report.html in DIR if absent."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the report of a folder: run, comparison, equilibrium, sweep or study."""
    path = out or folder / REPORT
    with saying_why(folder):
        from .analysis.paper.folder import opened
        from .scenarios.sweep.store import write_whole

        held = opened(folder)
        with patience("making the report", quiet):
            text = rendered(held)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    if json:
        terminal.print_json({"folder": str(folder), "kind": held.kind, "report": str(path)})
    elif not quiet:
        typer.echo(str(path))


def rendered(held: Folder) -> str:
    """Return the report of a folder as HTML.

    Raises:
        BadInputError: a part of it is damaged.
        OSError: a file cannot be read.
        ValueError: runs of a sweep are left to do, or a file is not what was written.
    """
    if held.kind == "run":
        from .analysis.report import render as of_run
        from .scenarios.result import Result

        return of_run(Result.load(held.path))
    if held.kind == "comparison":
        from .analysis.comparison import render as of_comparison
        from .scenarios.compare import Comparison

        return of_comparison(Comparison.load(held.path))
    if held.kind == "equilibrium":
        from .analysis.equilibrium_folder import load_whole
        from .analysis.equilibrium_report import render as of_equilibrium

        return of_equilibrium(load_whole(held.path))
    from .analysis.sweep_report import render as of_sweep
    from .scenarios.sweep.swept import Sweep

    return of_sweep(Sweep.load(held.path))


def report_sweep(folder: Path, quiet: bool) -> None:
    """Write the report of a sweep whose runs have all ended; warn if it cannot be made.

    The results are safe in any case, and `walras report` tries once more.
    """
    if not (folder / "results.parquet").is_file():
        return
    try:
        with patience("making the report", quiet):
            from .analysis.sweep_report import write_sweep
            from .scenarios.sweep.swept import Sweep

            write_sweep(Sweep.load(folder), folder / REPORT)
    except Exception as error:  # noqa: BLE001 - whatever it is, the results are worth keeping
        why = terminal.one_line(error)
        terminal.tell(f"warning: the report could not be made: {why}; the results are in {folder}")
