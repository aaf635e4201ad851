"""What the figures of a sweep share: which measure is drawn, names of settings, their looks."""

from __future__ import annotations

import pyarrow.compute as pc

from ...scenarios.result import rows_of
from ...scenarios.sweep.swept import Sweep
from ..sweeps.cube import Cube, cube
from .template import OKABE_ITO, SYMBOLS

Cell = tuple[str, str, str]
"""metric, task, offer."""
MOST = 6
"""Settings drawn one by one."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
COLOURS = OKABE_ITO[:MOST]


def chosen(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> Cell:
    """Return which measure is drawn: the one asked for, or the sweep's own, or welfare.

    A sweep's own measure is the first of its `measure`, of which no unit is known.

    Raises:
        ValueError: the sweep has no such measure; the message says which it has.
    """
    path = sweep.folder / "results.parquet"
    if not path.is_file():
        done, total = sweep.counts[0], sweep.manifest["total"]
        raise ValueError(f"{done:,} of {total:,} runs are done; repeat the command of the sweep")
    table = rows_of(path, ["task", "offer", "metric", "unit"])
    whole = table.filter(pc.and_(_is(table, "task", task), _is(table, "offer", offer)))
    names = [str(name) for name in pc.unique(whole["metric"]).to_pylist()]
    own = [
        str(name) for name in pc.unique(whole.filter(_is(whole, "unit", ""))["metric"]).to_pylist()
    ]
    metric = metric or next(iter([*own, "welfare"]))
    if metric not in names:
        has = ", ".join(names) or "nothing; tasks and offers are named as in a summary"
        raise ValueError(
            f'no run has "{metric}" of task "{task}" and offer "{offer}"; it has {has}'
        )
    return metric, task, offer


def _is(table: object, column: str, value: str) -> object:
    return pc.equal(pc.cast(table[column], "string"), value)  # type: ignore[index]


def cube_of(sweep: Sweep, metric: str = "", task: str = "all", offer: str = "all") -> Cube:
    """Return the measure that is drawn."""
    return cube(sweep, *chosen(sweep, metric, task, offer))


def looks(i: int) -> tuple[str, str, str]:
    """Return colour, dash and symbol of the i-th line or mark: told apart in grey, too."""
    return OKABE_ITO[i % len(OKABE_ITO)], DASHES[i % len(DASHES)], SYMBOLS[i % len(SYMBOLS)]


def named(whole: Cube) -> str:
    """Return the measure as the name of an axis, with its unit."""
    return whole.what + (f" ({whole.unit})" if whole.unit not in ("", "ratio") else "")
