"""From what a validator says to what a person can act on: place, line, unit, range, suggestion.

The same for a value in a scenario file and for one given to a class in Python.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from .entries import Entry, Path, Step, belongs, below, descend, narrow, step_into
from .errors import BadInputError, Problem, did_you_mean, plain, shown
from .wording import LONGEST_NAME, NAME_PATTERN

_SINGULAR = {"tasks": "task", "sellers": "seller", "events": "event"}
_TYPES = {
    "float": "a number", "int": "a whole number", "bool": "true or false", "string": "a text",
    "tuple": "a list", "dict": "a table", "model": "a table",
}  # fmt: skip
_TWO_FIELDS = re.compile(r"(\w+)\.(\w+) ")
_CODES = {
    "missing": "W104", "extra_forbidden": "W101", "union_tag_invalid": "W105",
    "union_tag_not_found": "W104", "literal_error": "W105", "finite_number": "W108",
    "string_pattern_mismatch": "W109", "too_short": "W115", "too_long": "W115",
    "string_too_long": "W115", "greater_than": "W103", "greater_than_equal": "W103",
    "less_than": "W103", "less_than_equal": "W103",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where the data of a spec come from, for pointing at places in them.

    Attributes:
        data: the data, overrides applied.
        file: name of the file as shown; of data given in Python what was to be made of them.
        lines: lines of the file by path.
        overrides: overridden places, and the option that did it.
        python: whether the data were given in Python.
    """

    data: Any
    file: str = ""
    lines: dict[Path, int] = field(default_factory=dict)
    overrides: dict[Path, str] = field(default_factory=dict)
    python: bool = False

    def at(self, path: Sequence[Step]) -> Any:
        """Return the value at a path, None where there is none."""
        here = self.data
        for step in path:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return None
        return here

    def label(self, path: Path) -> str:
        """Return the dotted name of a place, e.g. `tasks.chat.value`."""
        parts = []
        for i, step in enumerate(path):
            name = _name_of(self.at(path[: i + 1])) if isinstance(step, int) else step
            parts.append(plain(str(step + 1 if name is None else name)))  # type: ignore[operator]
        return ".".join(parts)

    def problem(self, code: str, path: Path, message: str, entry: Entry | None = None,
                hint: str = "") -> Problem:  # fmt: skip
        """Return a problem at a place, with all that is known of the place.

        The message is put after the name of the place, unless it holds a name in backticks.
        """
        item, rest = self._item(path)
        steps = [step + 1 if isinstance(step, int) else step for step in rest]
        about = ".".join(plain(str(step)) for step in steps) if "`" not in message else ""
        glue = "" if not about or message[:1] == ":" else " "
        message = message if about else message.removeprefix(": ")
        return replace(
            self.remark(code, path, f"{item}{about}{glue}{message}"),
            unit=entry.unit_in_words if entry else "", allowed=entry.range if entry else "",
            example=(entry.example or _default(entry)) if entry else "", hint=hint,
        )  # fmt: skip

    def remark(self, code: str, path: Path, message: str) -> Problem:
        """Return a problem at a place in the words given."""
        override = next((o for p, o in self.overrides.items() if path[: len(p)] == p), None)
        return Problem(
            code, message, file=override or self.file,
            line=None if override else self.line_of(path), field=self.label(path),
        )  # fmt: skip

    def line_of(self, path: Path) -> int | None:
        """Return the line of a place, or of the nearest thing around it that has one."""
        around = (path[:end] for end in range(len(path), 0, -1))
        return next((self.lines[place] for place in around if place in self.lines), None)

    def _item(self, path: Path) -> tuple[str, Path]:
        """Split a path into `task 1 "chat": ` and what comes after."""
        if len(path) < 2 or path[0] not in _SINGULAR or not isinstance(path[1], int):
            return "", path
        name = _name_of(self.at(path[:2]))
        quoted = f" {shown(name)}" if name is not None else ""
        return f"{_SINGULAR[str(path[0])]} {path[1] + 1}{quoted}: ", path[2:]


