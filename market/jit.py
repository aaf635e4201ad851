"""The one place that decides how rules and kernel are compiled.

Numba keys its cache by the file that holds a function, not by the files of the functions it
calls, so an edited rule would go on living inside a cached kernel. The cache folder is therefore
named after the text of the whole layer (less the schema, of which nothing is compiled): any edit
starts a new folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_KEPT_CACHES = 4


def _cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "walras"


def _layer_digest() -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{sys.version_info[:2]}{numba.__version__}".encode())
    layer = Path(__file__).resolve().parent
    for source in sorted({*layer.rglob("*.py")} - {*layer.glob("schema/*.py")}):
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


def compiled(function: F, *, inline: bool = False, from_python: bool = True) -> F:
    """Compile a function of scalars and arrays for the kernel.

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
            no_cpython_wrapper=not from_python,
            _nrt=False,
        )(function)
    finally:
        config.CACHE_DIR = before
    return cast(F, jitted)


def spliced(function: F) -> F:
    """Compile a function into its callers, compiled themselves.

    For the many functions that take the whole state of a market: handing over dozens of arrays
    by value costs more than the work they do, and so does compiling, for each, a way to be
    called from Python.
    """
    return compiled(function, inline=True, from_python=False)


def shared(function: F) -> F:
    """Compile a function into its callers; Python may call it, too."""
    return compiled(function, inline=True)
