"""`walras run`: simulate, show progress, and leave a whole run folder or none."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .scenarios.load import Loaded
from .scenarios.toml import to_toml

if TYPE_CHECKING:
    from .scenarios.result import Result

_EVERY = 30.0  # seconds between two lines of progress where there is no terminal

Progress = Callable[[float, float, int], None]


class RunFailedError(Exception):
    """The simulation of a valid scenario failed."""


def folder_name(loaded: Loaded, seed: int, reps: int, record: str) -> str:
    """Return `<scenario>-<hash8>`: the same run has the same name everywhere."""
    spec = loaded.spec or loaded.require()
    told = f"{to_toml(spec)}\0{seed}\0{reps}\0{record}"
    digest = hashlib.blake2b(told.encode(), digest_size=4).hexdigest()
    return f"{spec.name}-{digest}"


def simulate(
    loaded: Loaded, *, seed: int, reps: int, record: str, quiet: bool
) -> Result:  # fmt: skip
    """Run a scenario, with a progress bar on standard error unless quiet.

    Raises:
        RunFailedError: the run failed.
    """
    from .scenarios.run import run

    market = loaded.require()
    try:
        with progress(quiet) as report:
            return run(market, seed=seed, reps=reps, record=record, progress=report)
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, ValueError) as error:
        raise RunFailedError(f"{type(error).__name__}: {error}") from error


@contextmanager
def progress(quiet: bool) -> Iterator[Progress | None]:
    """Yield a callback (simulated seconds done, of how many, tasks so far) that shows progress."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("simulating"), BarColumn(), TaskProgressColumn(),
               TextColumn("{task.fields[speed]}"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0, speed="")
        start = time.monotonic()

        def report(done: float, until: float, tasks: int) -> None:
            bar.update(task, completed=done / until, speed=_speed(tasks, start))

        yield report


def _lines() -> Progress:
    start = last = time.monotonic()

    def report(done: float, until: float, tasks: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY:
            last = now
            share = done / until
            left = (now - start) * (1 - share) / share if share > 0 else 0.0
            line = f"{share:.0%}  {_speed(tasks, start)}  {left:.0f} s left\n"
            sys.stderr.write(line)
            sys.stderr.flush()

    return report


def _speed(tasks: int, start: float) -> str:
    return f"{tasks / max(time.monotonic() - start, 1e-3):,.0f} tasks/s"


def save(result: Result, loaded: Loaded, folder: Path, command: str) -> None:
    """Write the run folder: beside its place under another name first, then renamed.

    Whatever interrupts it, `folder` is either whole or as it was.

    Raises:
        OSError: nothing can be written there.
    """
    from .analysis.report import write_report

    # As given: where this machine keeps a trace is nobody else's business.
    result = replace(result.with_command(command), market=loaded.spec or result.market)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        result.save(unfinished, command=command)
        (unfinished / "scenario.toml").write_text(loaded.given, encoding="utf-8", newline="")
        write_report(result, unfinished / "report.html")
        _sync(unfinished)
        _put(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Wait until every file of a folder is on the disk."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put(unfinished: Path, folder: Path) -> None:
    """Rename a finished folder to its place; an older run there gives way."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    existed = folder.is_dir()
    if existed:
        folder.rename(old)
    try:
        unfinished.rename(folder)
    except BaseException:
        if existed:
            old.rename(folder)
        raise
    if existed:
        shutil.rmtree(old, ignore_errors=True)
