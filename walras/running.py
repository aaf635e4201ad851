"""`walras run`: simulate, show progress, and leave a whole run folder or none."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .progress import Words, shown
from .scenarios.load import Loaded
from .scenarios.toml import to_toml

if TYPE_CHECKING:
    from .analysis.equilibrium.solved import Equilibrium
    from .scenarios.compare import Comparison
    from .scenarios.result import Result

_LEFT_OVER = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]{1,9})\.(?P<what>tmp|old)")

Progress = Callable[[float, float, int], None]


class RunFailedError(Exception):
    """The simulation of a valid scenario failed."""


def folder_name(loaded: Loaded, seed: int, reps: int, record: str, *more: str) -> str:
    """Return `<scenario>-<hash8>`: the same run has the same name everywhere."""
    spec = loaded.spec or loaded.require()
    told = "\0".join([to_toml(spec), str(seed), str(reps), record, *more])
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
    with _failing(), progress(quiet) as report:
        return run(market, seed=seed, reps=reps, record=record, progress=report)


def simulate_each(
    loaded: Loaded, mechanisms: list[str], *, seed: int, reps: int, record: str, quiet: bool
) -> Comparison:
    """Run a scenario under each mechanism, with one progress bar for all.

    Raises:
        RunFailedError: a run failed.
    """
    from .scenarios.compare import compare

    market = loaded.require()
    with _failing(), progress(quiet) as report:
        return compare(
            market, mechanisms, seed=seed, reps=reps, record=record, progress=report
        )  # fmt: skip


@contextmanager
def _failing() -> Iterator[None]:
    """Say of what goes wrong that it is the run that failed."""
    try:
        yield
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, ValueError) as error:
        raise RunFailedError(f"{type(error).__name__}: {error}") from error


@contextmanager
def progress(quiet: bool) -> Iterator[Progress | None]:
    """Yield a callback (simulated seconds done, of how many, tasks so far) that shows progress."""
    words = Words("simulating", lambda done, of: f"{done / of:.0%}",
                  lambda speed: f"{speed:,.0f} tasks/s", first="compiling (once)")  # fmt: skip
    with shown(words, quiet) as report:
        yield report and (lambda done, until, tasks: report(done, until, tasks, ""))


# --- the run folder ----------------------------------------------------------------------------


def probe(folder: Path) -> None:
    """Make sure, before anything is computed, that a run folder can be written; leave nothing.

    Raises:
        OSError: it cannot.
    """
    parents = (folder.parent, *folder.parent.parents)
    for place in (folder, *parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(0, f"{place} is a file, not a folder")
    made = [parent for parent in parents if not parent.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent):
            pass
    finally:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def stamp(folder: Path) -> int | None:
    """Return what tells a run folder from the one that takes its place; None if there is none."""
    try:
        return folder.stat().st_ino
    except OSError:
        return None


@contextmanager
def terminable() -> Iterator[None]:
    """Treat a request to terminate as Ctrl-C, so that nothing half-written stays behind."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def save(result: Result, loaded: Loaded, folder: Path, command: str) -> Exception | None:
    """Write the run folder: beside its place under another name first, then renamed.

    Whatever interrupts it, `folder` is either whole or as it was. What others put into the folder
    of an older run stays.

    Returns:
        What was wrong with the report, if it could not be made: the folder is then without it.

    Raises:
        OSError: nothing can be written there.
    """
    with whole(folder) as unfinished:
        return _fill(result, loaded, unfinished, command)


def save_each(
    comparison: Comparison, each: Mapping[str, Loaded], folder: Path, command: str,
    commands: Mapping[str, str],
) -> Exception | None:  # fmt: skip
    """Write the folder of a comparison: a run folder per mechanism and what differs; see `save`.

    `each` is the scenario under each mechanism, `commands` runs it under that one alone.
    """
    comparison = replace(comparison, command=command)
    with whole(folder) as unfinished:
        wrong = [
            _fill(result, each[name], unfinished / name, commands[name])
            for name, result in comparison.results.items()
        ]
        comparison.save_tables(unfinished)
        wrong.append(_report(comparison, unfinished / "report.html"))
    return next((error for error in wrong if error is not None), None)


