"""What a field means: unit, default, range, source; or where a catalogue's figure comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..agents import catalogue
from .errors import BadInputError, Problem, did_you_mean, plain, shown
from .schema import Entry, every_entry

_MOST = 12
_NAMES = {
    "tasks": "a task class", "sellers": "a seller", "events": "an event", "run": "the run",
    "quotes": "what buyers know", "platform": "the platform", "mechanism": "the mechanism",
}  # fmt: skip


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
        Every field that the name fits; a kind such as `lognormal` gives all its fields.

    Example:
        >>> explain_field("sellers.kappa")[0].unit
        'streams'
    """
    wanted = [part for part in name.split(".") if part]
    exact, ends, inside = [], [], []
    for entry in every_entry():
        path = [str(step) for step in entry.path]
        short = [step for step in path if step not in _tags(entry)]
        if wanted in (path, short):
            exact.append(entry)
        elif wanted and wanted in (path[-len(wanted) :], short[-len(wanted) :]):
            ends.append(entry)
        elif wanted and wanted[-1:] == path[-2:-1] and wanted == path[: -1][-len(wanted) :]:
            inside.append(entry)
    found = exact or ends or inside
    if exact or not ends:
        found = exact + [e for e in inside if e not in exact]
    return _distinct([_explain(entry) for entry in found])


def _distinct(found: list[Explanation]) -> list[Explanation]:
    """Drop repetitions: the same law stands behind many fields."""
    seen = {}
    for item in found:
        seen.setdefault((item.field.rsplit(".", 2)[-2:][0], item.meaning, item.of), item)
    return list(seen.values())[:_MOST]


def _tags(entry: Entry) -> set[str]:
    return {
        "poisson", "mmpp", "diurnal", "batch", "closed", "replay", "constant", "uniform",
        "exponential", "lognormal", "gamma", "quantiles", "share_of_value", "linear", "halflife",
        "logit", "second_score", "exit", "enter", "outage", "add_slots",
    }  # fmt: skip


def _explain(entry: Entry) -> Explanation:
    default = ""
    if entry.required:
        default = "none: it must be given"
    elif entry.default is None:
        default = "absent"
    elif entry.default not in ("", [], {}):
        default = _text(entry.default)
    path = ".".join(str(step) for step in entry.path)
    return Explanation(
        path, entry.doc, _NAMES.get(str(entry.path[0]), "the scenario"), entry.unit_in_words, default,
        entry.range, entry.example, entry.source,
    )  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} = {_text(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(_text(v) for v in value)
    return shown(value)


def explain_figure(name: str) -> str:
    """Say where a figure of a catalogue comes from, e.g. `claude-3.7-sonnet.speed`; empty if unknown."""
    for known in catalogue.catalogues():
        try:
            return catalogue.explain(catalogue.load(known), name)
        except ValueError:
            continue
    return ""


def explain(name: str) -> list[Explanation] | str:
    """Explain a field of a scenario, or a figure of a catalogue.

    Raises:
        BadInputError: there is nothing of that name.
    """
    found = explain_field(name)
    if found:
        return found
    figure = explain_figure(name)
    if figure:
        return figure
    known = {str(e.path[-1]) for e in every_entry()} | {
        ".".join(map(str, e.path)) for e in every_entry()
    }  # fmt: skip
    models = [model for c in catalogue.catalogues() for model in catalogue.load(c).models]
    hint = did_you_mean(name, [*known, *models]) or "`walras explain sellers.price` is an example"
    raise BadInputError([
        Problem("W101", f"nothing is called `{plain(name)}`", field=plain(name), hint=hint)
    ])  # fmt: skip
