"""`walras new`: a commented scenario to start from."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from . import terminal
from .terminal import BAD_INPUT

_NOT_THERE = "W110"
"""A trace is missing: not the new file's fault."""


def new_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the scenario and its file.")],
    source: Annotated[
        str, typer.Option("--from", metavar="SCENARIO", help="A scenario: name or file.")
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Write NAME.toml: a scenario like another, every field with what it means."""
    from .market.schema.errors import errors_in
    from .market.schema.wording import NAME_PATTERN, sizes
    from .scenarios.load import check
    from .scenarios.starter import starter

    path = Path(name if name.endswith(".toml") else f"{name}.toml")
    if not re.fullmatch(NAME_PATTERN, path.stem):
        terminal.tell(f"error: NAME is {path.stem!r}; it is {sizes({'pattern': NAME_PATTERN}, '')}")
        raise typer.Exit(BAD_INPUT)
    text = starter(source, path.stem, path.parent)
    errors = errors_in(check(text, file=str(path), base=path.parent).problems)
    terminal.show(errors)
    if any(problem.code != _NOT_THERE for problem in errors):
        terminal.tell(f"error: nothing was written, as {source} has errors")
        raise typer.Exit(BAD_INPUT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as out:
            out.write(text)
    except FileExistsError:
        terminal.tell(f"error: {path} is there already; choose another name")
        raise typer.Exit(BAD_INPUT) from None
    except OSError as error:
        terminal.tell(f"error: {path} cannot be written: {error.strerror}")
        raise typer.Exit(BAD_INPUT) from None
    if not quiet:
        typer.echo(f"{path}; to run it: {shlex.join(['walras', 'run', str(path)])}")
