"""Progress on standard error: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from . import terminal

_EVERY = 30.0  # seconds between two lines of progress where there is no terminal
_PATIENCE = 3.0  # seconds without progress after which a line says what takes so long

Report = Callable[[float, float, int, str], None]
"""Takes how much is done, of how much, how many have been counted, and what else is to be said."""


@dataclass(frozen=True)
class Words:
    """How progress is told: what is being done, how far it is, how fast.

    Attributes:
        doing: what is being done.
        far: says how much is done of how much.
        speed: says how many are counted a second.
        first: what takes its time before the first report, if anything.
    """

    doing: str
    far: Callable[[float, float], str]
    speed: Callable[[float], str]
    first: str = ""


@contextmanager
def shown(words: Words, quiet: bool) -> Iterator[Report | None]:
    """Yield a callback that shows progress; None if nothing is to be shown."""
    if quiet:
        yield None
        return
    with (_bar if sys.stderr.isatty() else _lines)(words) as report:
        yield report


@contextmanager
def _bar(words: Words) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[far]}"),
               TextColumn("{task.fields[told]}"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words.first or words.doing, total=1.0, far="", told="", start=False)
        pace: _Pace | None = None

        def report(done: float, of: float, count: int, more: str) -> None:
            nonlocal pace
            if pace is None:
                pace = _Pace(done, count)
                bar.start_task(task)
            told = _joined(pace.told(count, words), more)
            bar.update(task, description=words.doing, completed=done, total=of,
                       far=words.far(done, of), told=told)  # fmt: skip

        yield report


@contextmanager
def _lines(words: Words) -> Iterator[Report]:
    pace: _Pace | None = None
    last = 0.0

    def report(done: float, of: float, count: int, more: str) -> None:
        nonlocal pace, last
        now = time.monotonic()
        if pace is None:
            begun()
            pace, last = _Pace(done, count), now
        elif now - last >= _EVERY:
            last = now
            told = pace.told(count, words)
            terminal.tell(_joined(words.far(done, of), told, more, pace.left(done, of)))

    with patience(words.first, quiet=not words.first) as begun:
        yield report


@contextmanager
def patience(doing: str, quiet: bool = False) -> Iterator[Callable[[], None]]:
    """Say in a line what is being done, if it takes longer than a moment; yield what stops it."""
    slow = threading.Timer(_PATIENCE, terminal.tell, [doing])
    slow.daemon = True
    if not quiet:
        slow.start()
    try:
        yield slow.cancel
    finally:
        slow.cancel()


def _joined(*parts: str) -> str:
    return "  ".join(filter(None, parts))


class _Pace:
    """What has been done since the first report: compiling, or what was done before, is not in."""

    def __init__(self, done: float, count: int) -> None:
        self._start, self._done, self._count = time.monotonic(), done, count

    def told(self, count: int, words: Words) -> str:
        """Return the speed in words; empty where nothing has been counted since."""
        since, passed = count - self._count, time.monotonic() - self._start
        return words.speed(since / max(passed, 1e-3)) if since else ""

    def left(self, done: float, of: float) -> str:
        """Return the time that the rest will take in words; empty where it is not known."""
        if done <= self._done:
            return ""
        passed = time.monotonic() - self._start
        return f"{passed * (of - done) / (done - self._done):.0f} s left"
