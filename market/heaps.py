"""Two binary heaps over arrays: the calendar of events and the tasks in service at a seller.

The calendar is indexed: every node (a seller's next completion, a task's alarm) knows its place
and can be moved or withdrawn. Keys are (time, rank, id), so ties are settled by construction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jit import inner

NODE = np.dtype([("time", "f8"), ("rank", "i8"), ("id", "u8"), ("place", "i8")], align=True)
"""A node of the calendar; place is −1 while it is not in the heap."""


@inner
def _before(nodes: Any, a: int, b: int) -> bool:
    if nodes[a]["time"] != nodes[b]["time"]:
        return nodes[a]["time"] < nodes[b]["time"]
    if nodes[a]["rank"] != nodes[b]["rank"]:
        return nodes[a]["rank"] < nodes[b]["rank"]
    return nodes[a]["id"] < nodes[b]["id"]


@inner
def _settle(nodes: Any, heap: NDArray[np.int64], size: int, place: int) -> None:
    """Move the node at `place` up or down to where it belongs."""
    node = heap[place]
    while place > 0:
        parent = (place - 1) >> 1
        if not _before(nodes, node, heap[parent]):
            break
        heap[place] = heap[parent]
        nodes[heap[place]]["place"] = place
        place = parent
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and _before(nodes, heap[child + 1], heap[child]):
            child += 1
        if not _before(nodes, heap[child], node):
            break
        heap[place] = heap[child]
        nodes[heap[place]]["place"] = place
        place = child
    heap[place] = node
    nodes[node]["place"] = place


@inner
def schedule(
    nodes: Any,
    heap: NDArray[np.int64],
    clock: Any,
    node: int,
    time: float,
    rank: int,
    id_: np.uint64,
) -> None:
    """Put a node into the calendar, or move it, with a new key."""
    nodes[node]["time"] = time
    nodes[node]["rank"] = rank
    nodes[node]["id"] = id_
    if nodes[node]["place"] < 0:
        heap[clock["scheduled"]] = node
        nodes[node]["place"] = clock["scheduled"]
        clock["scheduled"] += 1
    _settle(nodes, heap, clock["scheduled"], nodes[node]["place"])


@inner
def withdraw(nodes: Any, heap: NDArray[np.int64], clock: Any, node: int) -> None:
    """Take a node out of the calendar, if it is there."""
    place = nodes[node]["place"]
    if place < 0:
        return
    nodes[node]["place"] = -1
    clock["scheduled"] -= 1
    last = heap[clock["scheduled"]]
    if last != node:
        heap[place] = last
        nodes[last]["place"] = place
        _settle(nodes, heap, clock["scheduled"], place)


@inner
def _sooner(tasks: Any, a: int, b: int) -> bool:
    if tasks[a]["finish"] != tasks[b]["finish"]:
        return tasks[a]["finish"] < tasks[b]["finish"]
    return tasks[a]["id"] < tasks[b]["id"]


@inner
def settle_row(tasks: Any, row: NDArray[np.int64], size: int, place: int) -> None:
    """Move the task at `place` of a row of tasks in service to where its finish belongs."""
    task = row[place]
    while place > 0:
        parent = (place - 1) >> 1
        if not _sooner(tasks, task, row[parent]):
            break
        row[place] = row[parent]
        place = parent
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and _sooner(tasks, row[child + 1], row[child]):
            child += 1
        if not _sooner(tasks, row[child], task):
            break
        row[place] = row[child]
        place = child
    row[place] = task


@inner
def drop_from_row(tasks: Any, row: NDArray[np.int64], size: int, place: int) -> int:
    """Take the task at `place` out of a row of `size` tasks and return it."""
    task = row[place]
    last = row[size - 1]
    if place != size - 1:
        row[place] = last
        settle_row(tasks, row, size - 1, place)
    return task
