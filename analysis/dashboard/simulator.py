"""The process that simulates for one page: it runs, pauses and tells, as it is told.

Messages to it: `{"ask": ...}` as a page asks, `{"run": "play" | "pause" | "step" | "reset"}`,
`{"pace": simulated seconds per second}`, `{"chosen": ...}`, which tasks the page has selected, and
`{"nash": ...}`, equilibrium prices of mean tasks, [K, O] USD, when they are solved.
From it: frames, each whole, so that a slow page may skip some.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...market.engine import LedgerOverflowError
from ...market.schema.errors import BadInputError
from ...market.schema.market import PostedPrice
from ..figures.template import escape
from .asked import Asked, asked_of, market_of, stamp
from .charts.dots import dots
from .charts.prices import prices
from .charts.sellers import sellers_of
from .charts.serving import outcomes, serving
from .live import LiveMarket, ended
from .look import empty, look_of
from .numbers import spark

PACES = (1e-3, 1e7)
"""Simulated seconds per second, at least and at most."""
RATE = 10.0
"""Frames per second, at most."""
_RIBBONS = 0.5  # seconds between two drawings of who serves what: nobody reads faster
_SPARK = 60  # spells in a sparkline
_FIRST = 1_000.0  # simulated seconds per second that any machine can do, for a start
_BUSY = 0.6  # share of a frame's time that is spent simulating


class Simulator:
    """A market that a page watches.

    Args:
        targets: file, or name in the library, of each scenario.
        send: takes each frame.
        clock: seconds, of any start.
    """

    def __init__(
        self, targets: Mapping[str, str], send: Callable[[dict[str, Any]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._targets, self._send, self._clock = dict(targets), send, clock
        self._asked: Asked | None = None
        self._market: Any = None  # what is asked for of it, and the stamp of its file
        self._live: LiveMarket | None = None
        self._order: list[str] = []
        self._chosen: dict[str, Any] = {}
        self._nash: NDArray[np.float64] | None = None
        self.playing = False
        self._pace, self._speed = 60.0, _FIRST  # wanted, and what this machine can do
        self._ribbons = -math.inf

    # --- what it is told -------------------------------------------------------------------------

    def hear(self, message: Mapping[str, Any]) -> None:
        """Do what a message says; what it says wrong is told to the page."""
        try:
            if "ask" in message:
                self._ask(message["ask"])
            if "pace" in message:
                self._pace = min(max(float(message["pace"]), PACES[0]), PACES[1])
            if "chosen" in message:
                self._chosen = dict(message["chosen"] or {})
                self._ribbons = -math.inf
                self.tell()
            if "nash" in message:
                self._compare(np.array(message["nash"], dtype=np.float64))
            if "run" in message:
                self._run(str(message["run"]))
        except BadInputError as error:
            self.playing, self._live = False, None
            self._send({"halted": error.problems[0].message})
        except LedgerOverflowError as error:
            self.playing = False
            self._send({"halted": str(error)})

    def _ask(self, message: Mapping[str, Any]) -> None:
        asked = asked_of(message, list(self._targets))
        self._order = [str(x) for x in message.get("order", [])]
        market = asked.market, stamp(self._targets[asked.scenario])
        before, self._asked, self._market = self._market, asked, market
        self._ribbons = -math.inf
        if before != market or self._live is None:
            self._start()
        else:
            self.tell()

    def _start(self) -> None:
        if self._asked is not None:
            market = market_of(self._asked, self._targets)
            self._live = None
            gc.collect()  # markets are circles of objects, few but large: Python would let them lie
            self._live = LiveMarket(market, self._asked.seed)
            self._speed, self._chosen, self._nash = _FIRST, {}, None
            self.tell()

    def _compare(self, nash: NDArray[np.float64]) -> None:
        live = self._live
        if live is not None and nash.shape == live.economy.engine.state.cells.shape:
            self._nash = nash  # else of a market that has given way to another meanwhile
            self.tell()

    def _run(self, order: str) -> None:
        if order == "reset":
            self._start()
        elif order == "step" and self._live is not None:
            self.playing = False
            self._live.advance(self._pace / RATE)
            self._ribbons = -math.inf
            self.tell()
        elif order in ("play", "pause"):
            self.playing = order == "play"
            self.tell()

    # --- what it does ----------------------------------------------------------------------------

    def turn(self) -> float:
        """Simulate for one frame and tell; return how long to rest until the next is due, s."""
        live = self._live
        if live is None:
            self.playing = False
            return 0.0
        begin = self._clock()
        seconds = min(self._pace, _BUSY * self._speed) / RATE
        try:
            live.advance(seconds)
        except LedgerOverflowError as error:
            self.playing = False
            self._send({"halted": str(error)})
            return 0.0
        took = max(self._clock() - begin, 1e-6)
        # What it can do is learnt slowly when it rises, at once when it falls.
        self._speed = min(seconds / took, 2.0 * self._speed)
        self.tell()
        return max(1.0 / RATE - (self._clock() - begin), 0.0)

    def tell(self) -> None:
        """Send a frame: time, key figures, dots and prices, and now and then who serves what."""
        asked, live = self._asked, self._live
        if asked is None or live is None:
            return
        market = live.market
        look, sellers = look_of(asked.dark), sellers_of(market, self._order)
        names = [t.name for t in market.tasks]
        k = names.index(asked.task) if asked.task in names else 0
        rows = live.tasks(k)
        keep = self._kept(rows)
        frame: dict[str, Any] = {
            "time": live.now, "playing": self.playing, "dots": dots(rows, keep, sellers, look),
            **self._numbers(live),
            "chosen": {"of": len(rows), "count": int(keep.sum())} if self._chosen else None,
        }  # fmt: skip
        if live.spells:
            frame["f3"] = prices(
                np.array([s.end for s in live.spells]),
                np.array([s.asks[k] for s in live.spells]),
                np.array([s.served[k] for s in live.spells]),
                np.array([s.paid[k] for s in live.spells]),
                live.economy.engine.state.cells["cost"][k], sellers, look,
                nash=None if self._nash is None else self._nash[k],
                posted=isinstance(market.mechanism, PostedPrice),
            )  # fmt: skip
            if self._clock() - self._ribbons >= _RIBBONS:
                self._ribbons = self._clock()
                counts = self._counts(live, k, rows[keep])
                self._send({"ribbons": serving(counts, market, sellers, look)})
        else:
            frame["f3"] = empty(look, escape("press play: prices as time goes by"))
        self._send({"live": frame})

    def _numbers(self, live: LiveMarket) -> dict[str, Any]:
        if live.total is None:
            return {"values": {}, "sparks": {}}
        values = live.values(live.total)
        each = [live.values(spell) for spell in live.spells[-_SPARK:]]
        return {
            "values": {k: None if math.isnan(v) else v for k, v in values.items()},
            "sparks": {name: spark([e[name] for e in each]) for name in values},
        }  # fmt: skip

    def _counts(self, live: LiveMarket, k: int, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return how tasks ended, of all or of those that are selected."""
        if self._chosen:
            shape = live.economy.engine.state.cells.shape
            return outcomes(*ended(rows, shape[1], shape[0]))
        total = live.total
        assert total is not None  # noqa: S101 - there are spells
        return outcomes(
            total.served, total.right, total.late, total.reneged, total.failed, total.chosen[:, -1]
        )

    def _kept(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which tasks the page has selected; all of them if it has selected none."""
        keep = np.ones(len(rows), dtype=bool)
        for name in ("deadline", "value"):
            ends = self._chosen.get(name)
            if isinstance(ends, list) and len(ends) == 2 and len(rows):
                low, high = (float(x) for x in ends)
                keep &= (rows[name] >= low) & (rows[name] <= high)
        offers = self._chosen.get("offers")
        if isinstance(offers, list) and len(rows):
            keep &= np.isin(rows["offer"], [int(o) for o in offers])
        return keep
