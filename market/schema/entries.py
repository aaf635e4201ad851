"""Takes the classes of a spec apart: what a field means, its unit, range and default.

Nothing about a field is written here; everything comes from the classes.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from .wording import EXAMPLES, UNITS, interval, one_of, sizes

Step = str | int
Path = tuple[Step, ...]
_MOST_KEYS = 8
_LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern", "allow_inf_nan")


@dataclass(frozen=True)
class Entry:
    """What the schema says of one place in a scenario file.

    Attributes:
        path: the place, as steps; `*` stands for any index or name.
        types: the types a value may have there, unions taken apart.
        limits: `ge`, `gt`, `le`, `lt`, `min_length`, `max_length`, `pattern`.
        unit: the unit, or empty; a law's `mean` has the unit of the quantity it is the law of.
        doc, source: meaning and source.
        default: the default, or `PydanticUndefined` where the field must be given.
        notations: names of the validators that read shorter notations, such as "5 min".
    """

    path: tuple[Step, ...]
    types: tuple[Any, ...]
    limits: dict[str, Any] = field(default_factory=dict)
    unit: str = ""
    doc: str = ""
    source: str = ""
    default: Any = PydanticUndefined
    notations: frozenset[str] = frozenset()

    @property
    def lasts(self) -> bool:
        """Whether a duration such as "5 min" may stand here."""
        return bool(self.notations & {"seconds", "_duration_law", "_patience_law"})

    @property
    def endless(self) -> bool:
        """Whether "unlimited" may stand here."""
        return "_unlimited" in self.notations

    @property
    def models(self) -> list[type[BaseModel]]:
        """The tables that may stand here."""
        return [t for t in self.types if isinstance(t, type) and issubclass(t, BaseModel)]

    @property
    def kinds(self) -> dict[str, type[BaseModel]]:
        """The tables that may stand here by their `kind`."""
        return {tag: m for m in self.models for tag in kinds_of(m)}

    @property
    def words(self) -> list[str]:
        """Words that may stand here: literals, and kinds that need nothing else."""
        plain = [
            w for t in self.types if typing.get_origin(t) is Literal for w in typing.get_args(t)
        ]
        short = [
            tag for tag, model in self.kinds.items()
            if self.notations & {"word", "_size_law", "_patience_law"}
            and not any(f.is_required() for f in model.model_fields.values())
        ]  # fmt: skip
        return plain + short

    @property
    def required(self) -> bool:
        """Whether a file must give it."""
        return bool(self.default is PydanticUndefined)

    @property
    def unit_in_words(self) -> str:
        """The unit spelled out."""
        return UNITS.get(self.unit, self.unit)

    @property
    def example(self) -> str:
        """Something that may stand here, as TOML; empty where no short one exists."""
        if self.words:
            return f'"{self.words[0]}"'
        if bool in self.types:
            return "true"
        if _origins(self) & {tuple, Mapping}:
            return ""
        text = EXAMPLES.get(self.unit, "")
        return text if text and self.admits(text) else ""

    def admits(self, text: str) -> bool:
        """Whether an example number lies in the range."""
        value = 300.0 if text.startswith('"') else float(text)
        low, high = self.limits.get("ge", -math.inf), self.limits.get("le", math.inf)
        return bool(low <= value <= high)

    @property
    def range(self) -> str:
        """The allowed range in words; empty where anything goes."""
        return " ".join(
            part for part in (*self._choices(), *self._numbers(), self._sizes()) if part
        )

    def _sizes(self) -> str:
        return sizes(self.limits, "characters" if str in self.types else "entries")

    def _choices(self) -> Iterator[str]:
        if "constant" in self.kinds:
            yield "0 or more, or a law:"
        if self.words or self.kinds:
            yield one_of([*self.kinds, *(w for w in self.words if w not in self.kinds)])
        elif len(self.models) == 1:
            yield f"a table of {', '.join(list(self.models[0].model_fields)[:_MOST_KEYS])}"
        if bool in self.types:
            yield "true or false"

    def _numbers(self) -> Iterator[str]:
        if _origins(self) & {tuple, Mapping}:
            holds = step_into(self, 0) or step_into(self, "x")
            each = interval(holds.limits) if holds else ""
            yield f"each {each}{';' if self._sizes() else ''}" if each else ""
        else:
            yield interval(self.limits)
        if self.endless:
            yield "or unlimited"


def kinds_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the values of a model's `kind`, none if it has no kind."""
    kind = model.model_fields.get("kind")
    return typing.get_args(kind.annotation) if kind is not None else ()