def _name_of(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else getattr(item, "name", None)
    return name if isinstance(name, str) else None


def _default(entry: Entry) -> str:
    if isinstance(entry.default, (bool, int, float, str)) and entry.default != "":
        return shown(entry.default)
    return ""


def bad_input(
    error: ValidationError, kind: type[Any], given: dict[str, Any]
) -> BadInputError:  # fmt: skip
    """Return what to raise when an object of a class cannot be made of what was given.

    Args:
        error: what pydantic says.
        kind: the class.
        given: the values by name.
    """
    name = _name_of(given)
    what = kind.__name__ if name is None else f"{kind.__name__} {shown(name)}"
    source = Source(given, what, python=True)
    found: dict[Path, Problem] = {}
    for path, problem in from_validation(error, source, Entry(path=(), types=(kind,))):
        found.setdefault(path, problem)
    return BadInputError(list(found.values()))


def from_validation(
    error: ValidationError, source: Source, root: Entry, at: Path = ()
) -> Iterator[tuple[Path, Problem]]:
    """Yield (place, problem) for each error pydantic found.

    Args:
        error: what pydantic says.
        source: the data.
        root: the entry that was validated.
        at: its place in the data.
    """
    faults = error.errors(include_url=False)
    around = {fault["loc"][:n] for fault in faults for n in range(len(fault["loc"]))}
    for fault in faults:
        if fault["type"] == "callable_type":
            continue  # the alternative to data that only Python code can use
        if fault["type"] == "too_short" and fault["loc"] in around:
            continue  # only because entries are wrong
        rest, entry = _place(fault["loc"], source.at(at), root, fault["type"] == "extra_forbidden")
        path = (*at, *rest)
        kind = fault["type"]
        if not path:  # fields of the whole market that contradict each other: point at the first
            named = _TWO_FIELDS.match(str(fault.get("ctx", {}).get("error", "")))
            path = named.groups() if named else path
        if kind == "extra_forbidden":
            yield path, _unknown_key(path, entry, source, root, at)
        elif kind == "missing" and path[-1] != fault["loc"][-1]:
            # A word for a table that needs more: choice = "logit" lacks choice.scale.
            lacking = ".".join(plain(str(step)) for step in (path[-1], fault["loc"][-1]))
            yield path, source.problem("W104", path, f"`{lacking}` is missing", entry)
        elif kind in {"missing", "union_tag_not_found"}:
            untold = kind == "union_tag_not_found"
            name = "kind" if untold else str(path[-1])
            given = source.at(path)
            hint = belongs(entry, given) if untold and isinstance(given, dict) else ""
            yield path, source.problem("W104", path, f"`{name}` is missing", entry, hint)
        else:
            code, message, hint = _say(fault, path, entry, source)
            if fault["loc"][-1:] == ("[key]",):  # the name, not what stands under it
                entry = Entry(path, types=(str,), limits={"pattern": NAME_PATTERN})
            if code == "W106":
                path, entry, message = _first_named(path, message, source, root, at)
            yield path, source.problem(code, path, message, entry, hint)


def _first_named(
    path: Path, message: str, source: Source, root: Entry, at: Path
) -> tuple[Path, Entry | None, str]:
    """Point at the first of several fields that contradict each other, if the message names it."""
    entry = descend(root, path[len(at) :], source.at(at))
    if not isinstance(source.at(path), dict):  # one value, such as `run.warmup`
        return path, entry, message
    word, _, rest = message.removeprefix(": ").partition(" ")
    found = step_into(entry, word) if entry is not None and (path or source.python) else None
    one = found is not None and (not found.models or found.kinds)
    return ((*path, word), found, rest) if one else (path, None, message)


def _place(loc: Sequence[Step], data: Any, root: Entry, keyed: bool) -> tuple[Path, Entry | None]:
    """Return the place in the data that pydantic's `loc` names, and its entry in the schema.

    A `loc` also holds tags of unions, and fields of the table a short notation stands for;
    `keyed` says that its last step is a key of the file.
    """
    path: Path = ()
    entry: Entry | None = root
    here = data
    for i, step in enumerate(loc):
        if entry is not None and len(entry.models) > 1 and step in entry.kinds:
            entry = replace(entry, types=(entry.kinds[str(step)],))
            continue
        last = i == len(loc) - 1
        if _is_marker(step) and not _has(here, step) and not (last and keyed):
            continue
        inside = isinstance(here, (dict, list, tuple))
        if inside and (_has(here, step) or last):
            path, here = (*path, step), (here[step] if _has(here, step) else None)
        entry = step_into(entry, step) if entry is not None else None
    return path, narrow(entry, here) if entry is not None else None


def _is_marker(step: Step) -> bool:
    return isinstance(step, str) and (
        step in ("callable", "Named", "[key]") or step.startswith("tagged-union[")
    )


def _has(here: Any, step: Step) -> bool:
    if isinstance(here, dict):
        return step in here
    return isinstance(here, (list, tuple)) and isinstance(step, int) and step < len(here)


def _unknown_key(
    path: Path, entry: Entry | None, source: Source, root: Entry, at: Path
) -> Problem:  # fmt: skip
    key = str(path[-1])
    around = descend(root, path[len(at) : -1], source.at(at))
    known = [name for model in (around.models if around else []) for name in model.model_fields]
    wide = _of_any_kind(path[len(at) : -1], source.at(at), root)
    hint = did_you_mean(key, known) or belongs(wide, [key])
    if not hint:
        homes = {
            str(e.path[0])
            for _, e in below(root)
            if e.path[-1] == key and len(e.path) > len(root.path) + 1
        }
        hint = f"`{key}` belongs to {' or '.join(sorted(homes))}" if homes else ""
    if not hint and 0 < len(known) <= 12:
        hint = f"known keys: {', '.join(known)}"
    return source.problem("W101", path, f"unknown key `{plain(key)}`", entry, hint)


def _of_any_kind(path: Path, data: Any, root: Entry) -> Entry | None:
    """Return the entry of a place whatever kind of table the data puts there."""
    if not path:
        return None
    around = descend(root, path[:-1], data)
    return step_into(around, path[-1]) if around is not None else None


def _say(fault: Mapping[str, Any], path: Path, entry: Entry | None,
         source: Source) -> tuple[str, str, str]:  # fmt: skip
    """Return code, message and hint of a fault in a value."""
    kind, value = fault["type"], source.at(path)
    code, hint = _CODES.get(kind, "W102"), ""
    told = shown(value)
    if isinstance(value, float) and not math.isfinite(value):
        code = "W108"
    elif kind == "float_type" and isinstance(value, int):
        code = "W103"  # beyond any float
    if kind == "value_error":
        said = plain(str(fault["ctx"]["error"]).replace("`", "'"), 200)
        whole = ".".join(map(str, path))
        code, message = ("W106" if isinstance(value, dict) else code), f": {said}"
        if said.startswith(f"{whole} "):
            code, message = "W106", said.removeprefix(f"{whole} ")
        elif path:
            message = f": {said.removeprefix(f'{path[-1]} ')}"
    elif code == "W105":
        word = value.get("kind") if isinstance(value, dict) else value
        hint = did_you_mean(word, [*entry.kinds, *entry.words] if entry else [])
        message = f"{shown(word)} is not one of the choices"
    elif code == "W109" and fault["loc"][-1] == "[key]":
        message = f"`{plain(str(path[-1]))}` is not a name"
    elif code == "W109" and isinstance(value, str) and len(value) > LONGEST_NAME:
        message = f"{told} is too long"
    elif code == "W102":
        message = f"{told} is not {_wanted(kind, entry, source.python)}"
    else:
        message = {
            "W103": f"{told} is out of range", "W108": f"{told} is not a finite number",
            "W109": f"{told} is not a name",
        }.get(code, "is too long" if value else "is empty")  # fmt: skip
        message = "is too short" if value and kind == "too_short" else message
    return code, message, hint


def _wanted(kind: str, entry: Entry | None, python: bool) -> str:
    """Say what a value of the wrong type should have been."""
    if entry is not None and "constant" in entry.kinds:
        return "a number or a law"
    if entry is not None and entry.unit == "probability":
        return "a probability"
    listed = step_into(entry, 0) if entry is not None and kind == "tuple_type" else None
    if listed is not None and listed.models:
        return f"a list of {_classes(listed) if python else 'tables'}"
    if entry is not None and entry.models and kind.startswith("model_"):
        return _classes(entry) if python else "a table"
    if kind == "int_from_float":
        return "a whole number"
    return _TYPES.get(kind.split("_", maxsplit=1)[0], "what belongs here")


def _classes(entry: Entry) -> str:
    return " or ".join(model.__name__ for model in entry.models)
