"""Conformance tests for users' own strategies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from .strategies import Decision, Me, Rival, Strategy, checked

ME = Me(
    name="me", owner="me", now=3600.0, prices=MappingProxyType({"low": 2.0, "high": 2.0}),
    first_price=2.5, unit_cost=1.0, tick=0.02, by_token=True,
    efforts=MappingProxyType({"low": True, "high": True}), slots=4.0,
    running=2, waiting=1, utilisation=0.6, assigned=12, served=10, revenue=20.0, profit=9.0,
    period=600.0,
)  # fmt: skip
"""A seller in an ordinary period, to try a strategy on by hand."""
RIVALS = (
    Rival("cheap", "them", {"default": 1.5}, True),
    Rival("dear", "others", {"default": 4.0, "high": 6.0}, True),
)
"""Its rivals."""


def _situations() -> list[tuple[str, Me, tuple[Rival, ...]]]:
    at_cost, free = ({"default": price} for price in (ME.unit_cost, 0.0))
    return [
        # First nothing, then more: what a strategy remembers of the second changes the first.
        ("nothing sold", replace(ME, assigned=0, served=0, revenue=0.0, profit=0.0), RIVALS),
        ("an ordinary period", ME, RIVALS),
        ("no rivals", ME, ()),
        ("unlimited slots", replace(ME, slots=math.inf, utilisation=math.nan), RIVALS),
        ("a long queue", replace(ME, running=4, waiting=500, utilisation=1.0), RIVALS),
        ("rivals at cost", ME, (Rival("cheap", "them", at_cost, True),)),
        ("free rivals", ME, (Rival("free", "them", free, True),)),
        ("no cost", replace(ME, unit_cost=0.0), RIVALS),
        ("a price per task", replace(ME, by_token=False), RIVALS),
        ("a price of zero", replace(ME, prices=dict.fromkeys(ME.prices, 0.0), first_price=0.0),
         RIVALS),
        ("efforts priced apart", replace(ME, prices={"low": 1.5, "high": 3.0}), RIVALS),
        ("an effort off the market", replace(ME, efforts={"low": True, "high": False}), RIVALS),
    ]  # fmt: skip


def _plain(decision: Decision) -> Decision:
    """Return a decision whose parts compare by value."""
    price, efforts = decision.price, decision.efforts
    return Decision(dict(price) if isinstance(price, Mapping) else price,
                    None if efforts is None else sorted(efforts))  # fmt: skip


def check_strategy(strategy: Strategy) -> None:
    """Check that a pricing strategy behaves in every situation a market can put it in.

    It must answer a price from 0 to a million USD (or a `Decision` with known efforts) whether or
    not it has rivals, sales, limited slots, costs; and answer the same when the same situations
    come again in another order with the same generator, so that runs can be repeated.

    Raises:
        AssertionError: names the situation and what was wrong.

    Example:
        >>> check_strategy(lambda me, rivals, rng: me.unit_cost * 1.2)
        >>> check_strategy(
        ...     lambda me, rivals, rng: min(r.price for r in rivals)
        ... )  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        AssertionError: no rivals: the strategy raised ValueError: ...
    """
    situations = _situations()
    first = {name: _answer(strategy, name, me, rivals) for name, me, rivals in situations}
    for name, me, rivals in reversed(situations):
        again = _answer(strategy, name, me, rivals)
        if again != first[name]:
            raise AssertionError(
                f"{name}: two answers to the same question, {first[name]} and {again}; take "
                "chance from `rng` alone, and keep nothing between calls (no global, no counter, "
                "no clock): what it may know is in `me` and `rivals`"
            )


def _answer(strategy: Strategy, name: str, me: Me, rivals: tuple[Rival, ...]) -> Decision:
    try:
        answer = strategy(me, rivals, np.random.default_rng(7))
    except Exception as error:
        raise AssertionError(
            f"{name}: the strategy raised {type(error).__name__}: {error}; "
            "it must answer here, too (me.price keeps the price)"
        ) from error
    try:
        return _plain(checked(answer, me))
    except ValueError as error:
        raise AssertionError(f"{name}: {error}") from error
