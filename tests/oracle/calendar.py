"""A SimPy environment whose events come at absolute times and whose ties are settled by rank."""

from __future__ import annotations

from heapq import heappush
from typing import Any

import simpy

COMPLETION, AGENT, ARRIVAL, RENEGE, SESSION = range(5)
RANKS = (0, 1, 2, 3)
"""Rank of a completion, an agent's event, an arrival and a reneging at one instant; a session of a
double auction comes right after arrivals."""


class Calendar(simpy.Environment):
    """Events of one instant are settled by rank, then by id.

    SimPy orders its heap by (time, priority, number). Its own priorities are 0 and 1, so what
    follows from an event (`succeed`, a new process) is done before the next ranked event.
    `timeout` would add a delay to the present; absolute times keep ties exact.
    """

    def __init__(self, ranks: tuple[int, int, int, int] = RANKS) -> None:
        super().__init__()
        self._first: list[Any] = [(rank + 1) << 65 for rank in ranks]
        self._first.append(self._first[ARRIVAL] + (1 << 64))

    def at(self, time: float, rank: int, id_: int) -> simpy.Event:
        """Return an event that happens at `time`."""
        event = simpy.Event(self)
        event._ok = True
        event._value = None
        heappush(self._queue, (time, self._first[rank] | id_, next(self._eid), event))
        return event
