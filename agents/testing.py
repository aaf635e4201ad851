"""Conformance tests for users' own strategies."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .strategies import Decision, Me, Rival, Strategy, checked

_ME = Me(
    name="me", owner="me", now=3600.0, price=2.0, first_price=2.5, unit_cost=1.0, tick=0.02,
    by_token=True, efforts={"low": True, "high": True}, slots=4.0, running=2, waiting=1,
    utilisation=0.6, assigned=12, served=10, revenue=20.0, profit=9.0, period=600.0,
)  # fmt: skip
_RIVALS = (Rival("cheap", "them", 1.5, True), Rival("dear", "others", 4.0, True))


def _situations() -> list[tuple[str, Me, tuple[Rival, ...]]]:
    return [
        ("an ordinary period", _ME, _RIVALS),
        ("no rivals", _ME, ()),
        ("nothing sold", replace(_ME, assigned=0, served=0, revenue=0.0, profit=0.0), _RIVALS),
        ("unlimited slots", replace(_ME, slots=math.inf, utilisation=math.nan), _RIVALS),
        ("a long queue", replace(_ME, running=4, waiting=500, utilisation=1.0), _RIVALS),
        ("rivals at cost", _ME, (Rival("cheap", "them", 1.0, True),)),
        ("free rivals", _ME, (Rival("free", "them", 0.0, True),)),
        ("no cost", replace(_ME, unit_cost=0.0), _RIVALS),
        ("a price per task", replace(_ME, by_token=False), _RIVALS),
        ("a price of zero", replace(_ME, price=0.0, first_price=0.0), _RIVALS),
    ]


def _as_tuple(decision: Decision) -> tuple[object, ...]:
    price = decision.price
    shape = tuple(sorted(price.items())) if hasattr(price, "items") else price
    return shape, tuple(decision.efforts) if decision.efforts is not None else None


def check_strategy(strategy: Strategy) -> None:
    """Check that a pricing strategy behaves in every situation a market can put it in.

    It must answer a finite price of 0 or more (or a `Decision` with known efforts) whether or
    not it has rivals, sales, limited slots, costs; and answer the same when asked again with
    the same generator, so that runs can be repeated.

    Raises:
        AssertionError: names the situation and what was wrong.

    Example:
        >>> check_strategy(lambda me, rivals, rng: me.unit_cost * 1.2)
        >>> check_strategy(
        ...     lambda me, rivals, rng: min(r.price for r in rivals)
        ... )  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        AssertionError: no rivals: ValueError: ...
    """
    for name, me, rivals in _situations():
        answers = []
        for _ in range(2):
            try:
                answer = strategy(me, rivals, np.random.default_rng(7))
                answers.append(_as_tuple(checked(answer, me)))
            except Exception as error:
                raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
        if answers[0] != answers[1]:
            raise AssertionError(
                f"{name}: two answers to the same question, {answers[0]} and {answers[1]}; "
                "use rng for chance, and keep no state that a second call changes"
            )
