"""Merged results: the rows of all pieces, the same bytes however runs were split."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..result import rows_of
from .job import SCHEMA
from .store import Held, whole

_ROWS = 1 << 16  # of a row group of merged results
_Open = tuple[int, int, Iterator[tuple[int, pa.Table]], pa.Table]
"""A piece that is being read: the number of its next run, of the piece, what follows, the rows."""


def merge(folder: Path, pieces: list[Held]) -> None:
    """Write results.parquet: the rows of all pieces by run; the same bytes however runs were split.

    No more is in memory than a piece of each shard.
    """
    schema = pa.schema([
        f.with_type(pa.dictionary(pa.int32(), pa.string())) if f.type == pa.string() else f
        for f in SCHEMA
    ])  # fmt: skip
    waiting: list[pa.Table] = []
    rows = 0
    with (
        whole(folder / "results.parquet") as unfinished,
        pq.ParquetWriter(unfinished, schema, compression="zstd") as out,
    ):
        for table in in_order(pieces):
            waiting.append(table)
            rows += len(table)
            if rows >= _ROWS:
                rest = pa.concat_tables(waiting)
                while len(rest) >= _ROWS:
                    out.write_table(rest.slice(0, _ROWS).cast(schema))
                    rest = rest.slice(_ROWS)
                waiting, rows = [rest], len(rest)
        if rows:
            out.write_table(pa.concat_tables(waiting).cast(schema))


def in_order(pieces: list[Held]) -> Iterator[pa.Table]:
    """Yield the rows of each run, by number; of a run that several pieces hold once."""
    coming = deque(sorted(pieces, key=lambda p: p.runs[0]))
    open_: list[_Open] = []
    last = -1
    while coming or open_:
        while coming and (not open_ or coming[0].runs[0] <= open_[0][0]):
            _push(open_, _by_run(coming.popleft()), len(coming))
        if not open_:
            continue  # pieces without rows
        run, order, runs, table = heapq.heappop(open_)
        if run > last:
            last = run
            yield table
        _push(open_, runs, order)


def _push(open_: list[_Open], runs: Iterator[tuple[int, pa.Table]], order: int) -> None:
    following = next(runs, None)
    if following is not None:
        heapq.heappush(open_, (following[0], order, runs, following[1]))


def _by_run(piece: Held) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows of a piece run by run; runs without rows are left out."""
    table = rows_of(piece.path)
    numbers = table["run"].to_numpy()
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = np.append(starts[1:], len(numbers)) if len(numbers) else starts
    for start, end in zip(starts, ends, strict=True):
        yield int(numbers[start]), table.slice(start, end - start)