def save_equilibrium(found: Equilibrium, loaded: Loaded, folder: Path) -> Exception | None:
    """Write the folder of an equilibrium: its tables, the scenario and a report; see `save`."""
    from .analysis.equilibrium_folder import save_tables

    with whole(folder) as unfinished:
        save_tables(found, unfinished, resolved=to_toml(loaded.spec or loaded.require()))
        (unfinished / "scenario.toml").write_text(loaded.given, encoding="utf-8", newline="")
        return _report(found, unfinished / "report.html")


def _fill(result: Result, loaded: Loaded, folder: Path, command: str) -> Exception | None:
    """Write all that a run folder holds; return what was wrong with the report, if anything."""
    # As given: where this machine keeps a trace is nobody else's business.
    result = replace(result.with_command(command), market=loaded.spec or result.market)
    result.save(folder, command=command)
    (folder / "scenario.toml").write_text(loaded.given, encoding="utf-8", newline="")
    return _report(result, folder / "report.html")


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Yield a folder to fill, which then takes the place of `folder`, or leaves no trace."""
    folder = folder.resolve()  # a link stays, and what it names is replaced
    parents = (folder.parent, *folder.parent.parents)
    made = [parent for parent in parents if not parent.exists()]
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        yield unfinished
        _keep_foreign(folder, unfinished)
        _sync(unfinished)
        _put(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        for parent in made:  # those that hold nothing
            with suppress(OSError):
                parent.rmdir()


def _report(result: Result | Comparison | Equilibrium, path: Path) -> Exception | None:
    """Write the report; return why there is none. A finished run is not lost for its report."""
    try:
        from .scenarios.compare import Comparison
        from .scenarios.result import Result

        if isinstance(result, Comparison):
            from .analysis.comparison import write_comparison

            write_comparison(result, path)
        elif isinstance(result, Result):
            from .analysis.report import write_report

            write_report(result, path)
        else:
            from .analysis.equilibrium_report import write_equilibrium

            write_equilibrium(result, path)
    except Exception as error:  # noqa: BLE001 - whatever it is, the tables are worth keeping
        path.unlink(missing_ok=True)
        return error
    return None


def _sweep(parent: Path) -> None:
    """Remove what killed processes left half-written, and put back what they had moved away."""
    for path in parent.glob(".*"):
        found = _LEFT_OVER.fullmatch(path.name)
        if found is None or _lives(int(found["pid"])):
            continue
        with suppress(OSError):
            if found["what"] == "old" and not (parent / found["name"]).exists():
                path.rename(parent / found["name"])
        shutil.rmtree(path, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True


def _keep_foreign(folder: Path, unfinished: Path) -> None:
    """Copy what a user put into the folder of an older run; only our own files give way."""
    ours = {path.name for path in unfinished.iterdir()} | {"report.html"}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in ours:
            if path.is_dir() and (unfinished / path.name).is_dir():  # a run of several
                _keep_foreign(path, unfinished / path.name)
        elif path.is_dir() and not path.is_symlink():
            shutil.copytree(path, unfinished / path.name, symlinks=True)
        else:
            shutil.copy2(path, unfinished / path.name, follow_symlinks=False)


def _sync(folder: Path) -> None:
    """Wait until every file of a folder is on the disk."""
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink():
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put(unfinished: Path, folder: Path) -> None:
    """Rename a finished folder to its place; an older run there gives way."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    existed = folder.is_dir()
    try:
        if existed:
            folder.rename(old)
        unfinished.rename(folder)
    except BaseException:
        if old.is_dir() and not folder.exists():
            old.rename(folder)
        raise
    if existed:
        shutil.rmtree(old, ignore_errors=True)
