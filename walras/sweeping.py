"""`walras sweep` and `walras status`: do a design of runs, and say how far it is."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import terminal
from .progress import Words, shown
from .terminal import BAD_INPUT, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from .scenarios.sweep.planned import Planned


def sweep_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A sweep: a TOML file.")],
    jobs: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Worker processes; one a core if absent.")
    ] = None,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Do the I-th of N parts.")] = "1/1",
    dask: Annotated[str, typer.Option(metavar="ADDRESS", help="Of a Dask scheduler.")] = "",
    slurm: Annotated[
        int, typer.Option(metavar="N", min=0, max=100_000, help="Print a SLURM script of N jobs.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, by a few runs.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Its folder; sweeps/<name>-<hash> if absent.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Do a design of runs; the same command again goes on where it stopped."""
    from .scenarios.sweep.file import read_design
    from .scenarios.sweep.planned import folder_of, plan, slug

    design, text, scenario = read_design(file)
    planned = plan(scenario, design, given=text)
    folder = folder_of(planned) if out is None else out
    part = _shard(shard)
    words = ["walras", "sweep", file]
    for name, value, usual in (("shard", shard, "1/1"), ("dask", dask, ""), ("out", out, None)):
        words += [f"--{name}", str(value)] if value != usual else []
    command = shlex.join(words)
    if planned.problems and not (quiet or slurm):
        terminal.show(planned.problems[:3])
        terminal.tell("runs with such values will fail; all others are done")
    if slurm:
        from .scenarios.sweep.cluster import slurm as script

        words = ["walras", "sweep", file, "--out", str(folder)]
        typer.echo(script(shlex.join(words), slurm, slug(planned.name)), nl=False)
        return
    with _saying_why(folder, command):
        if dry_run:
            _estimate(planned, folder, jobs, json)
            return
        if not quiet:
            _warn_of_others(folder, part[1])
        _do(planned, folder, jobs, part, dask, command, quiet)
    _tell(folder, json, quiet, failing=True)


