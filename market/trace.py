"""Recorded traces: the rows of a CSV file, or lists, as arrays of times and sizes."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .schema.arrivals import Replay

_FARTHEST = 1e15
"""Recorded times beyond this many seconds have lost their fractions, and may overflow."""
_FRACTION = re.compile(r"[.,](\d+)")


def seconds_of(stamp: str) -> tuple[float, str]:
    """Return a recorded time in seconds, and how it is written.

    It is "a number of seconds", "a timestamp" such as 2023-11-16 18:17:03.97, taken as UTC, or
    "a timestamp with a UTC offset" such as 2023-11-16T18:17:03.97+01:00 or ...03Z (ISO 8601).

    Raises:
        ValueError: the text is none of these.

    Example:
        >>> seconds_of("1970-01-01T01:00:02.5+01:00")
        (2.5, 'a timestamp with a UTC offset')
    """
    try:
        return float(stamp), "a number of seconds"
    except ValueError:
        pass
    fraction = _FRACTION.search(stamp)  # of any length: `datetime` keeps six digits
    try:
        time = datetime.fromisoformat(_FRACTION.sub("", stamp, count=1))
    except ValueError:
        raise ValueError(
            f'"{stamp[:40]}" is neither a number of seconds nor a timestamp such as '
            "2023-11-16T18:17:03.97 or 2023-11-16T18:17:03.97+01:00"
        ) from None
    form = "a timestamp" if time.tzinfo is None else "a timestamp with a UTC offset"
    whole = time.replace(tzinfo=time.tzinfo or UTC).timestamp()
    return whole + (float(f"0.{fraction[1]}") if fraction else 0.0), form


def read_trace(path: Path, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return recorded times (s, from 0, sorted), input and output tokens, shape [3, rows].

    Raises:
        ValueError: the file is no table of text, a column is missing, there are no rows, a
            cell is not a number of the allowed range, or times are written in several ways;
            the message names file and line.
    """
    form = ""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        try:
            missing = [c for c in columns if c not in (reader.fieldnames or [])]
            rows = []
            for cells in reader if not missing else ():
                row, found = _recorded_row([cells[c] for c in columns])
                form = form or found
                if found != form:
                    raise ValueError(f"{found} after {form}; all rows must be alike")
                rows.append(row)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name}, after line {reader.line_num}: {error}") from None
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path.name}, line {reader.line_num}: {error}") from None
    if missing:
        raise ValueError(f"{path.name} has no column {', '.join(missing)}")
    if not rows:
        raise ValueError(f"{path.name} holds no rows")
    data = np.array(rows, dtype=np.float64).T
    data = data[:, np.argsort(data[0], kind="stable")]
    data[0] -= data[0, 0]
    return np.ascontiguousarray(data)


def _recorded_row(cells: Sequence[str]) -> tuple[tuple[float, float, float], str]:
    time, form = seconds_of(cells[0])
    row = time, float(cells[1]), float(cells[2])
    if not all(math.isfinite(x) for x in row) or abs(time) > _FARTHEST or min(row[1:]) < 0:
        raise ValueError("numbers that are negative, not finite or too large")
    return row, form


def recorded(arrivals: Replay, base: Path) -> NDArray[np.float64]:
    """Return what a `Replay` replays, shape [4, rows]: times, input and output tokens, values."""
    if arrivals.times is None:
        data = read_trace(arrivals.path(base), arrivals.columns)
    else:
        times = np.asarray(arrivals.times, dtype=np.float64)
        zeros = [0.0] * len(times)
        sizes = [
            a or zeros for a in (arrivals.input_tokens, arrivals.output_tokens, arrivals.values)
        ]
        return np.vstack([times, np.asarray(sizes, dtype=np.float64)])
    data[0] += arrivals.start
    return np.vstack([data, np.zeros(data.shape[1])])
