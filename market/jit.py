"""The one place that decides how rules and kernel are compiled.

Numba keys its cache by the file that holds a function, not by the files of the functions it
calls, so an edited rule would go on living inside a cached kernel. The cache folder is therefore
named after the text of the whole layer (less the schema and the fluid market, of which nothing is
compiled): any edit starts a new folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

_KEPT_CACHES = 4


def _cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "walras"


def _layer_digest() -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{sys.version_info[:2]}{numba.__version__}".encode())
    layer = Path(__file__).resolve().parent
    for source in sorted(
        {*layer.rglob("*.py")} - {*layer.glob("schema/*.py"), *layer.glob("fluid/*.py")}
    ):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _cache_dir() -> str | None:
    """Create the folder of this version of the layer; None where nothing can be written."""
    root = _cache_root()
    folder = root / f"kernel-{_layer_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
    except OSError:
        return None
    _drop_old_caches(root)
    return str(folder)


def _drop_old_caches(root: Path) -> None:
    """Keep the newest few folders: each edit of a rule leaves one behind."""
    try:
        folders = sorted(root.glob("kernel-*"), key=lambda f: f.stat().st_mtime, reverse=True)
        for folder in folders[_KEPT_CACHES:]:
            for file in folder.rglob("*"):
                if file.is_file():
                    file.unlink(missing_ok=True)
    except OSError:
        return  # another process tidies up at the same time: nothing is lost


_CACHE_DIR = _cache_dir()


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
    try:
        if _CACHE_DIR is not None:
            config.CACHE_DIR = _CACHE_DIR
        jitted = njit(
            cache=_CACHE_DIR is not None,
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
