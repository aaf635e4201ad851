"""One market under several mechanisms: which they are, what they are called, and their settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from ..market.messages import name_of
from ..market.schema.errors import BadInputError, Problem, did_you_mean, plain, shown
from ..market.schema.fields import Spec
from ..market.schema.market import Market
from ..market.schema.wording import NAME_PATTERN, sizes
from .schema import entry_at

Mechanism = str | Mapping[str, Any] | Spec | Callable[..., Any]
Mechanisms = Sequence[Mechanism] | Mapping[str, Mechanism]
"""Mechanisms that go by their own names, or by labels."""
FILES = ("manifest.json", "report.html", "comparison.parquet", "levels.parquet")
"""What the folder of a comparison holds beside a folder for each mechanism."""
_PATTERN = {"pattern": NAME_PATTERN}


def kinds() -> dict[str, type[BaseModel]]:
    """Return the mechanisms that a scenario may state, by kind.

    Example:
        >>> "posted_price" in kinds()
        True
    """
    entry = entry_at(("mechanism",))
    return entry.kinds if entry is not None else {}


def variants(
    market: Market, mechanisms: Mechanisms, *, told: str = "mechanisms"
) -> dict[str, Market]:
    """Return the market under each mechanism, by label: its kind, or the function's name.

    A name takes the settings of the market's own mechanism that mean the same in it: all of them
    where it is that one, or a kind of the same class (`first_score` and `second_score`), those of
    a common base (`bid` and `call` of all sealed bids) otherwise; what is left has its default.

    Args:
        market: the spec.
        mechanisms: names, specs such as `ScoringAuction(reserve=0.1)`, or Python functions; or a
            table of them by labels of one's own, so that one kind may stand in it twice.
        told: what errors call the list.

    Raises:
        BadInputError: a mechanism is unknown, given twice, or the market does not allow it: all
            that is wrong at once.
        TypeError: something is no mechanism at all.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> market = Market([TaskClass("chat", Poisson(1.0))], [Seller("one", accuracy=1.0)])
        >>> list(variants(market, ["posted_price", "second_score"]))
        ['posted_price', 'second_score']
        >>> both = {f"reserve-{x}": {"kind": "vickrey", "reserve": x} for x in (0.1, 0.2)}
        >>> [under.mechanism.reserve for under in variants(market, both).values()]
        [0.1, 0.2]
    """
    found: dict[str, Market] = {}
    each = _labelled(mechanisms)
    problems = [] if each else [_problem("no mechanism is given", told)]
    for name, mechanism in each:
        if name in found:
            hint = "one name, one run; a table {label: mechanism} tells them apart"
            problems.append(_problem(f"`{name}` is given twice", told, hint))
            continue
        try:
            found[name] = _under(market, mechanism)
        except BadInputError as error:
            problems += [
                replace(
                    p, message=f"`{plain(name)}` cannot run this market: {p.message}", file=told
                )
                for p in error.problems
            ]
    if isinstance(mechanisms, Mapping):
        problems += [problem for name, _ in each for problem in wrong_label(name, told)]
    if problems:
        raise BadInputError(problems)
    return found


def _labelled(mechanisms: object) -> list[tuple[str, Mechanism]]:
    """Return mechanisms with their labels: as given, or their own names."""
    if isinstance(mechanisms, Mapping) and "kind" not in mechanisms:
        return [(str(label), _mechanism(m)) for label, m in mechanisms.items()]
    if isinstance(mechanisms, (list, tuple)):
        return [(_name(m), m) for m in map(_mechanism, mechanisms)]
    return [(_name(m), m) for m in [_mechanism(mechanisms)]]


def _mechanism(given: Any) -> Mechanism:
    """Return what may be a mechanism; whether it is one the market says."""
    if not (isinstance(given, (str, Mapping, Spec)) or callable(given)):
        raise TypeError(
            f"{shown(given)} is no mechanism; give a name, a spec such as "
            "ScoringAuction(reserve=0.1), or a Python function"
        )
    return given  # type: ignore[no-any-return]


def wrong_label(label: str, told: str) -> list[Problem]:
    """Return what is wrong with a label: it names a folder, too."""
    if not re.fullmatch(NAME_PATTERN, label) or label.endswith("\n"):
        message, hint = f"`{plain(label)}` is no name for a run", f"names: {sizes(_PATTERN, '')}"
    elif label in FILES:
        message, hint = f"`{label}` is the name of a file of the comparison", "choose another"
    else:
        return []
    return [_problem(message, told, hint, "W109")]


def _name(mechanism: Mechanism) -> str:
    if isinstance(mechanism, str):
        return plain(mechanism.strip())
    if isinstance(mechanism, Mapping):
        return plain(str(mechanism.get("kind", "")))
    return str(mechanism.kind) if hasattr(mechanism, "kind") else name_of(mechanism)  # type: ignore[arg-type]


def _under(market: Market, mechanism: Mechanism) -> Market:
    """Return the market under one mechanism."""
    if isinstance(mechanism, str):
        mechanism, known = mechanism.strip(), kinds()
        if mechanism == getattr(market.mechanism, "kind", None):
            return market
        if mechanism not in known:
            hint = did_you_mean(mechanism, known) or f"mechanisms: {', '.join(known)}"
            raise BadInputError([_problem("there is no such mechanism", "", hint, "W105")])
        mechanism = {"kind": mechanism, **_common(market.mechanism, known[mechanism])}
    return market.model_copy(update={"mechanism": mechanism})


def _common(own: object, other: type[BaseModel]) -> dict[str, Any]:
    """Return the settings of a mechanism that mean the same in one of another kind.

    They are those that both have from one class of the schema: all but the kind where the two are
    kinds of one class.
    """
    shared = next(c for c in type(own).__mro__ if c in other.__mro__)
    names = getattr(shared, "model_fields", {}).keys() - {"kind"}
    return {n: getattr(own, n) for n in names & getattr(own, "model_fields_set", set())}


def _problem(message: str, told: str, hint: str = "", code: str = "W113") -> Problem:
    return Problem(code, message, file=told, field="mechanism", hint=hint)
