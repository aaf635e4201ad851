"""`walras compare`: paired differences of two runs that met the same demand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .papers import Json, saying_why

if TYPE_CHECKING:
    from .scenarios.result import Result

_Run = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")]


def compare_command(first: _Run, second: _Run, json: Json = False) -> None:
    """Set two runs of the same demand side by side: means, and what differs for certain."""
    runs: dict[str, Result] = {}
    with saying_why(first):
        from .analysis.paper.folder import of_kind
        from .scenarios.pairing import paired
        from .scenarios.result import Result

        labels = _labels(first, second)
        for label, folder in zip(labels, (first, second), strict=True):
            of_kind(folder, "run")
            with saying_why(folder):
                runs[label] = Result.load(folder)
        comparison = paired(runs)
    from .comparison_card import as_data, card

    if json:
        terminal.print_json({**as_data(comparison, "", ""), "runs": list(runs)})
    else:
        out = terminal.console()
        out.print(card(comparison, "", "", out.width, what="runs"))


def _labels(first: Path, second: Path) -> list[str]:
    """Return the names of two folders, or what tells them apart.

    Example:
        >>> _labels(Path("runs/a-1"), Path("runs/a-2")), _labels(Path("x/a"), Path("y/a"))
        (['a-1', 'a-2'], ['x/a', 'y/a'])
    """
    names = [folder.resolve().name for folder in (first, second)]
    if names[0] != names[1]:
        return names
    whole = [str(folder) for folder in (first, second)]
    return whole if whole[0] != whole[1] else [f"{names[0]} (1)", f"{names[1]} (2)"]
