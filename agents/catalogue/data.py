"""How a catalogue's files are read, and how its models become sellers."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal

from .fit import Ability, Fit, fit
from .missing import estimates
from .records import UNITS, Assumption, Catalogue, Model, Skill


def catalogues() -> list[str]:
    """Names of the catalogues that are shipped.

    Example:
        >>> catalogues()
        ['march-2025']
    """
    stems = [name.removesuffix(".toml") for name in _files()]
    return sorted(stem for stem in stems if "." not in stem)


def _files() -> list[str]:
    folder = resources.files(__package__)
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _read(file: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / file).read_text("utf-8"))


@cache
def load(name: str) -> Catalogue:
    """Read a catalogue and fit the abilities of its models.

    Raises:
        ValueError: there is no such catalogue, or its files contradict each other.

    Example:
        >>> load("march-2025").models["gpt-4.5"].price.output
        150.0
    """
    if name not in catalogues():
        raise ValueError(f'no catalogue "{name}"; there are: {", ".join(catalogues())}')
    raw = _read(f"{name}.toml")
    services = raw.pop("services")
    assumptions = {key: Assumption(**value) for key, value in raw.pop("assumptions").items()}
    skills = {key: Skill(**value) for key, value in raw.pop("skills").items()}
    models: dict[str, Model] = {}
    for file in _files():
        if file.startswith(f"{name}."):
            for key, value in _read(file).get("models", {}).items():
                if key in models:
                    raise ValueError(f"{file}: model {key} is listed twice")
                models[key] = _model(key, services[value["service"]] | value, assumptions)
    book = Catalogue(**raw, assumptions=assumptions, skills=skills, models=models)
    _check(book)
    book = book.model_copy(update={"fits": {key: _abilities(book, m) for key, m in models.items()}})
    return book.model_copy(update={"estimates": estimates(book)})


def _model(name: str, raw: Mapping[str, Any], assumptions: Mapping[str, Assumption]) -> Model:
    """Build a model; where its service names an assumption, that becomes the figure."""
    filled = dict(raw)
    for key, value in raw.items():
        if key in UNITS and isinstance(value, str):
            taken = assumptions[value]
            filled[key] = {
                "value": taken.value, "kind": "assumed", "source": taken.source, "how": taken.how
            }  # fmt: skip
    return Model(name=name, **filled)


def _abilities(catalogue: Catalogue, model: Model) -> dict[str, Fit]:
    """Fit every skill in which the model has a score."""
    found = {}
    for name, facts in model.scores.items():
        if name not in catalogue.skills or not facts.keys() <= model.effort.keys():
            raise ValueError(f"{model.name}: scores of {name} name no skill or effort of it")
        scores = {effort: fact.number for effort, fact in facts.items()}
        found[name] = fit(scores, model.thinking, catalogue.scale(model.name, name))
    return found


def _check(catalogue: Catalogue) -> None:
    """Raise ValueError unless every source that is named is listed."""
    named = {key for taken in catalogue.assumptions.values() for key in taken.source}
    named |= {key for skill in catalogue.skills.values() for key in skill.source}
    named |= {key for skill in catalogue.skills.values() for key in skill.slope.source}
    for model in catalogue.models.values():
        facts = [getattr(model, field) for field in UNITS] + list(model.effort.values())
        facts += [fact for by_effort in model.scores.values() for fact in by_effort.values()]
        named |= {key for fact in facts if fact is not None for key in fact.source}
    missing = sorted(named - catalogue.sources.keys())
    if missing:
        raise ValueError(f"{catalogue.name}: no such source: {', '.join(missing)}")


def _pick(catalogue: Catalogue, names: Literal["all"] | Sequence[str]) -> list[Model]:
    if names == "all":
        return list(catalogue.models.values())
    for name in names:
        if name not in catalogue.models:
            raise ValueError(no_such("model", name, catalogue.models, catalogue.name))
    return [catalogue.models[name] for name in names]


def no_such(what: str, name: str, known: Iterable[str], where: str) -> str:
    """The message for a name that is not there, with the nearest one that is."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
    return f'{where} has no {what} "{name}"{hint}'


def sellers(
    catalogue: Catalogue,
    models: Literal["all"] | Sequence[str] = "all",
    missing: Literal["estimate", "omit"] = "estimate",
) -> list[dict[str, Any]]:
    """Sellers' specs as plain dicts, one per model, in the order asked for.

    Args:
        catalogue: where to look.
        models: names of models, or "all".
        missing: whether a model without a score in a skill serves it by an estimate, or not at all.

    Returns:
        One dict per model; speed and prefill_rate in tokens/s, times in s, price and cost in USD
        per million tokens, effort in thinking tokens, ability by skill in logits, with the
        standard `error` of those that are estimates. Slots, kappa and prefill_rate are inf where
        unlimited.

    Raises:
        ValueError: a name is not in the catalogue, or `missing` is neither word.

    Example:
        >>> [seller["owner"] for seller in sellers(load("march-2025"), ["o1", "nova-lite"])]
        ['OpenAI', 'Amazon']
    """
    if missing not in ("estimate", "omit"):
        raise ValueError(f'missing is "{missing}"; it must be "estimate" or "omit"')
    estimates = catalogue.estimates if missing == "estimate" else {}
    return [
        _seller(model, catalogue.fits[model.name] | estimates.get(model.name, {}))
        for model in _pick(catalogue, models)
    ]


def _ability(found: Fit) -> dict[str, float]:
    """An ability as a spec has it, marked where it is an estimate."""
    of = {key: getattr(found.ability, key) for key in Ability.__dataclass_fields__}
    return of | ({"error": found.error} if found.error else {})


def _seller(model: Model, fits: Mapping[str, Fit]) -> dict[str, Any]:
    slots = model.slots.number
    return {
        "name": model.name,
        "owner": model.owner,
        "speed": model.speed.number,
        "kappa": model.kappa.number,
        "slots": slots if math.isinf(slots) else int(slots),
        "prefill_rate": model.prefill_rate.number,
        "startup_time": model.startup_time.number,
        "network_time": model.network_time.number,
        "verbosity": model.verbosity.number,
        "price": {"input": model.price.input, "output": model.price.output},
        "cost": {"input": model.cost.input, "output": model.cost.output},
        "effort": model.thinking,
        "e0": model.e0.number,
        "ability": {skill: _ability(found) for skill, found in fits.items()},
        "open": model.open,
    }
