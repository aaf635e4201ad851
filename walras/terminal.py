"""What the command line says, and where: answers on standard output, all else on standard error.

The heavy libraries are imported where they are used: `walras --help` must be quick.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from .market.schema.errors import Problem

BAD_INPUT, FAILED, INTERRUPTED = 2, 3, 130
"""Exit codes besides 0: bad input, some runs failed, interrupted."""
_MOST_WARNINGS = 2


def console(*, stderr: bool = False) -> Any:
    """Return a rich console that prints names as they are: no markup, no emoji, no wrapping."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True, emoji=False, markup=False)


def show(problems: Sequence[Problem]) -> None:
    """Print problems on standard error, coloured on a terminal."""
    from .market.schema.errors import ordered, styled

    if not problems:
        return
    from rich.text import Text

    out = console(stderr=True)
    for problem in ordered(problems):
        out.print(Text.assemble(*styled(problem)))


def warn(problems: Sequence[Problem], target: str) -> None:
    """Print the first few problems of a scenario, and the command that shows all."""
    show(problems[:_MOST_WARNINGS])
    more = len(problems) - _MOST_WARNINGS
    if more > 0:
        tell(f"and {more} more warnings: {shlex.join(['walras', 'validate', target])}")


def tell(text: str) -> None:
    """Print a line on standard error."""
    typer.echo(text, err=True)


def print_json(data: Any) -> None:
    """Print data as JSON on standard output; a number that is not finite is an error of ours."""
    typer.echo(json.dumps(data, allow_nan=False, indent=1))


def one_line(error: Exception) -> str:
    """Return an error on one line."""
    from .market.schema.errors import plain

    return plain(f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0], 200)


def count(items: Sequence[object], one: str, many: str = "") -> str:
    """Return how many there are, in words.

    Example:
        >>> count("ab", "seller"), count("a", "task class", "task classes")
        ('2 sellers', '1 task class')
    """
    return f"{len(items)} {one if len(items) == 1 else many or one + 's'}"
