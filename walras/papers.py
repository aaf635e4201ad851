"""Commands for papers: `walras table`, `odd`, `bundle`, `verify` and `cite`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import progress, terminal

if TYPE_CHECKING:
    from .analysis.paper.checks import Check
    from .analysis.paper.folder import Folder
    from .market.schema.market import Market

BAD_INPUT, DIFFERS, INTERRUPTED = 2, 3, 130

Dir = Annotated[Path, typer.Argument(
    metavar="DIR", help="A folder of run, comparison, equilibrium or sweep."
)]  # fmt: skip
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field; may be repeated."),
]


def table_command(
    folder: Dir,
    metric: Annotated[
        str, typer.Option(metavar="NAME,...", help="Measures, such as welfare,price.")
    ] = "",
    errors: Annotated[
        Literal["below", "beside", "interval", "none"], typer.Option(help="Where errors stand.")
    ] = "below",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="A .tex file.")
    ] = None,
) -> None:
    """Write the main table of a folder in LaTeX, errors and what they rest on with it."""
    with saying_why(folder):
        from .analysis.paper.folder import opened
        from .analysis.paper.tables import table_of

        metrics = [name.strip() for name in metric.split(",") if name.strip()]
        _write(table_of(opened(folder), metrics=metrics, errors=errors), out)


def odd_command(
    target: Annotated[
        str, typer.Argument(metavar="NAME_OR_FILE", help="A scenario: name or file.")
    ],
    sets: Sets = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="A .md file.")
    ] = None,
) -> None:
    """Describe a scenario by the ODD protocol, as Markdown."""
    from . import __version__
    from .analysis.paper.odd import odd

    changes = [word for change in sets or [] for word in ("--set", change)]
    words = ["walras", "odd", target, *changes]
    text = odd(_stated(target, sets), command=shlex.join(words), version=__version__)
    with saying_why(out or Path(target)):
        _write(text.removesuffix("\n"), out)


def bundle_command(
    folder: Dir,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="A .zip file; FOLDER.zip if absent."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Pack a folder for replication: data, scenario, README, versions, checksums, citations."""
    with saying_why(folder):
        from . import __version__
        from .analysis.paper.bundle import bundle
        from .analysis.paper.folder import opened
        from .scenarios.sweep.store import write_whole

        held = opened(folder)
        place = out or Path(f"{folder.resolve().name}.zip")
        if place.suffix != ".zip":
            terminal.tell(f"error: {place} does not end in .zip")
            raise typer.Exit(BAD_INPUT)
        content = bundle(held, __version__)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, content)
    if not quiet:
        typer.echo(f"{place}: {len(content) / 1e6:,.1f} MB; README.md in it has places in brackets "
                   "for you to fill in")  # fmt: skip


def verify_command(
    folder: Dir,
    runs: Annotated[
        str, typer.Option(metavar="N", help="Runs of a sweep to make anew, or all.")
    ] = "5",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check the files of a folder, make its numbers anew, and say whether they are the same."""
    if runs != "all" and not (runs.isascii() and runs.isdigit() and 0 < int(runs[:9]) == int(runs)):
        terminal.tell(f'error: --runs is "{runs}"; write a whole number from 1, or all')
        raise typer.Exit(BAD_INPUT)
    checks: list[Check] = []
    with saying_why(folder):
        from .analysis.paper.folder import opened
        from .analysis.paper.verify import verify, versions_differ

        held = opened(folder)
        others = versions_differ(held)
        for line in others if not (json or quiet) else ():
            typer.echo(f"another version: {line}")
        with progress.patience("making it anew", quiet):
            for check in verify(held, runs=None if runs == "all" else int(runs)):
                checks.append(check)
                if not (json or quiet):
                    typer.echo(str(check))
    differ = [check for check in checks if not check.same]
    if json:
        terminal.print_json({
            "folder": str(folder), "kind": held.kind, "same": not differ, "versions": others,
            "parts": [{"part": c.part, "same": c.same, "told": c.told} for c in checks],
        })  # fmt: skip
    elif not quiet:
        typer.echo(_verdict(held, len(differ), len(checks)))
    if differ:
        raise typer.Exit(DIFFERS)


def cite_command(
    scenario: Annotated[
        str, typer.Option(metavar="NAME_OR_FILE", help="Cite what a scenario uses, too.")
    ] = "",
    sets: Sets = None,
) -> None:
    """Print BibTeX of the software, and of the sources of what a scenario uses."""
    from . import __version__
    from .analysis.paper.cite import bibtex

    typer.echo(bibtex(__version__, _stated(scenario, sets) if scenario else None))


def _verdict(folder: Folder, differ: int, parts: int) -> str:
    name = f"{folder.kind} {folder.path}"
    return f"{name}: {differ} of {parts} parts differ" if differ else f"{name}: all the same"


def _stated(target: str, sets: list[str] | None) -> Market:
    """Return a scenario as its file states it; of recorded demand that is not here no notice."""
    from .scenarios.load import check, data_of_file

    _, text, path = data_of_file(target)
    return check(text, file=target, overrides=sets or [], name=path.stem).require()


def _write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{text}\n", encoding="utf-8")
        typer.echo(str(out))


@contextmanager
def saying_why(folder: Path) -> Iterator[None]:
    """Say in a line what is wrong with a folder or a file."""
    from pyarrow import ArrowException

    from .market.schema.errors import BadInputError

    try:
        yield
    except BadInputError:
        raise
    except KeyboardInterrupt:
        terminal.tell("interrupted; nothing was changed")
        raise typer.Exit(INTERRUPTED) from None
    except (OSError, ArrowException) as error:
        file = getattr(error, "filename", None) or folder
        why = getattr(error, "strerror", None) or terminal.one_line(error)
        terminal.tell(f"error: {file}: {why}")
        raise typer.Exit(BAD_INPUT) from None
    except (KeyError, ValueError) as error:
        terminal.tell(f"error: {folder}: {terminal.one_line(error).partition(': ')[2]}")
        raise typer.Exit(BAD_INPUT) from None
