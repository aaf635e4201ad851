"""The open pages: what each of them is sent, and the processes that work for it.

A page gets the newest of each kind of message only: what it was too slow to take is forgotten, so
nothing grows however slow it is.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from .workers import (
    ANSWERS,
    DEAD,
    Serve,
    Worker,
    serve_fluid,
    serve_simulation,
    serve_solver,
)

_LOG = logging.getLogger("walras.dashboard")
_TRIES = 3
"""How often a worker that dies is started anew before it is left alone until asked for again."""
_RUNS = ("play", "pause", "step", "reset")
_CHOSEN = ("deadline", "value", "offers")
_HUGE = 1e300
_MOST = 10_000  # offers that a page may select


class Tab:
    """One open page.

    Attributes:
        waiting: the newest message of each kind that the page has not been sent.
        ready: set when there is one.
    """

    def __init__(self, tabs: Tabs, number: int) -> None:
        self.number = number
        self.waiting: dict[str, bytes] = {}
        self.ready = asyncio.Event()
        self._tabs = tabs
        self._simulator: Worker | None = None
        self._asked: dict[str, Any] | None = None

    def post(self, kind: str, told: bytes) -> None:
        """Let the page be sent a message."""
        self.waiting.pop(kind, None)
        self.waiting[kind] = told
        self.ready.set()

    def hear(self, message: Mapping[str, Any]) -> None:
        """Pass on what the page says.

        Raises:
            ValueError: it says nothing that is known.
        """
        if len(message) != 1:
            raise ValueError("a message says one thing")
        ((kind, told),) = message.items()
        if kind in ANSWERS and isinstance(told, dict):
            self._tabs.fluid.ask(self, kind, told)
        elif kind == "solve" and isinstance(told, dict):
            self._tabs.solver.ask(self, kind, told)
        elif _for_simulator(kind, told):
            self.simulate({kind: told})
        else:
            raise ValueError(f"{kind} is nothing that a page may say, or not so")

    def answered(self, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        """Let the event market follow what the fluid market has just shown."""
        if "tasks" in answer:  # it is a market
            self._asked = {"ask": {**asked, "order": answer.get("order", [])}}
            self.simulate(self._asked)

    def compare(self, asked: dict[str, Any], nash: Any) -> None:
        """Let the event market draw equilibrium prices, if they are those of what is shown."""
        shown = (self._asked or {}).get("ask", {})
        if all(shown.get(part) == asked.get(part) for part in ("scenario", "set", "reasoning")):
            self.simulate({"nash": nash})

    def simulate(self, message: Mapping[str, Any]) -> None:
        """Send the page's simulator a message; start it if it is not there."""
        if self._simulator is None:
            self._simulator = Worker(
                serve_simulation, {"targets": self._tabs.targets}, self._tabs.on_loop(self._heard)
            )
            if self._asked is not None and "ask" not in message:
                self._simulator.send(self._asked)
        self._simulator.send(message)

    def _heard(self, worker: Worker, kind: str, told: bytes) -> None:
        if worker is not self._simulator:
            return  # of one that was ended meanwhile
        if kind == DEAD:
            self._simulator = None
            why = f"the process that simulates has ended (code {told.decode()})"
            _LOG.warning("%s; its page can start it again", why)
            self.post("halted", json.dumps(f"{why}; press play to start it again").encode())
        else:
            self.post(kind, told)

    @property
    def pids(self) -> list[int]:
        """Numbers of its processes."""
        return [self._simulator.pid] if self._simulator is not None else []

    async def close(self) -> None:
        """End what works for the page."""
        simulator, self._simulator = self._simulator, None
        if simulator is not None:
            await asyncio.to_thread(simulator.stop)


def _for_simulator(kind: str, told: Any) -> bool:
    """Return whether something may be said to a simulator: `run`, `pace` or `chosen`."""
    if kind == "run":
        return isinstance(told, str) and told in _RUNS
    if kind == "pace":
        return _is_number(told)
    return kind == "chosen" and (told is None or (
        isinstance(told, dict) and set(told) <= set(_CHOSEN) and all(
            isinstance(each, list) and len(each) <= _MOST and all(map(_is_number, each))
            for each in told.values()
        )
    ))  # fmt: skip


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and -_HUGE < value < _HUGE  # also of whole numbers that no float holds


