"""`walras doctor`: what is installed here, and what will not work without what."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from . import terminal

_NEEDED = ("jinja2", "mesa", "numba", "numpy", "pandas", "plotly", "pyarrow", "pydantic", "rich",
           "SALib", "scipy", "simpy", "tomli-w", "typer")  # fmt: skip
_EXTRAS = {
    "kaleido": ("export", "figures as PDF, SVG or PNG, pages (.html) only"),
    "dash": ("dash", "dashboards"),
    "distributed": ("cluster", "sweeps on a Dask cluster, local and SLURM ones only"),
}  # fmt: skip
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what, what it is, and what will not work, if anything."""

    name: str
    value: str
    lacks: str = ""


def doctor_command(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is installed, and what will not work without what."""
    found = list(findings())
    if json:
        terminal.print_json([
            {"name": f.name, "value": f.value, "lacks": f.lacks} for f in found
        ])  # fmt: skip
        return
    width = max(len(f.name) for f in found)
    for finding in found:
        typer.echo(f"{finding.name:<{width}}  {finding.value}".rstrip())
    lacks = [f.lacks for f in found if f.lacks]
    for lack in lacks:
        typer.echo(f"! {lack}")
    if not lacks:
        typer.echo("all that walras can use is here")


def findings() -> Iterator[Finding]:
    """Yield what is here."""
    from . import __version__

    yield Finding("walras", __version__)
    yield Finding("Python", f"{platform.python_version()}, {platform.platform()}")
    for name in _NEEDED:
        yield _package(name, f"{name} is not installed: `pip install walras` brings it; walras "
                       "does not work without")  # fmt: skip
    for name, (extra, what) in _EXTRAS.items():
        yield _package(name, f"without {name} no {what}; `pip install 'walras[{extra}]'` brings it")
    yield _browser()
    yield Finding("cores", f"{len(_cores())} usable of {os.cpu_count()}")
    yield _memory()
    yield _cache()
    set_ = [f"{name}={os.environ[name]}" for name in _THREADS if name in os.environ]
    yield Finding("threads", ", ".join(set_) or "as the libraries choose; workers of sweeps have 1")
    yield _traces()


def _package(name: str, lacks: str) -> Finding:
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "not installed", lacks)


def _browser() -> Finding:
    """Return which Chromium kaleido would use, by the same search."""
    path = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, _BROWSERS)), "")
    if not path and find_spec("choreographer") is not None:
        from choreographer.browsers.chromium import Chromium

        try:
            path = str(Chromium.find_browser(skip_local=False) or "")
        except Exception:  # noqa: BLE001 - whatever it is, there is no browser that can be used
            path = ""
    lacks = "without Chromium no figures as PDF, SVG or PNG; `plotly_get_chrome` brings one"
    return Finding("Chromium", path or "not found", "" if path else lacks)


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (OSError, ValueError):
        return Finding("memory", "unknown")
    lacks = "" if total >= 1.0 else "with less than 1 GB of memory compiling may fail"
    return Finding("memory", f"{total:,.1f} GB", lacks)


def _cache() -> Finding:
    """Return where compiled code is kept, and whether it can be."""
    try:
        from .market import jit
    except ImportError as error:
        return Finding("cache", "unknown", f"the market cannot be compiled: {error}")
    folder = jit._CACHE_DIR  # changing `jit` would compile everything anew
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return Finding("cache", "not used", "NUMBA_DISABLE_JIT is set: runs are some hundred times "
                       "slower, with the same numbers")  # fmt: skip
    if folder is None:
        lacks = ("compiled code cannot be kept: every process compiles for about a minute; "
                 "XDG_CACHE_HOME names another folder")  # fmt: skip
        return Finding("cache", "cannot be written", lacks)
    size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 1e6
    return Finding("cache", f"{folder}, {size:,.0f} MB")


def _traces() -> Finding:
    place = os.environ.get("WALRAS_DATA", "")
    if not place:
        return Finding("WALRAS_DATA", "not set", "without WALRAS_DATA recorded demand is looked "
                       "for beside its scenario only")  # fmt: skip
    if not Path(place).is_dir():
        return Finding("WALRAS_DATA", place, f"WALRAS_DATA names {place}, which is no folder")
    return Finding("WALRAS_DATA", place)