def belongs(entry: Entry | None, keys: Iterable[object]) -> str:
    """Say of which kinds of a table keys are, "" where of none or of all.

    Example:
        >>> from .market import Market
        >>> where = descend(Entry((), (Market,)), ["mechanism"])
        >>> belongs(where, ["linear"])
        '`linear` belongs to kind first_score or second_score'
    """
    keys, kinds = list(keys), entry.kinds if entry is not None else {}
    fit = [tag for tag, model in kinds.items() if set(keys) <= set(model.model_fields)]
    if not keys or not 0 < len(fit) < len(kinds):
        return ""
    told = " and ".join(f"`{key}`" for key in keys)
    return f"{told} {'belong' if len(keys) > 1 else 'belongs'} to kind {' or '.join(fit)}"


def _origins(entry: Entry) -> set[Any]:
    return {typing.get_origin(t) for t in entry.types}


# --- taking annotations apart ------------------------------------------------------------------


def _limits_of(metadata: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in metadata:
        if isinstance(item, FieldInfo):
            found.update(_limits_of(item.metadata))
        for name in _LIMITS:
            value = getattr(item, name, None)
            if value is not None and not isinstance(item, FieldInfo):
                found[name] = value
    return found


def _take_apart(entry: Entry, annotation: Any, metadata: Sequence[Any] = ()) -> Entry:
    """Return the entry with an annotation's types, limits and notations added."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inner, *rest = typing.get_args(annotation)
        return _take_apart(entry, inner, [*rest, *metadata])
    entry = replace(
        entry, limits={**entry.limits, **_limits_of(metadata)},
        notations=entry.notations | {_validator(m) for m in metadata},
    )  # fmt: skip
    if origin in (Union, types.UnionType):
        for part in typing.get_args(annotation):
            entry = _take_apart(entry, part)
        return entry
    if annotation is types.NoneType or origin is Callable or _is_callable(origin):
        return entry
    return replace(entry, types=(*entry.types, annotation))


def _is_callable(origin: Any) -> bool:
    return getattr(origin, "__name__", "") == "Callable"


def _validator(item: Any) -> str:
    return getattr(getattr(item, "func", None), "__name__", "")


@lru_cache(maxsize=4096)
def fields_of(model: type[BaseModel], unit: str = "", lasts: bool = False) -> dict[str, Entry]:
    """Return the entries of a model's fields by name."""
    out = {}
    for name, info in model.model_fields.items():
        extra: Any = info.json_schema_extra or {}
        bare = Entry(
            path=(name,), types=(), unit=extra.get("unit", ""), doc=info.description or "",
            source=extra.get("source", ""), default=info.default,
        )  # fmt: skip
        entry = _take_apart(bare, info.annotation, info.metadata)
        if not entry.unit and name in ("value", "mean", "low", "high", "values"):
            notations = entry.notations | ({"seconds"} if lasts else set())
            entry = replace(entry, unit=unit, notations=notations)
        out[name] = entry
    return out


def step_into(entry: Entry, step: Step) -> Entry | None:
    """Return the entry one step further down, or None where the schema has no such place."""
    for kind in entry.types:
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        path = (*entry.path, "*")
        if origin is tuple and isinstance(step, int):
            return _take_apart(replace(entry, path=path, types=(), limits={}), args[0])
        if origin is Mapping and isinstance(step, str):
            return _take_apart(replace(entry, path=path, types=(), limits={}), args[1])
    for model in entry.models:
        found = fields_of(model, entry.unit, entry.lasts).get(str(step))
        if found is not None:
            return replace(found, path=(*entry.path, str(step)))
    return None


def narrow(entry: Entry, data: Any) -> Entry:
    """Keep of several possible tables the one whose `kind` the data gives."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if isinstance(kind, str) and kind in entry.kinds:
        return replace(entry, types=(entry.kinds[kind],))
    return entry


def descend(entry: Entry, path: Sequence[Step], data: Any = None) -> Entry | None:
    """Return the entry at a path below another; `data` tells which of several tables is meant."""
    here: Entry | None = entry
    for step in path:
        if here is None:
            return None
        here = step_into(narrow(here, data), step)
        data = _child(data, step)
    return narrow(here, data) if here is not None else None


def _child(data: Any, step: Step) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None


def below(entry: Entry, dotted: str = "") -> Iterator[tuple[str, Entry]]:
    """Yield every field below an entry: its dotted path with kinds, and its entry.

    A path is such as `tasks.lateness.linear.grace`; the entry's own path leaves kinds out.
    """
    for model in entry.models:
        tags = kinds_of(model) if len(entry.models) > 1 else ()
        for name, found in fields_of(model, entry.unit, entry.lasts).items():
            if name == "kind":
                continue
            here = replace(found, path=(*entry.path, name))
            kinded = ".".join(part for part in (dotted, *tags[:1], name) if part)
            yield kinded, here
            yield from below(replace(_contents(here), path=here.path), kinded)


def _contents(entry: Entry) -> Entry:
    """Look through lists and tables by name."""
    found = step_into(entry, 0) if tuple in _origins(entry) else None
    if found is None and Mapping in _origins(entry):
        found = step_into(entry, "x")
    return found or entry
