"""`walras figure`: one figure of a folder as a file, with its data beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .market.schema.errors import BadInputError, Problem, did_you_mean

if TYPE_CHECKING:
    import plotly.graph_objects as go

KINDS = (".html", ".pdf", ".svg", ".png", ".csv")
_MEASURE = re.compile(r"([0-9]{1,2}(?:\.[0-9]+)?)x([0-9]{1,2}(?:\.[0-9]+)?)")
_POINTS, _SCALE = 8.0, 3
_BESIDE: dict[str, Literal["joint", "simulated"]] = {"F3": "joint", "F13": "simulated"}
"""Figures of an equilibrium for which more is looked at than the point, and what."""


class NoExportError(Exception):
    """A page can be written here, a picture cannot."""


def draw(
    id: str, folder: Path, *, size: str = "", out: Path | None = None,
    along: Sequence[str] = (), ends: tuple[float | None, float | None] = (None, None),
    metric: str = "", level: float | None = None, command: str = "",
) -> list[Path]:  # fmt: skip
    """Write a figure of a run, a comparison, an equilibrium or a sweep, and its data beside it.

    Args:
        id: such as F1; see `walras list figures`.
        folder: what `walras run`, `walras equilibrium` or `walras sweep` wrote.
        size: of paper, a name or inches such as 3.5x2.6; empty for the screen.
        out: the file, whose ending says what it is; a page in the folder when absent.
        along: what moves in F6, as `--set` takes it; the price of reasoning if empty.
        ends: least and greatest value there.
        metric: of a sweep, what is drawn: METRIC, METRIC:TASK or METRIC:TASK:OFFER; its own measure
            or welfare if empty.
        level: of F6b, a level of that measure whose line is drawn.
        command: what draws it; the page keeps it, and the one that made the folder.

    Returns:
        The files written: beside a picture its data and, as text, its caption.

    Raises:
        BadInputError: the folder, the figure, the size, the ending or the path is none.
        NoExportError: nothing here can make a picture of a figure.
        OSError: a file cannot be read or written.
    """
    from .analysis.figures import SWEEPS
    from .analysis.figures.template import paper

    out = out or folder / f"{id}.html"
    if out.suffix not in KINDS:
        raise _wrong(f"{out.name} ends in none of {', '.join(KINDS)}", "")
    inches = inches_of(size) if size else None
    registry, found = _read(id, folder)
    if id not in registry:
        hint = did_you_mean(id, list(registry)) or f"it has {', '.join(registry)}"
        raise _wrong(f"{folder} has no figure {id}", hint)
    swept = registry is SWEEPS
    if (along or ends != (None, None)) and (id != "F6" or swept):
        why = (
            "a sweep has moved its levers" if swept else f"only F6 moves a parameter; {id} does not"
        )
        raise _wrong(why, "leave out --along, --from, --to")
    if metric and not swept:
        raise _wrong("only figures of sweeps are of a measure", "leave out --metric")
    if level is not None and (id != "F6b" or not math.isfinite(level)):
        raise _wrong("only F6b has a line at a level, a finite number", "leave out --level")
    more: tuple[Any, ...] = _moved(along, ends) if id == "F6" and not swept else ()
    if swept:
        more = tuple(metric.split(":", 2)) if metric else ()
    at = {} if level is None else {"level": level}
    figure = registry[id]
    try:
        table = figure.data(found, *more)
    except BadInputError:
        raise
    except ValueError as error:
        raise _wrong(str(error), "") from None
    if table.empty:
        raise _wrong(f"there is nothing to draw as {id} of {folder}", figure.caption(found, *more))
    drawn = figure.builder(found, *more, **at)
    drawn.update_layout(meta={"command": command, "run": figure.command(found)})
    drawn = drawn if inches is None else paper(drawn, *inches, points=_POINTS)
    data = out.with_suffix(".csv")
    data.write_text(table.to_csv(index=False, float_format="%.6g"), encoding="utf-8")
    if out.suffix == ".csv":
        return [out]
    caption = figure.caption(found, *more, **at)
    if out.suffix == ".html":
        out.write_text(figure.page(drawn, caption), encoding="utf-8")
        return [out, data]
    _write(drawn, out, inches)
    told = out.with_suffix(".txt")
    told.write_text(f"{id}. {figure.question} {caption}\n", encoding="utf-8")
    return [out, data, told]


def inches_of(size: str) -> tuple[float, float]:
    """Return width and height of a size, inches.

    Raises:
        BadInputError: it is none.

    Example:
        >>> inches_of("3.5x2")
        (3.5, 2.0)
    """
    from .analysis.figures.template import SIZES

    if size in SIZES:
        return SIZES[size]
    found = _MEASURE.fullmatch(size)
    if found is None or not all(1.0 <= float(x) <= 40.0 for x in found.groups()):
        hint = f"sizes: {', '.join(SIZES)}, or inches such as 3.5x2.6, 1 to 40 each"
        raise _wrong(f'"{size}" is no size', hint)
    return float(found[1]), float(found[2])


def _moved(along: Sequence[str], ends: tuple[float | None, float | None]) -> tuple[Any, ...]:
    path = along[0] if len(along) == 1 else list(along)
    return (path or None, *ends)


def _read(id: str, folder: Path) -> tuple[Mapping[str, Any], Any]:
    """Return the figures that a folder has and what it holds."""
    from .analysis.figures import COMPARISONS, EQUILIBRIA, FIGURES, SWEEPS
    from .scenarios.sweep.store import SweepFolderError

    try:
        if (folder / "design.parquet").is_file():
            from .scenarios.sweep.swept import Sweep

            return SWEEPS, Sweep.load(folder)
        if (folder / "equilibrium.json").is_file():
            from .analysis.equilibrium_folder import load_equilibrium

            return EQUILIBRIA, load_equilibrium(folder, beside=_BESIDE.get(id, ""))
        if (folder / "comparison.parquet").is_file():
            from .scenarios.compare import Comparison

            return COMPARISONS, Comparison.load(folder)
        from .scenarios.result import Result

        return FIGURES, Result.load(folder)
    except BadInputError:
        raise
    except (KeyError, OSError, ValueError, SweepFolderError) as error:
        hint = "give a folder that `walras run`, `walras equilibrium` or `walras sweep` wrote"
        raise _wrong(f"{folder} holds no run that can be read: {error}", hint) from None


def _write(drawn: go.Figure, out: Path, inches: tuple[float, float] | None) -> None:
    """Write a picture."""
    from .analysis.figures.template import HEIGHT, WIDTH

    screen = {} if inches else {"width": WIDTH, "height": drawn.layout.height or HEIGHT}
    try:
        picture = drawn.to_image(format=out.suffix[1:], scale=_SCALE, **screen)
    except Exception as error:
        why = str(error).strip().partition("\n")[0]
        raise NoExportError(
            f"no picture can be made here: {why}; it takes `pip install walras[export]` and "
            "Chromium. A page (.html) needs neither"
        ) from error
    out.write_bytes(picture)


def _wrong(message: str, hint: str) -> BadInputError:
    return BadInputError([Problem("W105", message, hint=hint)])
