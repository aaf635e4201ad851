"""Sellers drawn from a catalogue: `catalogue = {name = "march-2025", models = "all"}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .errors import Problem, did_you_mean, plain, shown
from .faults import Source
from .lines import Path

_KEYS = ("name", "models")


def expand(source: Source) -> list[Problem]:
    """Replace the table `catalogue` in the data by its name, and put its sellers into `sellers`.

    A seller of the file that has the name of a model changes the fields it gives and keeps the
    rest; others come after the catalogue's. A plain name only records where sellers came from.
    """
    wanted = source.data.get("catalogue")
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
    drawn = catalogue.sellers(book, wanted.get("models", "all"))
    source.data["catalogue"] = wanted["name"]
    source.data["sellers"] = _merge(drawn, given, source.lines)
    return []


def _wrong(wanted: dict[str, Any], source: Source) -> Iterator[Problem]:
    from ..agents import catalogue

    for key in wanted:
        if key not in _KEYS:
            yield _problem("W101", ("catalogue", key), f"unknown key `{plain(key)}`", source, key, _KEYS)
    name, models = wanted.get("name"), wanted.get("models", "all")
    known = catalogue.catalogues()
    if name is None:
        yield _problem("W104", ("catalogue", "name"), "`name` is missing", source, "", known)
        return
    if name not in known:
        yield _problem("W112", ("catalogue", "name"), f"{shown(name)} is no catalogue", source,
                       name, known)  # fmt: skip
        return
    if models == "all":
        return
    if not isinstance(models, list) or not models:
        yield _problem("W102", ("catalogue", "models"), f'{shown(models)} is neither "all" nor a '
                       "list of names", source, "", [])  # fmt: skip
        return
    sold = list(catalogue.load(name).models)
    for i, model in enumerate(models):
        if model not in sold:
            yield _problem("W112", ("catalogue", "models", i), f"{shown(model)} is no model of "
                           f"{name}", source, model, sold)  # fmt: skip
        elif model in models[:i]:
            yield _problem("W109", ("catalogue", "models", i), f"{shown(model)} is listed twice",
                           source, "", [])  # fmt: skip


def _problem(
    code: str, path: Path, message: str, source: Source, word: object, known: Any
) -> Problem:
    hint = did_you_mean(word, known)
    if not hint and known and code in ("W101", "W104", "W112") and len(known) < 12:
        hint = f"known: {', '.join(known)}"
    return source.problem(code, path, message, hint=hint)


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
