"""Sellers drawn from a catalogue: `catalogue = {name = "march-2025", models = "all"}`.

`schema.Selection` describes the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..market.schema.entries import Path
from ..market.schema.errors import Problem, did_you_mean, plain, shown
from ..market.schema.faults import Source
from .schema import Selection, entry_at


def expand(source: Source) -> list[Problem]:
    """Replace the table `catalogue` in the data by its name, and put its sellers into `sellers`.

    A seller of the file that has the name of a model changes the fields it gives and keeps the
    rest; others come after the catalogue's. A plain name only records where sellers came from, and
    may be of a catalogue that is not here (W217).
    """
    wanted = source.data.get("catalogue")
    if isinstance(wanted, str) and wanted and "sellers" not in source.data:
        problem = _named(wanted, source)
        source.data["sellers"] = [{"name": "unknown"}]  # say no more than is known
        return [problem]
    if not isinstance(wanted, dict):
        return []
    problems = list(_wrong(wanted, source))
    source.data["catalogue"] = ""
    given = source.data.get("sellers", [])
    if problems or not isinstance(given, list):
        source.data["sellers"] = given or [{"name": "unknown"}]  # say no more than is known
        return problems
    from ..agents import catalogue  # reads files: only where it is asked for

    book = catalogue.load(wanted["name"])
    drawn = catalogue.sellers(
        book, wanted.get("models", "all"), wanted.get("missing", "estimate")
    )  # fmt: skip
    source.data["catalogue"] = wanted["name"]
    source.data["sellers"] = _merge(drawn, given, source.lines)
    return []


def _named(name: str, source: Source) -> Problem:
    """Say what to write where a catalogue is only named, and nothing is sold."""
    from ..agents import catalogue

    known = catalogue.catalogues()
    if name in known:
        hint = f'to sell its models write catalogue = {{name = "{name}", models = "all"}}'
        return source.problem("W104", ("sellers",), "`sellers` is missing", hint=hint)
    hint = did_you_mean(name, known) or f"catalogues: {', '.join(known)}"
    return source.problem("W112", ("catalogue",), f"{shown(name)} is no catalogue", hint=hint)


def _wrong(wanted: dict[str, Any], source: Source) -> Iterator[Problem]:
    """Yield what is wrong with the table `catalogue`."""
    for code, path, message, hint in _faults(wanted):
        where = ("catalogue", *path)
        yield source.problem(code, where, message, entry_at(where), hint)


def _faults(wanted: dict[str, Any]) -> Iterator[tuple[str, Path, str, str]]:
    """Yield (code, place in the table, message, hint)."""
    from ..agents import catalogue

    keys = list(Selection.model_fields)
    for key in wanted:
        if key not in keys:
            hint = did_you_mean(key, keys) or f"known keys: {', '.join(keys)}"
            yield "W101", (key,), f"unknown key `{plain(key)}`", hint
    missing, entry = wanted.get("missing", "estimate"), entry_at(("catalogue", "missing"))
    if entry is not None and missing not in entry.words:
        hint = did_you_mean(missing, entry.words)
        yield "W105", ("missing",), f"{shown(missing)} is not one of the choices", hint
    name, models = wanted.get("name"), wanted.get("models", "all")
    known = catalogue.catalogues()
    if name is None:
        yield "W104", ("name",), "`name` is missing", f"catalogues: {', '.join(known)}"
    elif name not in known:
        hint = did_you_mean(name, known) or f"catalogues: {', '.join(known)}"
        yield "W112", ("name",), f"{shown(name)} is no catalogue", hint
    elif models != "all" and (not isinstance(models, list) or not models):
        yield "W102", ("models",), f'{shown(models)} is neither "all" nor a list of names', ""
    elif models != "all":
        sold = list(catalogue.load(name).models)
        for i, model in enumerate(models):
            if model not in sold:
                message = f"{shown(model)} is no model of {name}"
                yield "W112", ("models", i), message, did_you_mean(model, sold)
            elif model in models[:i]:
                yield "W109", ("models", i), f"{shown(model)} is listed twice", ""


def _merge(
    drawn: list[dict[str, Any]], given: list[Any], lines: dict[Path, int]
) -> list[Any]:  # fmt: skip
    """Return the catalogue's sellers, changed where the file says so, then the file's own.

    `lines` is changed to the new positions in the list.
    """
    position = {seller["name"]: i for i, seller in enumerate(drawn)}
    out: list[Any] = list(drawn)
    moved: dict[Any, int] = {}
    for i, seller in enumerate(given):
        name = seller.get("name") if isinstance(seller, dict) else None
        at = position.pop(name, None) if isinstance(name, str) else None
        if at is None:
            at = len(out)
            out.append(seller)
        else:
            out[at] = {**out[at], **seller}
        moved[i] = at
    before = {path: line for path, line in lines.items() if path[0] == "sellers" and len(path) > 1}
    for path in before:
        del lines[path]
    lines.update({("sellers", i): lines.get(("catalogue",), 1) for i in range(len(drawn))})
    lines.update({("sellers", moved[p[1]], *p[2:]): n for p, n in before.items() if p[1] in moved})
    return out
