"""The schema of a scenario file: that of a market, and where its sellers may come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from ..market.schema.entries import Entry, Step, below, descend
from ..market.schema.fields import Many, Name, Spec, Text, field
from ..market.schema.market import Market


class Selection(Spec):
    """The table `catalogue` of a file: which models are on sale, and what is done about gaps."""

    name: Text = field(doc="catalogue of models that are sellers", max_length=64)
    models: Many[Name] | Literal["all"] = field("all", doc="models on sale, a list of names or all")
    missing: Literal["estimate", "omit"] = field(
        "estimate", doc="what becomes of a model in a skill it has no score in: it sells by the "
        "ability that a low-rank fit to the scores of all models in the cloud estimates, or it "
        "does not serve that skill", source="Tipping & Bishop 1999; Ilin & Raiko 2010",
    )  # fmt: skip


ROOT = Entry(path=(), types=(Market,))
_CATALOGUE = Entry(path=("catalogue",), types=(Selection,))


def entry_at(path: Sequence[Step], data: Any = None) -> Entry | None:
    """Return what the schema says of a place in a file's data, or None if there is none.

    Example:
        >>> entry = entry_at(("tasks", 0, "deadline"))
        >>> entry.unit, entry.lasts
        ('s', True)
    """
    if len(path) > 1 and path[0] == "catalogue":
        return descend(_CATALOGUE, path[1:])
    return descend(ROOT, path, data)


def every_entry() -> Iterator[tuple[str, Entry]]:
    """Yield every field: its dotted path with kinds (`tasks.lateness.linear.grace`) and its entry.

    The entry's own path leaves kinds out.
    """
    yield from below(ROOT)
    yield from below(_CATALOGUE, "catalogue")
