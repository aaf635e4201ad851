"""Which code a sweep's results come from."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_LAYERS = ("market", "agents", "scenarios")


@cache
def code_digest() -> str:
    """Return the digest of all code and data that a run's numbers come from.

    Example:
        >>> len(code_digest())
        16
    """
    home = Path(__file__).parents[2]
    digest = hashlib.blake2b(digest_size=8)
    for layer in _LAYERS:
        for path in sorted((home / layer).rglob("*")):
            if path.suffix in (".py", ".csv") and path.is_file():
                digest.update(str(path.relative_to(home)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def told(value: Any) -> Any:
    """Return what stands for a value in a key: plain data as they are, a function by its text.

    Example:
        >>> told({"a": [1, 2.0]}), told(len)
        ({'a': [1, 2.0]}, 'function builtins.len')
    """
    if isinstance(value, dict):
        return {str(k): told(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(v) for v in value]
    if callable(value):
        return f"function {name_of(value)}{_text(value)}"
    return value


def name_of(function: Callable[..., Any]) -> str:
    """Return a function's module and name, or what it is an instance of."""
    of = function if hasattr(function, "__qualname__") else type(function)
    return f"{of.__module__}.{of.__qualname__}"


def _text(function: Callable[..., Any]) -> str:
    try:
        text = inspect.getsource(function).encode()
    except (OSError, TypeError):
        return ""
    return f" {hashlib.blake2b(text, digest_size=8).hexdigest()}"
