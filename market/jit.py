"""The one place that decides how rules and kernel are compiled.

Numba keys its cache by the file that holds a function, not by the files of the functions it
calls, so an edited rule would go on living inside a cached kernel. The cache folder is therefore
named after the text of the whole layer: any edit starts a new folder. The schema is left out, of
which nothing is compiled, and the fluid market has a folder of its own within, named after its text
beside: the kernel calls nothing of it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

_KEPT_CACHES = 4


def _cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "walras"


def _digest_of(sources: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{sys.version_info[:2]}{numba.__version__}".encode())
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _cache_dir(name: str) -> str | None:
    """Create a cache folder; None where nothing can be written."""
    folder = _cache_root() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
    except OSError:
        return None
    return str(folder)


def _drop_old(folders: Iterable[Path]) -> None:
    """Keep the newest few folders: each edit of a rule leaves one behind."""
    try:
        for folder in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True)[_KEPT_CACHES:]:
            for file in folder.rglob("*"):
                if file.is_file():
                    file.unlink(missing_ok=True)
    except OSError:
        return  # another process tidies up at the same time: nothing is lost


_LAYER = Path(__file__).resolve().parent
_FLUID = {*_LAYER.glob("fluid/**/*.py")}
_KERNEL = f"kernel-{_digest_of({*_LAYER.rglob('*.py')} - {*_LAYER.glob('schema/*.py')} - _FLUID)}"
_CACHE_DIR = _cache_dir(_KERNEL)
_FLUID_DIR = _cache_dir(f"{_KERNEL}/fluid-{_digest_of(_FLUID)}")
_drop_old(_cache_root().glob("kernel-*"))
_drop_old((_cache_root() / _KERNEL).glob("fluid-*"))


def _jitted(function: F, *, inline: bool, wrapped: bool) -> F:
    """Compile a function when it is first called; `wrapped` if Python may call it.

    Without reference counting: compiled code here makes no arrays, and counting references to
    the state's arrays at every call costs twenty times the work itself. No fast-math: results
    must not depend on how a loop was vectorised. Compiled functions never divide by zero: they
    test first, so compiled and plain Python agree.
    """
    config: Any = numba.config
    njit: Any = numba.njit
    before = config.CACHE_DIR
    folder = _FLUID_DIR if ".fluid." in function.__module__ else _CACHE_DIR
    try:
        if folder is not None:
            config.CACHE_DIR = folder
        jitted = njit(
            cache=folder is not None,
            fastmath=False,
            error_model="numpy",
            nogil=True,
            forceinline=inline,
            no_cfunc_wrapper=True,
            no_cpython_wrapper=not wrapped,
            _nrt=False,
        )(function)
    finally:
        config.CACHE_DIR = before
    return cast(F, _for_any_constant(jitted))


def _for_any_constant(jitted: Any) -> Any:
    """Let constants be arguments like any other: Numba compiles a function anew for each."""
    if not hasattr(jitted, "get_call_template"):  # plain Python, under NUMBA_DISABLE_JIT
        return jitted
    template = jitted.get_call_template

    def general(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        unliteral: Any = types.unliteral
        named = {name: unliteral(kind) for name, kind in kws.items()}
        return template(tuple(unliteral(kind) for kind in args), named)

    jitted.get_call_template = general
    return jitted


def compiled(function: F) -> F:
    """Compile a function of scalars and arrays for the kernel; Python may call it, too."""
    return _jitted(function, inline=False, wrapped=True)


def inner(function: F) -> F:
    """Compile a function that only compiled functions call.

    A way to be called from Python costs more to compile than most functions: of one that takes
    the whole state it unpacks dozens of arrays.
    """
    return _jitted(function, inline=False, wrapped=False)


def spliced(function: F) -> F:
    """Compile a function into its callers, compiled themselves.

    For the many functions that take the whole state of a market: handing over dozens of arrays
    by value costs more than the work they do.
    """
    return _jitted(function, inline=True, wrapped=False)


def plain(function: F) -> F:
    """Return a compiled function as the plain Python it was written in, with the same results.

    For Python that needs a line or two of what is spliced: sooner done than the state handed over.
    It must call nothing that only compiled functions may call, and hash nothing: a uint64 that
    compiled code returns comes back as an int too large to be handed on.
    """
    return cast(F, getattr(function, "py_func", function))
