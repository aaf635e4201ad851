"""What the pages share: figures ready for a template, and the environment that fills it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..scenarios.compare import Comparison
from ..scenarios.result import Result
from ..scenarios.sweep.swept import Sweep
from .equilibrium.solved import Equilibrium
from .figures import Figure, csv_of
from .figures.notation import duration, number
from .figures.template import CONFIG, HEAD, WIDTH, plain, printable
from .report_tables import Table

_LARGE = 100_000  # bytes from which on data are packed
_SHOWN = 30  # rows of a figure's data that are printed; all are in its download
_MOST = 300_000  # bytes of packed data of a figure from which on only some of its rows are embedded
_DENSE = 4_000  # points of a trace from which on only some of them are drawn

T = TypeVar("T", Result, Comparison, Equilibrium, Sweep)


@dataclass(frozen=True)
class Panel:
    """A figure as the template wants it.

    Attributes:
        place: where it is in the page, an id of its own; `id` where that is drawn once.
        kept: rows of its data that the download holds; all, unless they are too many for a page.
    """

    id: str
    question: str
    finding: str
    caption: str
    spec: Markup
    height: int
    data: Table
    rows: int
    file: str
    download: str
    command: str
    kept: int
    place: str


def fill(template: str, **values: Any) -> str:
    """Return a template of this folder as HTML; no request leaves the page when it is opened."""
    environment = Environment(
        loader=PackageLoader("walras.analysis", ""), autoescape=True, finalize=_shown,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(
        config=CONFIG, nominal=WIDTH,
        plotly=Markup(get_plotlyjs()),  # noqa: S704 - the library itself, no data in it
        **values,
    )  # fmt: skip


def _shown(value: object) -> object:
    """Return what the page prints of a value: text with every character in sight."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def panels_of(
    result: T, figures: Mapping[str, Figure[T]]
) -> tuple[dict[str, Panel], list[str]]:  # fmt: skip
    """Return the figures by id, and a sentence on each that cannot be drawn for this run."""
    panels, undrawn = {}, []
    for id, figure in figures.items():
        try:
            panel = _panel(figure, result)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # The run is sound and its other figures are, too: one drawing must not cost the rest.
            why = f"{type(error).__name__}: {error}"
            undrawn.append(
                f"{id}, “{figure.question}”, is left out: it cannot be drawn here ({why})."
            )
            continue
        if isinstance(panel, Panel):
            panels[id] = panel
        elif panel:
            undrawn.append(f"{id}, “{figure.question}”, is not drawn: {panel}")
    return panels, undrawn


def _panel(figure: Figure[T], result: T) -> Panel | str:
    """Return a figure ready for the page, or why it is not drawn; empty where nothing is to see."""
    data = figure.data(result)
    if data.empty:
        return str(data.attrs.get("why", ""))
    drawn = figure.builder(result)
    if not drawn.data:
        return ""
    finding = plain(drawn.layout.title.text)
    height = int(drawn.layout.height) - HEAD
    drawn.update_layout(
        title_text="", height=height, margin_t=max(int(drawn.layout.margin.t) - HEAD, 34)
    )
    drawn.for_each_trace(_thinned)
    file, download, kept = _download(figure.id, data)
    return Panel(
        id=figure.id, question=figure.question, finding=finding, caption=figure.caption(result),
        spec=_script_json(drawn.to_json()), height=height, data=_preview(data), rows=len(data),
        file=file,
        download=download,
        command=figure.command(result), kept=kept, place=figure.id,
    )  # fmt: skip


def _download(id: str, data: pd.DataFrame) -> tuple[str, str, int]:
    """Return the name of a figure's data file, the file itself as a link, and its number of rows.

    It is packed if large; of what is too large even so, it holds rows that are evenly apart.
    """
    step = 1
    while True:
        rows = data.iloc[::step]
        csv, name, kind = csv_of(rows).encode(), f"{id}.csv", "text/csv"
        if len(csv) > _LARGE:
            name, kind, csv = f"{name}.gz", "application/gzip", gzip.compress(csv, mtime=0)
        if len(csv) <= _MOST or len(rows) <= _SHOWN:
            return name, f"data:{kind};base64,{base64.b64encode(csv).decode()}", len(rows)
        step *= -(-len(csv) // _MOST)


def _thinned(trace: Any) -> None:
    """Leave of a line or of marks with very many points some that are evenly apart."""
    if trace.type != "scatter" or trace.x is None or len(trace.x) <= _DENSE or trace.fill:
        return
    n = len(trace.x)
    step = -(-n // _DENSE)
    own = trace.to_plotly_json()
    trace.update({name: value[::step] for name, value in own.items() if _is_long(value, n)})
    for part in ("error_x", "error_y", "marker"):
        inner = {name: value[::step] for name, value in own.get(part, {}).items()
                 if _is_long(value, n)}  # fmt: skip
        trace.update({part: inner} if inner else {})


def _is_long(value: object, n: int) -> bool:
    return isinstance(value, (list, tuple, np.ndarray)) and len(value) == n


def _script_json(text: str) -> Markup:
    """Return JSON that no markup inside it can end the script element it stands in."""
    for raw in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(raw, f"\\u{ord(raw):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _preview(data: pd.DataFrame) -> Table:
    units = data.attrs.get("units", {})
    head = [f"{c} ({units[c]})" if c in units else str(c) for c in data.columns]
    rows = [
        [number(v) if isinstance(v, float) else str(v) for v in row]
        for row in data.head(_SHOWN).itertuples(index=False, name=None)
    ]
    return Table(head, rows)


def span(result: Result) -> str:
    """Say how long a run was, and how many times it was made."""
    run = result.market.run
    text = f"{duration(run.until)} simulated"
    if run.warmup:
        text += f", the first {duration(run.warmup)} left out of means"
    return f"{text}, {result.reps} replication{'s' if result.reps != 1 else ''}, seed {result.seed}"


def flat(name: str, value: Any) -> list[tuple[str, str]]:
    """Return nested provenance as (dotted name, text)."""
    if isinstance(value, dict):
        return [
            item for key, inner in value.items()
            for item in flat(f"{name}.{key}" if name else str(key), inner)
        ]  # fmt: skip
    return [(name, value if isinstance(value, str) else json.dumps(value, default=str))]
