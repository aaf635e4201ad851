"""The open pages: what each of them is sent, and the processes that work for it.

A page gets the newest of each kind of message only: what it was too slow to take is forgotten, so
nothing grows however slow it is.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Any

from .workers import ANSWERS, DEAD, Worker, serve_fluid, serve_simulation

_TRIES = 3
"""How often a worker that dies is started anew before it is left alone until asked for again."""
_FOR_SIMULATOR = ("run", "pace", "chosen")


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
            self._tabs.ask(self, kind, told)
        elif kind in _FOR_SIMULATOR:
            self.simulate({kind: told})
        else:
            raise ValueError(f"{kind} is nothing that a page may say")

    def answered(self, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        """Let the event market follow what the fluid market has just shown."""
        if "tasks" in answer:  # it is a market
            self._asked = {"ask": {**asked, "order": answer.get("order", [])}}
            self.simulate(self._asked)

    def simulate(self, message: Mapping[str, Any]) -> None:
        """Send the page's simulator a message; start it if it is not there."""
        if self._simulator is None:
            self._simulator = Worker(
                serve_simulation, {"targets": self._tabs.targets}, self._tabs.on_loop(self._heard)
            )
            if self._asked is not None and "ask" not in message:
                self._simulator.send(self._asked)
        self._simulator.send(message)

    def _heard(self, kind: str, told: bytes) -> None:
        if kind == DEAD:
            self._simulator = None
            why = f"the process that simulates has ended (code {told.decode()})"
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


class Tabs:
    """All open pages, and the process that answers them of the fluid market, one after another.

    Args:
        targets: file, or name in the library, of each scenario.
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self.targets = dict(targets)
        self.open: dict[int, Tab] = {}
        self._numbers = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fluid: Worker | None = None
        self._waiting: dict[tuple[int, str], Any] = {}
        self._at: tuple[int, str, Any] | None = None
        self._deaths = 0

    def add(self) -> Tab:
        """Return a new page."""
        self._loop = asyncio.get_running_loop()
        tab = Tab(self, next(self._numbers))
        self.open[tab.number] = tab
        return tab

    async def remove(self, tab: Tab) -> None:
        """Forget a page."""
        self.open.pop(tab.number, None)
        for key in [key for key in self._waiting if key[0] == tab.number]:
            del self._waiting[key]
        await tab.close()

    async def close(self) -> None:
        """End all processes."""
        for tab in list(self.open.values()):
            await self.remove(tab)
        fluid, self._fluid = self._fluid, None
        if fluid is not None:
            await asyncio.to_thread(fluid.stop)

    @property
    def pids(self) -> list[int]:
        """Numbers of all processes."""
        fluid = [self._fluid.pid] if self._fluid is not None else []
        return [*fluid, *(pid for tab in self.open.values() for pid in tab.pids)]

    def on_loop(self, function: Any) -> Any:
        """Return a function that may be called in any thread and runs in the server's own."""

        def call(*given: Any) -> None:
            loop = self._loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(function, *given)

        return call

    def ask(self, tab: Tab, kind: str, message: Any) -> None:
        """Ask the fluid market for a page; the newest question of each kind counts."""
        self._waiting[tab.number, kind] = message
        self._next()

    def _next(self) -> None:
        if self._at is not None or not self._waiting:
            return
        key = next(iter(self._waiting))
        message = self._waiting.pop(key)
        if self._fluid is None:
            self._fluid = Worker(serve_fluid, {"targets": self.targets}, self.on_loop(self._heard))
        self._at = (*key, message)
        self._fluid.send({key[1]: message})

    def _heard(self, kind: str, told: bytes) -> None:
        at, self._at = self._at, None
        tab = self.open.get(at[0]) if at is not None else None
        if kind == DEAD:
            self._fluid = None
            self._deaths += 1
            if at is not None and tab is not None:
                self._after_death(tab, at)
        elif tab is not None and at is not None:
            self._deaths = 0
            if kind == "fluid":
                tab.answered(at[2], json.loads(told))
            tab.post(kind, told)
        self._next()

    def _after_death(self, tab: Tab, at: tuple[int, str, Any]) -> None:
        """Ask again; say so where what is asked kills who answers."""
        if self._deaths < _TRIES:
            self._waiting.setdefault((at[0], at[1]), at[2])
            return
        self._deaths = 0
        told = "the process that solves the fluid market ends at this market; change it and go on"
        tab.post("halted", json.dumps(told).encode())
