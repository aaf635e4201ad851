"""Which code a sweep's results come from."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from ...market.schema.fields import Spec

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

    With a function goes what it holds: of what is around it, its defaults, its object.

    Example:
        >>> told({"a": [1, 2.0]}), told(len)
        ({'a': [1, 2.0]}, 'function builtins.len')
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Spec) and not callable(value):
        return {name: told(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(k): told(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(v) for v in value]
    if callable(value):
        text = f"function {name_of(value)}{_text(value)}"
        held = _held(value)
        return f"{text} {json.dumps(told(held), sort_keys=True, default=str)}" if held else text
    return value


def holds_functions(value: Any) -> bool:
    """Return whether there is a Python function anywhere in a value.

    Example:
        >>> holds_functions({"a": [1, {"b": len}]}), holds_functions({"a": [1, 2.0]})
        (True, False)
    """
    if callable(value):
        return True
    if isinstance(value, Spec):
        return any(holds_functions(getattr(value, name)) for name in type(value).model_fields)
    held = value.values() if isinstance(value, dict) else value
    return isinstance(value, (dict, list, tuple)) and any(map(holds_functions, held))


def _held(function: Any) -> list[Any]:
    """Return what a function holds besides its text, if anything; its own kind by name."""
    if isinstance(function, partial):
        return [function.func, function.args, function.keywords]
    if isinstance(function, MethodType):
        return [name_of(function), vars(function.__self__)]
    if not isinstance(function, FunctionType):
        return [dict(vars(function))] if getattr(function, "__dict__", None) else []
    cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    held = [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return [name_of(of) if of is function else of for of in held]


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a name that is not bound yet
        return False


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
