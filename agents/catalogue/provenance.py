"""Where each figure of a catalogue comes from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from .data import no_such
from .fit import Fit, accuracy_at
from .missing import lightest
from .records import UNITS, Catalogue, Model, Rate, Skill, Sourced


class _Figure(NamedTuple):
    field: str
    value: float | str
    unit: str
    fact: Sourced


def _figures(catalogue: Catalogue, model: Model) -> Iterator[_Figure]:
    """Every figure of a model, as stated, as fitted and as estimated."""
    for field, unit in UNITS.items():
        fact = getattr(model, field)
        if isinstance(fact, Rate):
            yield _Figure(f"{field}.input", fact.input, unit, fact)
            yield _Figure(f"{field}.output", fact.output, unit, fact)
        elif fact is not None:
            yield _Figure(field, fact.value, unit, fact)
    for effort, fact in model.effort.items():
        yield _Figure(f"effort.{effort}", fact.value, "tokens", fact)
    for name, facts in model.scores.items():
        for effort, fact in facts.items():
            yield _Figure(f"score.{name}.{effort}", fact.value, "probability", fact)
        found, skill = catalogue.fits[model.name][name], catalogue.skills[name]
        ids = [key for fact in facts.values() for key in fact.source]
        ids += skill.slope.source if found.uses_slope else ()
        by = Sourced(kind="derived", source=tuple(dict.fromkeys(ids)), how=_fitted(found, skill))
        for key in ("theta", "beta"):
            yield _Figure(f"ability.{name}.{key}", getattr(found.ability, key), "logits", by)
    for name, found in catalogue.estimates[model.name].items():
        skill = catalogue.skills[name]
        how = f"{_fitted(found, skill)}; {_within(catalogue, model, found)}"
        slope = skill.slope.source if found.uses_slope else ()
        by = Sourced(kind="estimated", source=slope, how=how)
        for key in ("theta", "beta"):
            yield _Figure(f"ability.{name}.{key}", getattr(found.ability, key), "logits", by)
        yield _Figure(f"ability.{name}.error", found.error, "logits", by)


def _fitted(found: Fit, skill: Skill) -> str:
    """How an ability came about, in words."""
    text = f"{skill.benchmark}: {found.how}"
    if found.uses_slope:
        text += f" ({skill.slope.number:g} per ln token; {skill.slope.how})"
    worst = max(found.residuals.values(), key=abs, default=0.0)
    return text if abs(worst) < 5e-7 else f"{text}; largest residual {100 * worst:+.1f} points"


def _within(catalogue: Catalogue, model: Model, found: Fit) -> str:
    """How accurate an estimate says a model is, in words."""
    effort, sd = lightest(model), catalogue.assumptions["sd_skill"].value
    right, low, high = (
        accuracy_at(
            replace(found.ability, theta=found.ability.theta + by), model.thinking[effort],
            model.e0.number, sd=sd,
        )
        for by in (0.0, -found.error, found.error)
    )  # fmt: skip
    return (
        f"{right:.0%} right at effort {effort}, {low:.0%} to {high:.0%} within one error (after "
        "widening)"
    )


def sources_table(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Every figure of every model with its source, one row each.

    Returns:
        Rows with keys model, field, value, unit, kind, source (ids, joined by commas).

    Example:
        >>> from walras.agents.catalogue import load
        >>> sources_table(load("march-2025"))[1]["field"]
        'price.input'
    """
    return [
        {
            "model": model.name,
            "field": figure.field,
            "value": figure.value,
            "unit": figure.unit,
            "kind": figure.fact.kind,
            "source": ", ".join(figure.fact.source),
        }
        for model in catalogue.models.values()
        for figure in _figures(catalogue, model)
    ]


def explain(catalogue: Catalogue, key: str) -> str:
    """Say where a figure comes from: value, unit, kind, derivation, sources.

    Args:
        catalogue: where to look.
        key: `MODEL.FIELD`, as `claude-3.7-sonnet.speed`, `o3-mini.effort.low` or
            `o1.ability.science` (a longer field's beginning gives all its parts, a model's name
            alone gives everything); `assumptions.NAME`; or `skills.NAME`.

    Raises:
        ValueError: there is no such model, field, assumption or skill.

    Example:
        >>> from walras.agents.catalogue import load
        >>> print(explain(load("march-2025"), "gpt-4.5.startup_time"))
        gpt-4.5.startup_time = 1.48 s (measured)
          source: artificialanalysis.ai, provider pages of each model, 2024 to 2025
    """
    lines: list[str] = []
    for fact, figures in groupby(_matching(catalogue, key), key=lambda figure: figure.fact):
        lines += map(_value, figures)
        lines += _origin(catalogue, fact)
    return "\n".join(lines)


def _matching(catalogue: Catalogue, key: str) -> Iterator[_Figure]:
    """Figures whose full name is `key` or begins with it."""
    head, _, tail = key.partition(".")
    if head == "assumptions" and tail in catalogue.assumptions:
        taken = catalogue.assumptions[tail]
        fact = Sourced(kind="assumed", source=taken.source, how=taken.how)
        yield _Figure(key, taken.value, taken.unit, fact)
    elif head == "skills" and tail in catalogue.skills:
        skill = catalogue.skills[tail]
        yield _Figure(key, skill.benchmark, "", Sourced(source=skill.source, how=skill.why))
        yield _Figure(
            f"{key}.floor",
            skill.floor,
            "probability",
            Sourced(kind="derived", how="accuracy of guessing"),
        )
        yield _Figure(f"{key}.slope", skill.slope.value, "logits per ln token", skill.slope)
    else:
        # Names hold dots themselves, so the longest one that fits is meant.
        names = [name for name in catalogue.models if f"{key}.".startswith(f"{name}.")]
        if not names:
            known = [*catalogue.models]
            known += [f"assumptions.{name}" for name in catalogue.assumptions]
            known += [f"skills.{name}" for name in catalogue.skills]
            raise ValueError(no_such("figure", key, known, catalogue.name))
        name = max(names, key=len)
        field = key[len(name) + 1 :]
        figures = list(_figures(catalogue, catalogue.models[name]))
        found = [f for f in figures if not field or f"{f.field}.".startswith(f"{field}.")]
        if not found:
            raise ValueError(no_such("field", field, [f.field for f in figures], name))
        yield from (f._replace(field=f"{name}.{f.field}") for f in found)


def _value(figure: _Figure) -> str:
    value = figure.value
    if not isinstance(value, str):
        value = "unlimited" if math.isinf(value) else f"{value:.6g}"
    unit = f" {figure.unit}" if figure.unit else ""
    return f"{figure.field} = {value}{unit} ({figure.fact.kind})"


def _origin(catalogue: Catalogue, fact: Sourced) -> Iterator[str]:
    """Derivation and sources in words, and the assumptions that the derivation names."""
    if fact.how:
        yield f"  how: {fact.how}"
    for key in fact.source:
        yield f"  source: {catalogue.sources[key]}"
    for name, taken in catalogue.assumptions.items():
        if re.search(rf"\b{name}\b", fact.how) and taken.how != fact.how:
            yield f"  assumption {name} = {taken.value:.6g} {taken.unit}: {taken.how}"
