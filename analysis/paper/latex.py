r"""A DataFrame as a table for LaTeX: rules by booktabs, columns of numbers by siunitx 3.

Its preamble is `\usepackage{booktabs,siunitx}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...scenarios.estimates import Estimate
from .escape import escaped

Errors = Literal["below", "beside", "interval", "none"]
_MEASURES = ("value", "difference")
"""Columns whose error stands in `se`, `low` and `high`; another's in its name with `_se`, say."""
_SMALLEST, _LARGEST = 1e-4, 1e7
"""Numbers beyond these are told with a power of ten."""
_DUST = 1e-9
"""Share of a number below which its error is rounding."""
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.+/-]*")


def latex(
    frame: pd.DataFrame, *, across: str = "", errors: Errors = "below", digits: int = 3,
    caption: str = "", label: str = "", note: str = "",
) -> str:  # fmt: skip
    r"""Return a frame as a LaTeX table.

    Texts make columns on the left, numbers columns of siunitx. A number's error is not a column of
    its own: `se`, `low` and `high` belong to `value` or `difference`, `price_se` belongs to
    `price`. Numbers with an error are rounded to two digits of it.

    Args:
        frame: with units in `attrs["units"]` by column, or in a column `unit`.
        across: a column of texts, such as "mechanism", whose values become columns.
        errors: where errors stand: "below" in parentheses, "beside" after ±, as a 95% "interval"
            below (from `low` and `high`, or `se` and `n`), or "none".
        digits: significant digits of numbers without an error.
        caption: of the table; plain text, as `note` is.
        label: for `\ref`.
        note: what the table rests on.

    Raises:
        KeyError: `across` is no column.
        ValueError: `label` is none that LaTeX takes, or `across` leaves two rows for one cell.

    Example:
        >>> frame = pd.DataFrame({"task": ["a_1"], "value": [1.234], "se": [0.021]})
        >>> frame.attrs["units"] = {"value": "s"}
        >>> print(latex(frame, errors="beside"))
        \begin{table}[htbp]
        \centering
        \begin{tabular}{lS[table-format=1.3(2),uncertainty-mode=separate]}
        \toprule
        task & {value} \\
         & {(s)} \\
        \midrule
        a\_1 & 1.234(21) \\
        \bottomrule
        \end{tabular}
        \end{table}
    """
    if label and not _LABEL.fullmatch(label):
        raise ValueError(f"{label!r} is no label; use letters, digits and : _ . + / -")
    columns = _across(frame, across, errors, digits) if across else _columns(frame, errors, digits)
    spec = "".join(c.spec for c in columns)
    lines = [r"\begin{table}[htbp]", r"\centering"]
    lines += [rf"\caption{{{escaped(caption)}}}"] if caption else []
    lines += [rf"\label{{{label}}}"] if label else []
    lines += [r"\smallskip"] if caption else []
    lines += [rf"\begin{{tabular}}{{{spec}}}", r"\toprule", _row([c.head for c in columns])]
    if any(c.unit for c in columns):
        lines.append(_row([c.unit_told for c in columns]))
    lines.append(r"\midrule")
    for i in range(len(columns[0].cells) if columns else 0):
        lines.append(_row([c.cells[i] for c in columns]))
        if any(c.below[i] for c in columns):
            lines.append(_row([c.below[i] for c in columns]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    if note:
        box = r"\begin{minipage}{\linewidth}\footnotesize"
        lines += [r"\par\smallskip", rf"{box} \emph{{Note.}} {escaped(note)}\end{{minipage}}"]
    return "\n".join([*lines, r"\end{table}"])


def _row(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


@dataclass
class _Column:
    """A column: its heading, its unit, cells as LaTeX, and what stands below each."""

    title: str
    unit: str = ""
    numbers: bool = False
    cells: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)

    @property
    def head(self) -> str:
        said = escaped(self.title.replace("_", " "))
        return f"{{{said}}}" if self.numbers else said

    @property
    def unit_told(self) -> str:
        said = f"({escaped(self.unit)})" if self.unit else ""
        return f"{{{said}}}" if self.numbers and said else said

    @property
    def spec(self) -> str:
        return f"S[{_format(self.cells)}]" if self.numbers else "l"

    def add(self, cell: str, below: str = "") -> None:
        self.cells.append(cell)
        self.below.append(below)


_CELL = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:\((\d+)\))?(?:e(-?)(\d+))?")


def _format(cells: Sequence[str]) -> str:
    """Return the options of a siunitx column that has room for all of its cells."""
    found = [m for m in map(_CELL.fullmatch, cells) if m]
    most = [max((len(m[g] or "") for m in found), default=0) for g in range(1, 7)]
    sign, whole, places, error, down, power = most
    # An error is told in digits of the last place: one of 12 beside 0.00040 needs room for both.
    above = max((len(m[4] or "") - len(m[3] or "") for m in found if m[4]), default=0)
    error = above + places if above > 0 else error
    told = f"{'-' if sign else ''}{max(whole, 1)}.{places}" + (f"({error})" if error else "")
    told += f"e{'-' if down else ''}{power}" if power else ""
    return f"table-format={told}" + (",uncertainty-mode=separate" if error else "")


# --- from frames to columns ----------------------------------------------------------------------


def _columns(frame: pd.DataFrame, errors: Errors, digits: int) -> list[_Column]:
    """Return a column for each text and each number of a frame, errors apart."""
    units = dict(frame.attrs.get("units", {}))
    names = [str(c) for c in frame.columns]
    measure = _measure(names)
    if measure and "unit" in names and frame["unit"].nunique(dropna=False) == 1:
        units[measure] = str(frame["unit"].iloc[0])
        names.remove("unit")
    hidden = {n for c in names if _is_number(frame[c]) for n in _error_names(c, names, measure)}
    columns = []
    for name in (n for n in names if n not in hidden):
        column = _Column(name, units.get(name, ""), _is_number(frame[name]))
        for i in range(len(frame)):
            _fill(column, frame, name, i, _error_names(name, names, measure), errors, digits)
        columns.append(column)
    return columns


def _across(frame: pd.DataFrame, across: str, errors: Errors, digits: int) -> list[_Column]:
    """Return the texts of a frame as columns, and its measure once for each value of `across`."""
    names = [str(c) for c in frame.columns]
    measure = _measure(names) or next((c for c in names if _is_number(frame[c])), "")
    if across not in names:
        raise KeyError(f"there is no column {across}")
    heads = [c for c in names if c != across and not _is_number(frame[c])]
    units = frame.attrs.get("units", {})
    keys = list(dict.fromkeys(zip(*(frame[h] for h in heads), strict=True))) if heads else [()]
    place = {key: i for i, key in enumerate(keys)}
    left = [_Column(h) for h in heads]
    for key in keys:
        for column, text in zip(left, key, strict=True):
            column.add(escaped(_text(text)))
    right = {
        value: _Column(str(value), units.get(measure, ""), True, [""] * len(keys),
                       [""] * len(keys))
        for value in dict.fromkeys(frame[across])
    }  # fmt: skip
    for i in range(len(frame)):
        key = tuple(frame[h].iloc[i] for h in heads)
        column, one = right[frame[across].iloc[i]], _Column(measure, numbers=True)
        _fill(one, frame, measure, i, _error_names(measure, names, measure), errors, digits)
        if column.cells[place[key]]:
            raise ValueError(f"two rows for one cell, {', '.join(map(str, key))}; choose rows")
        column.cells[place[key]], column.below[place[key]] = one.cells[0], one.below[0]
    return [*left, *right.values()]


def _measure(names: Sequence[str]) -> str:
    return next((m for m in _MEASURES if m in names), "")


def _error_names(name: str, names: Sequence[str], measure: str) -> list[str]:
    """Return the columns that tell the error of another."""
    bare = [e for e in ("se", "low", "high") if name == measure and e in names]
    return bare + [f"{name}_{e}" for e in ("se", "low", "high") if f"{name}_{e}" in names]


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _fill(
    column: _Column, frame: pd.DataFrame, name: str, i: int, told: Sequence[str], errors: Errors,
    digits: int,
) -> None:  # fmt: skip
    """Append the cell of row i."""
    given = frame[name].iloc[i]
    if not column.numbers:
        column.add(escaped(_text(given)))
        return
    known = {n.rpartition("_")[2]: float(frame[n].iloc[i]) for n in told}
    value, se = float(given), known.get("se", math.nan)
    se = se if se > _DUST * abs(value) else math.nan
    if errors == "none" or not math.isfinite(value):
        column.add(_number(value, _place(value, math.nan, digits)))
        return
    low, high = known.get("low", math.nan), known.get("high", math.nan)
    if errors == "interval":
        if not math.isfinite(low) and "n" in frame and not math.isnan(frame["n"].iloc[i]):
            n = int(frame["n"].iloc[i])
            low, high = Estimate(value, se, n, n - 1).interval()
        place = _place(value, (high - low) / 2, digits)
        ends = [_in_text(end, place) for end in (low, high)]
        column.add(_number(value, place), f"{{[{ends[0]}, {ends[1]}]}}" if low < high else "")
        return
    place = _place(value, se, digits)
    if not se > 0:
        column.add(_number(value, place))
    elif errors == "beside":
        column.add(_number(value, place, se))
    else:
        column.add(_number(value, place), f"{{({_in_text(se, place)})}}")


def _text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


# --- numbers -------------------------------------------------------------------------------------


def _place(value: float, error: float, digits: int) -> tuple[int, int]:
    """Return how many decimals to tell, and of which power of ten."""
    size = abs(value) if value else error
    if not (math.isfinite(size) and size > 0):
        return 0, 0
    power = 0 if _SMALLEST <= size < _LARGEST else math.floor(math.log10(size))
    if math.isfinite(error) and error > 0:
        return 1 - math.floor(math.log10(error)) + power, power
    if value == round(value) and not power:
        return 0, 0
    return max(digits - 1 - math.floor(math.log10(size)) + power, 0), power


def _number(value: float, place: tuple[int, int], error: float = math.nan) -> str:
    """Return a number as siunitx reads it."""
    if not math.isfinite(value):
        return "{--}" if math.isnan(value) else "{$\\infty$}" if value > 0 else "{$-\\infty$}"
    decimals, power = place
    told = _rounded(value, decimals, power)
    if math.isfinite(error):
        scale = 10.0 ** (max(decimals, 0) - power)
        told += f"({round(round(error / 10.0**power, decimals) * 10.0**power * scale)})"
    return f"{told}e{power}" if power else told


def _in_text(value: float, place: tuple[int, int]) -> str:
    """Return a number that stands in braces, where siunitx does not read it."""
    decimals, power = place
    told = _rounded(value, decimals, power).replace("-", "$-$")
    return rf"{told}$\times10^{{{power}}}$" if power else told


def _rounded(value: float, decimals: int, power: int) -> str:
    told = f"{round(value / 10.0**power, decimals):.{max(decimals, 0)}f}"
    return told.removeprefix("-") if not float(told) else told
