"""What a field means: unit, default, range, source; or where a catalogue's figure comes from."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from ..agents import catalogue
from ..agents.strategies import STRATEGIES
from ..market.schema.entries import Entry, fields_of
from ..market.schema.errors import CODES, BadInputError, Problem, did_you_mean, plain, shown
from .lint import RULES
from .schema import every_entry

_NAMES = {
    "tasks": "a task class", "sellers": "a seller", "events": "an event", "run": "the run",
    "quotes": "what buyers know", "platform": "the platform", "mechanism": "the mechanism",
}  # fmt: skip
_OF_QUANTITY = ("value", "mean", "low", "high", "values")  # what a law has in its field's unit
_LISTS = ("tasks", "sellers", "events")


@dataclass(frozen=True)
class Explanation:
    """A field of a scenario, explained.

    Attributes:
        field: dotted path, with the kind where there are several: `tasks.lateness.linear.grace`.
        meaning: one sentence.
        of: what it is a field of, in words.
        unit, default, allowed, example, source: as text; empty where there is none.
    """

    field: str
    meaning: str
    of: str = ""
    unit: str = ""
    default: str = ""
    allowed: str = ""
    example: str = ""
    source: str = ""


def explain_field(name: str) -> list[Explanation]:
    """Explain a field by its dotted path, the end of it, or its bare name.

    Returns:
        The fields that the name fits; a table or a kind such as `lognormal` with all it holds.

    Example:
        >>> explain_field("sellers.kappa")[0].unit
        'streams'
    """
    wanted = f".{name}"
    entries = [(f".{kinded}", "." + ".".join(map(str, e.path)), e) for kinded, e in every_entry()]
    whole = [item for item in entries if wanted in item[:2]]
    hits = whole or [
        item for item in entries if item[0].endswith(wanted) or item[1].endswith(wanted)
    ]
    if len(hits) <= 1:
        parents = [tuple(path.rpartition(".")[0] for path in item[:2]) for item in entries]
        hits += [
            item for item, (kinded, plain_path) in zip(entries, parents, strict=True)
            if (wanted in (kinded, plain_path) if whole else kinded.endswith(wanted))
        ]  # fmt: skip
    seen: dict[tuple[str, str], Explanation] = {}
    for kinded, _, entry in hits:  # one law stands behind many fields: explain it once
        seen.setdefault((str(entry.path[-1]), entry.doc), explained(kinded[1:], entry))
    return list(seen.values())


def explained(path: str, entry: Entry) -> Explanation:
    """Explain the field that the schema has at a path."""
    default = ""
    if entry.required:
        default = "none: it must be given"
    elif entry.default is None:
        default = "absent"
    elif entry.default not in ("", (), {}):
        default = _text(entry.default)
    return Explanation(
        path, entry.doc, _NAMES.get(str(entry.path[0]), "the scenario"), entry.unit_in_words,
        default, entry.range, entry.example, entry.source,
    )  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} = {_text(v)}" for k, v in value.items())
    if isinstance(value, tuple):
        return ", ".join(_text(v) for v in value)
    return shown(value)


def explain_figure(name: str) -> str:
    """Say where a catalogue's figure comes from, e.g. `o1.speed`; empty if there is none."""
    for known in catalogue.catalogues():
        try:
            return catalogue.explain(catalogue.load(known), name)
        except ValueError:
            continue
    return ""


def explain_code(code: str) -> str:
    """Say what an error or warning is about, a warning with its equation; empty if unknown."""
    code = code.upper()
    if code not in CODES:
        return ""
    kind = "warning" if code >= "W2" else "error"
    rules = [inspect.getdoc(rule) or "" for rule in RULES]
    lines = [line for rule in rules if code in rule for line in rule.splitlines() if line]
    return "\n  ".join([f"{code} ({kind}): {CODES[code]}", *lines])


def explain_kind(kind: str) -> list[Explanation]:
    """Explain a kind such as `lognormal`, its fields, and which fields may be it."""
    users: dict[str, type[BaseModel]] = {}
    for _, entry in every_entry():
        if kind in entry.kinds:
            users.setdefault(".".join(map(str, entry.path)), entry.kinds[kind])
    if not users:
        return []
    return _kind(kind, next(iter(users.values())), list(users))


def _kind(kind: str, model: type[BaseModel], users: list[str]) -> list[Explanation]:
    """Explain a table of the schema and its fields; `users` are the fields that may be it."""
    needs = ", ".join(name for name in model.model_fields if name != "kind")
    meaning = " ".join((inspect.getdoc(model) or "").split("\n\n")[0].split()).removesuffix(".")
    whole = Explanation(
        kind, meaning, of=", ".join(users),
        allowed=f"a table of {needs}" if needs else "the bare word",
    )  # fmt: skip
    law = len(users) > 1  # one law stands behind many fields
    parts = [
        replace(
            explained(f"{kind}.{name}", entry), of=f"`{kind}`",
            unit=entry.unit_in_words
            or ("that of the field" if law and name in _OF_QUANTITY else ""),
        )
        for name, entry in fields_of(model).items() if name != "kind"
    ]  # fmt: skip
    return [whole, *parts]


def explain_strategy(name: str) -> list[Explanation]:
    """Explain a pricing strategy with its parameters, or a parameter: `undercut.floor`, `floor`."""
    found = []
    for strategy, model in STRATEGIES.items():
        whole, *parts = _kind(strategy, model, ["sellers.pricing"])
        found += [whole, *parts] if name == strategy else []
        found += [p for p in parts if name in (p.field, p.field.rpartition(".")[2])]
    return found


def _unnamed(name: str) -> str:
    """Return a path without the name of a task class or seller: `sellers.deep.price`, say.

    Names may hold dots, so the longest rest that is a field counts.
    """
    first, *rest = name.split(".")
    known = {path for kinded, e in every_entry() for path in (kinded, ".".join(map(str, e.path)))}
    paths = (".".join((first, *rest[cut:])) for cut in range(1, len(rest)))
    return next((path for path in paths if first in _LISTS and path in known), name)


def explain(name: str) -> list[Explanation] | str:
    """Explain a field of a scenario, a kind, a strategy, a code, or a figure of a catalogue.

    Raises:
        BadInputError: there is nothing of that name.
    """
    found = explain_field(name) or explain_field(_unnamed(name))
    if not any(item.field.endswith(f".{name}") for item in found):  # `deadline` is both
        found = explain_kind(name) or found
    found += explain_strategy(name)
    if found:
        return found
    figure = explain_code(name) or explain_figure(name)
    if figure:
        return figure
    known = {word for kinded, e in every_entry() for word in (str(e.path[-1]), kinded)}
    known |= set(STRATEGIES)
    models = [model for c in catalogue.catalogues() for model in catalogue.load(c).models]
    hint = did_you_mean(name, [*known, *models]) or "`walras explain sellers.price` is an example"
    raise BadInputError([
        Problem("W101", f"nothing is called `{plain(name)}`", field=plain(name), hint=hint)
    ])  # fmt: skip