class Shared:
    """A worker that all pages share: it answers one after another, of each the newest question.

    Args:
        tabs: the pages.
        serve: what it does.
        after: called with page, question and answer.
        impatient: whether a page's new question ends the work on the one before.
    """

    def __init__(
        self, tabs: Tabs, serve: Serve, after: Callable[[Tab, Any, str, bytes], bool],
        *, impatient: bool = False,
    ) -> None:  # fmt: skip
        self._tabs, self._serve, self._after, self._impatient = tabs, serve, after, impatient
        self._worker: Worker | None = None
        self._waiting: dict[tuple[int, str], Any] = {}
        self._at: tuple[int, str, Any] | None = None
        self._deaths = 0

    def ask(self, tab: Tab, kind: str, message: Any) -> None:
        """Ask something for a page; of each kind, the newest question counts."""
        self._waiting[tab.number, kind] = message
        if self._impatient and self._at is not None and self._at[0] == tab.number:
            self.end()
        self._next()

    def forget(self, tab: Tab) -> None:
        """Ask nothing more for a page."""
        for key in [key for key in self._waiting if key[0] == tab.number]:
            del self._waiting[key]
        if self._impatient and self._at is not None and self._at[0] == tab.number:
            self.end()
            self._next()

    def end(self) -> None:
        """End the process, if there is one."""
        worker, self._worker, self._at = self._worker, None, None
        if worker is not None:
            worker.stop()

    @property
    def pids(self) -> list[int]:
        """Number of its process, if there is one."""
        return [self._worker.pid] if self._worker is not None else []

    def _next(self) -> None:
        if self._at is not None or not self._waiting:
            return
        key = next(iter(self._waiting))
        message = self._waiting.pop(key)
        if self._worker is None:
            given = {"targets": self._tabs.targets}
            self._worker = Worker(self._serve, given, self._tabs.on_loop(self._heard))
        self._at = (*key, message)
        self._worker.send({key[1]: message})

    def _heard(self, worker: Worker, kind: str, told: bytes) -> None:
        if worker is not self._worker:
            return  # of one that was ended meanwhile
        at = self._at
        tab = self._tabs.open.get(at[0]) if at is not None else None
        if kind == DEAD:
            _LOG.warning("a process that solves markets has ended (code %s)", told.decode())
            self._worker = self._at = None
            self._deaths += 1
            if at is not None and tab is not None:
                self._again(tab, at)
        elif at is not None:
            self._deaths = 0
            if tab is None or self._after(tab, at[2], kind, told):
                self._at = None
        self._next()

    def _again(self, tab: Tab, at: tuple[int, str, Any]) -> None:
        """Ask again; say so where what is asked kills who answers."""
        if self._deaths < _TRIES:
            self._waiting.setdefault((at[0], at[1]), at[2])
            return
        self._deaths = 0
        told = "the process that solves this market ends each time; change it and go on"
        tab.post("halted", json.dumps(told).encode())


class Tabs:
    """All open pages, and the workers they share.

    Args:
        targets: file, or name in the library, of each scenario.
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self.targets = dict(targets)
        self.open: dict[int, Tab] = {}
        self.fluid = Shared(self, serve_fluid, _answered)
        self.solver = Shared(self, serve_solver, _solved, impatient=True)
        self._numbers = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self) -> Tab:
        """Return a new page."""
        self._loop = asyncio.get_running_loop()
        tab = Tab(self, next(self._numbers))
        self.open[tab.number] = tab
        return tab

    async def remove(self, tab: Tab) -> None:
        """Forget a page."""
        self.open.pop(tab.number, None)
        self.fluid.forget(tab)
        self.solver.forget(tab)
        await tab.close()

    async def close(self) -> None:
        """End all processes."""
        for tab in list(self.open.values()):
            await self.remove(tab)
        self.fluid.end()
        self.solver.end()

    @property
    def pids(self) -> list[int]:
        """Numbers of all processes."""
        each = [self.fluid.pids, self.solver.pids, *(tab.pids for tab in self.open.values())]
        return [pid for pids in each for pid in pids]

    def on_loop(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return a function that may be called in any thread and runs in the server's own."""

        def call(*given: Any) -> None:
            loop = self._loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(function, *given)

        return call


def _answered(tab: Tab, asked: Any, kind: str, told: bytes) -> bool:
    """Pass an answer of the fluid market on; let the event market follow what it shows."""
    if kind == "fluid":
        tab.answered(asked, json.loads(told))
    tab.post(kind, told)
    return True


def _solved(tab: Tab, asked: Any, kind: str, told: bytes) -> bool:
    """Pass on what has been solved so far; return whether that is all."""
    tab.post(kind, told)
    answer = json.loads(told)
    if answer.get("asks"):
        tab.compare(asked, answer["asks"])
    return bool(answer.get("done"))