def status_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a sweep.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how far a sweep is: runs done, failed, left, and the time they take."""
    with _saying_why(folder, ""):
        _tell(folder, json, quiet=False)


def _shard(text: str) -> tuple[int, int]:
    part, slash, of = text.partition("/")
    numbers = all(n.isascii() and n.isdigit() and len(n) < 8 for n in (part, of))
    if slash and numbers and 1 <= int(part) <= int(of) <= 100_000:
        return int(part), int(of)
    terminal.tell(f'error: --shard is "{text}"; write i/n, i from 1 to n, such as 2/8')
    raise typer.Exit(BAD_INPUT)


@contextmanager
def _saying_why(folder: Path, command: str) -> Iterator[None]:
    """Say in a line why a sweep could not go on, and that what is finished is safe."""
    from .scenarios.sweep.cluster import NoClusterError
    from .scenarios.sweep.execute import StoppedError
    from .scenarios.sweep.store import SweepFolderError

    again = f" To go on:\n  {command}" if command else ""
    try:
        yield
    except (SweepFolderError, NoClusterError) as error:
        terminal.tell(f"error: {error}")
        raise typer.Exit(BAD_INPUT) from None
    except (StoppedError, KeyboardInterrupt):
        terminal.tell(f"stopped; what is finished is in {folder}.{again}")
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        why = f"{error.filename or folder}: {error.strerror or error}"
        terminal.tell(f"error: {why}; what is finished is safe in {folder}.{again}")
        raise typer.Exit(BAD_INPUT) from None


def _warn_of_others(folder: Path, of: int) -> None:
    """Say in a line that the runs of a sweep have been divided otherwise, too."""
    from .scenarios.sweep import store

    others = store.partitions(folder, of) if of > 1 else []
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        terminal.tell(
            f"other parts were begun in {folder}: {', '.join(others[:3])}{more}; what they have "
            "finished is not done again, what they are at may be done twice and counts once"
        )


def _do(
    planned: Planned, folder: Path, jobs: int | None, part: tuple[int, int], dask: str,
    command: str, quiet: bool,
) -> None:  # fmt: skip
    import os

    from .scenarios.sweep.cluster import dask as dask_cluster
    from .scenarios.sweep.execute import processes
    from .scenarios.sweep.sweep import carry_out

    with _stopping() as stop, _progress(quiet) as report:
        how: dict[str, Any] = {
            "shard": part, "progress": report, "stop": stop, "command": command,
        }  # fmt: skip
        if dask:
            with dask_cluster(dask) as (pool, width):
                carry_out(planned, folder, pool, jobs or width, **how)
        else:
            width = jobs or os.cpu_count() or 1
            carry_out(planned, folder, processes(width, planned.design.memory), width, **how)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C finish what is under way, and the second stop at once."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        terminal.tell("finishing what is under way; Ctrl-C once more stops at once")

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


Report = Callable[[int, int, int], None]


@contextmanager
def _progress(quiet: bool) -> Iterator[Report | None]:
    """Yield a callback (runs ended, of how many, failed) that shows progress."""
    words = Words("runs", lambda done, of: f"{done:,.0f} of {of:,.0f}",
                  lambda speed: f"{speed:.3g} runs/s")  # fmt: skip
    with shown(words, quiet) as report:
        yield report and (
            lambda done, total, failed: report(
                done, total, done, f"{failed:,} failed" if failed else ""
            )
        )


def _estimate(planned: Planned, folder: Path, jobs: int | None, json: bool) -> None:
    import os
    from dataclasses import asdict

    from .scenarios.sweep import store
    from .scenarios.sweep.pilot import estimate

    pieces = list(store.held(folder)) if folder.is_dir() else []
    workers = jobs or os.cpu_count() or 1
    found = estimate(planned, store.left(planned.total, pieces), workers)
    if json:
        terminal.print_json({**asdict(found), "folder": str(folder), "workers": workers})
        return
    typer.echo(
        f"{planned.name}: {found.total:,} runs ({len(planned.points):,} points × "
        f"{planned.design.seeds:,} seeds), {found.runs:,} left"
    )
    typer.echo(
        f"  a run takes {found.seconds:.3g} s, all that are left about {_clock(found.wall)} "
        f"with {workers} worker{'s' if workers > 1 else ''}"
    )
    memory, disk = f"{found.memory:,.0f} MB a worker", f"about {found.megabytes:,.1f} MB"
    typer.echo(f"  memory {memory}; disk {disk} in {folder}")
    for reason in found.failed[:3]:
        typer.echo(f"  a run of the pilot failed: {reason}")


def _clock(seconds: float) -> str:
    """Return a time in its largest fitting unit."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def _tell(folder: Path, json: bool, quiet: bool, failing: bool = False) -> None:
    """Print how far a sweep is; leave with 3 if runs have failed and that is asked for."""
    from .scenarios.sweep import store
    from .scenarios.sweep.swept import Sweep

    found = Sweep.load(folder)
    pieces = list(store.held(folder))
    total = found.manifest["total"]
    done = total - len(store.left(total, pieces))
    failures = store.failures(pieces)
    failed = len(failures)
    seconds = [s for piece in pieces for s in piece.seconds]
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    broken = store.damaged(folder)
    reasons: dict[str, int] = {}
    for _, kind, why in failures:
        reasons[f"{kind}: {why}"] = reasons.get(f"{kind}: {why}", 0) + 1
    if json:
        terminal.print_json({
            "name": found.manifest["name"], "total": total, "done": done, "failed": failed,
            "left": total - done, "seconds_per_run": mean, "damaged": len(broken),
            "reasons": reasons, "folder": str(folder),
        })  # fmt: skip
    elif not quiet:
        typer.echo(f"{found.manifest['name']}: {done:,} of {total:,} runs done, {failed:,} failed, "
                   f"{total - done:,} left; {mean:.3g} s a run")  # fmt: skip
        for reason, count in sorted(reasons.items(), key=lambda r: -r[1])[:5]:
            typer.echo(f"  {count:,} × {reason}")
        if broken:
            typer.echo(f"  {len(broken)} damaged pieces are in {folder / 'damaged'}; "
                       "their runs are done again")  # fmt: skip
        what = "results.parquet, failures.parquet" if done == total else "pieces so far"
        typer.echo(f"  {what}: {folder}")
    if failing and failed:
        raise typer.Exit(FAILED)
