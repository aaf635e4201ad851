"""A scenario as a file to start from: each field with its meaning, unit, default and range."""

from __future__ import annotations

import json
import math
import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..market.schema.entries import Entry, fields_of, kinds_of
from .explain import explained
from .load import data_of_file
from .schema import ROOT, Selection, entry_at

_TABLES = ("run", "quotes", "platform")
_LISTS = ("tasks", "sellers", "events")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 98


def starter(source: str | os.PathLike[str], name: str, folder: Path) -> str:
    """Return the text of a scenario like another, every field explained.

    Args:
        source: a scenario's name or file.
        name: of the new one.
        folder: where its file will be; traces beside the source are named from there.

    Raises:
        BadInputError: there is no such scenario, or its text is not TOML.

    Example:
        >>> 'name = "mine"' in starter("mm1", "mine", Path()).splitlines()
        True
    """
    data, _, path = data_of_file(source)
    if isinstance(data.get("tasks"), list):
        _relocate(data["tasks"], path.parent, folder)
    writer = _Writer()
    head = [
        f"# A scenario for walras, begun from {Path(source).name}.",
        "# `#:` explains what follows; `# key = value` is a default or an example: take the # away",
        "# to set it. `walras validate` checks the file, `walras explain FIELD` tells more.", "",
    ]  # fmt: skip
    body = [*writer.top({**data, "name": name}), *writer.tables(data), *writer.lists(data)]
    return "\n".join([*head, *body]) + "\n"


def _relocate(tasks: list[Any], source: Path, folder: Path) -> None:
    """Let traces that stand beside the source be found from another folder."""
    for task in tasks:
        arrivals = task.get("arrivals") if isinstance(task, dict) else None
        if not isinstance(arrivals, dict):
            continue
        file = arrivals.get("file")
        if isinstance(file, str) and not Path(file).is_absolute() and (source / file).is_file():
            arrivals["file"] = os.path.relpath(source / file, folder)


class _Writer:
    """Writes parts of a scenario; what has been explained once is not again."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def top(self, data: Mapping[str, Any]) -> Iterator[str]:
        """Yield what stands in no table."""
        entries = fields_of(ROOT.models[0])
        for name, entry in entries.items():
            if name in (*_TABLES, *_LISTS):
                continue
            if name == "catalogue" and isinstance(data.get(name), dict):
                yield from self._doc("", name, entry, None)
                for key, part in fields_of(Selection).items():
                    yield from _wrapped(f"  {key}: {_said(key, part)}")
                yield f"catalogue = {_toml(data[name])}"
            else:
                yield from self._field("", name, entry, data)

    def tables(self, data: Mapping[str, Any]) -> Iterator[str]:
        """Yield tables of which there is one."""
        for name in _TABLES:
            entry = entry_at((name,))
            given = data.get(name, {})
            if entry is None or not isinstance(given, dict):
                continue
            yield from ("", f"#: {entry.doc}", f"[{name}]")
            for key, field in fields_of(entry.models[0]).items():
                yield from self._field(name, key, field, given)

    def lists(self, data: Mapping[str, Any]) -> Iterator[str]:
        """Yield tables of which there may be several: all fields of the first, then those given."""
        for name in _LISTS:
            items = data.get(name, [])
            entry = entry_at((name, 0))
            for item in items if isinstance(items, list) else ():
                if entry is None or not isinstance(item, dict):
                    continue
                model = entry.kinds.get(str(item.get("kind")), entry.models[0])
                yield from ("", f"[[{name}]]")
                if kinds_of(model):
                    yield f"kind = {_toml(item.get('kind'))}"
                first = (name, f"*{model.__name__}") not in self._told
                self._told.add((name, f"*{model.__name__}"))
                fields = fields_of(model).items()
                for key, field in fields:
                    if key != "kind" and (first or key in item):
                        yield from self._field(name, key, field, item)

    def _field(self, part: str, name: str, entry: Entry, data: Mapping[str, Any]) -> Iterator[str]:
        """Yield a field and what it means: as given, or as a comment."""
        value = data.get(name)
        yield from self._doc(part, name, entry, value)
        if name in data:
            yield f"{name} = {_toml(value)}"
        elif shown := _default(entry):
            yield f"# {name} = {shown}"

    def _doc(self, part: str, name: str, entry: Entry, value: Any) -> Iterator[str]:
        """Yield what a field means, once, and what the fields of its kind mean."""
        if (part, name) not in self._told:
            self._told.add((part, name))
            yield from _wrapped(_said(name, entry))
        kind = str(value.get("kind", "")) if isinstance(value, dict) else ""
        alone = entry.models[0] if len(entry.models) == 1 and not entry.kinds else None
        model, kind = (alone, name) if alone is not None else (entry.kinds.get(kind), kind)
        if model is not None and (f"{part}.{name}", kind) not in self._told:
            self._told.add((f"{part}.{name}", kind))
            for key, field in fields_of(model, entry.unit, entry.lasts).items():
                if key != "kind":
                    yield from _wrapped(f"  {kind}.{key}: {_said(key, field)}")


def _said(name: str, entry: Entry) -> str:
    """Return meaning, unit, default and range of a field on one line."""
    told = explained(name, entry)
    default = f"default {told.default}" if told.default and not entry.required else ""
    parts = (told.meaning, told.unit, "required" if entry.required else default, told.allowed)
    return "; ".join(part for part in parts if part)


def _wrapped(text: str) -> list[str]:
    inner = " " * (4 + len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text, _WIDTH, initial_indent=f"#: {text[: len(text) - len(text.lstrip())]}",
        subsequent_indent=f"#: {inner}", break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _default(entry: Entry) -> str:
    """Return a field's default as TOML, or an example; "" where there is none to show."""
    value = entry.default
    if value == {} and len(entry.models) == 1:
        shown = {key: _default(field) for key, field in fields_of(entry.models[0]).items()}
        return f"{{ {', '.join(f'{key} = {text}' for key, text in shown.items() if text)} }}"
    if entry.required or value is None or value in ("", (), {}):
        return entry.example
    if isinstance(value, float) and math.isinf(value):
        return '"unlimited"'
    return _toml(value) if isinstance(value, str | int | float | dict) else entry.example


def _toml(value: Any) -> str:
    """Return a value as TOML in one line.

    Example:
        >>> _toml({"kind": "poisson", "rate": 1.0, "a.b": [True, "é"]})
        '{ kind = "poisson", rate = 1.0, "a.b" = [true, "é"] }'
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else str(value).replace("nan", '"nan"')
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _toml(name)
