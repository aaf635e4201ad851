"""A market as TOML and back: data only, units as in the spec."""

from __future__ import annotations

import math
from typing import Any

import tomli_w

from ..market.schema.errors import BadInputError, Problem
from ..market.schema.fields import Spec
from ..market.schema.market import Market
from .load import check


def to_toml(market: Market, *, resolved: bool = True) -> str:
    """Return a market as the text of a scenario file.

    Args:
        market: the market.
        resolved: write every field with its value; otherwise only those that were given.

    Returns:
        TOML; `from_toml` reads it back to an equal market.

    Raises:
        ValueError: the market holds a Python function, which a file cannot.

    Example:
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> from walras.market.schema.arrivals import Poisson
        >>> market = Market(tasks=[TaskClass("ask", Poisson(1.0))], sellers=[Seller("one")])
        >>> from_toml(to_toml(market)) == market
        True
    """
    return tomli_w.dumps(_table(market, "market", resolved))


def data_of(market: Market) -> dict[str, Any]:
    """Return a market as plain data, only what was given; Python functions stay what they are.

    Example:
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> from walras.market.schema.arrivals import Poisson
        >>> data_of(Market([TaskClass("ask", Poisson(2.0))], [Seller("one")]))["sellers"]
        [{'name': 'one'}]
    """
    return _table(market, "market", False, functions=True)


def from_toml(text: str) -> Market:
    """Read a market from the text of a scenario file.

    Raises:
        BadInputError: all errors of the text at once.
    """
    return check(text).require()


def _table(spec: Spec, where: str, resolved: bool, functions: bool = False) -> dict[str, Any]:
    """Return a part of a spec as plain data, without what is absent."""
    out = {}
    for name in type(spec).model_fields:
        if not resolved and name != "kind" and name not in spec.model_fields_set:
            continue
        value = getattr(spec, name)
        if value is not None:
            out[name] = _plain(value, f"{where}.{name}", resolved, functions)
    return out


def _plain(value: Any, where: str, resolved: bool, functions: bool) -> Any:
    how = resolved, functions
    if isinstance(value, Spec):
        return _table(value, where, *how)
    if isinstance(value, tuple):
        names = [getattr(item, "name", str(i)) for i, item in enumerate(value)]
        return [_plain(v, f"{where}.{n}", *how) for n, v in zip(names, value, strict=True)]
    if isinstance(value, dict):
        return {k: _plain(v, f"{where}.{k}", *how) for k, v in value.items() if v is not None}
    if isinstance(value, float) and math.isinf(value):
        return "unlimited"
    if callable(value) and not functions:
        name = getattr(value, "__name__", type(value).__name__)
        raise BadInputError([Problem(
            "W102", f"{where} is a Python function `{name}`; a file holds data only", field=where,
        )])  # fmt: skip
    return value
