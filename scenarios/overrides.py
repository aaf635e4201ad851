"""`--set sellers.deep.price.output=3`: changes to a scenario's data, one dotted path each."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..market.schema.entries import Entry, Path, Step, belongs
from ..market.schema.errors import BadInputError, Problem, did_you_mean, plain
from .lines import TooDeepError, find_lines
from .schema import entry_at


@dataclass(frozen=True)
class Override:
    """One override: the option as typed, its dotted path and its value."""

    option: str
    dotted: str
    value: Any


def parse(text: str) -> Override:
    """Read `path=value`; the value is TOML, a bare word is a text.

    Raises:
        BadInputError: no `=`, or no path before it.

    Example:
        >>> parse("run.until=2 h").value, parse("sellers.deep.slots=8").value
        ('2 h', 8)
    """
    option = f"--set {plain(text)}"
    dotted, equals, value = text.partition("=")
    if not equals or not dotted.strip(" ."):
        raise BadInputError([Problem(
            "W113", f"`{plain(text)}` is not of the form path=value", file=option,
            field=plain(dotted), hint="write for example --set run.until=2h",
        )])  # fmt: skip
    return Override(option, dotted.strip(), _value(value.strip(), option))


def _value(text: str, option: str) -> Any:
    try:
        find_lines(f"v = {text}")  # refuses deep nesting before the parser meets it
        data = tomllib.loads(f"v = {text}")
    except (ValueError, RecursionError) as error:
        if isinstance(error, TooDeepError):
            raise BadInputError([
                Problem("W114", str(error), file=option, field=option.partition("=")[0])
            ]) from None  # fmt: skip
        return text
    return data["v"] if len(data) == 1 else text


def apply(data: dict[str, Any], override: Override) -> Path:
    """Change `data` in place and return the path that was set.

    Items of lists go by their name, or by their number counted from 1. A name that stands for a
    table (`mechanism = "vickrey"`) becomes that table when something inside it is set.

    Raises:
        BadInputError: the path names nothing that a scenario has.
    """
    here: Any = data
    path: Path = ()
    rest = override.dotted.split(".")
    while rest:
        step, rest = _next(here, path, rest, data, override)
        path = (*path, step)
        if not rest:
            break
        if isinstance(here, dict):
            here[step] = _opened(here.get(step, {}), path)
        here = here[step]
    here[path[-1]] = override.value
    return path


def _opened(value: Any, path: Path) -> Any:
    """Return the table that a bare name stands for; anything else as it is."""
    entry = entry_at(path) if isinstance(value, str) else None
    if entry is None:
        return value
    if "_strategy" in entry.notations:
        return {"name": value}
    return {"kind": value} if value in entry.kinds else value


def _next(here: Any, path: Path, rest: Sequence[str], data: Any,
          override: Override) -> tuple[Step, list[str]]:  # fmt: skip
    """Return the next step of a path and what is left of it; names may hold dots themselves."""
    if isinstance(here, list):
        return _item(here, rest, override)
    if not isinstance(here, dict):
        raise _nowhere(override, rest, "goes inside a single value; set that whole")
    for end in range(len(rest), 0, -1):
        key = ".".join(rest[:end])
        if key in here:
            return key, list(rest[end:])
    entry = entry_at((*path, rest[0]), data)
    around = entry_at(path, data)
    if entry is None and not _free(around):
        known = [n for m in (around.models if around else []) for n in m.model_fields]
        hint = did_you_mean(rest[0], known) or belongs(entry_at(path), rest[:1])
        hint = hint or f"known here: {', '.join(known)}"
        raise _nowhere(override, rest, "names nothing that a scenario has", hint)
    if around is not None and not around.models and len(rest) > 1 and _leaf(entry):
        return ".".join(rest), []  # a name with dots as key of a table such as accuracy
    return rest[0], list(rest[1:])


def _item(
    here: list[Any], rest: Sequence[str], override: Override
) -> tuple[Step, list[str]]:  # fmt: skip
    names = [item.get("name") if isinstance(item, dict) else None for item in here]
    for end in range(len(rest), 0, -1):
        name = ".".join(rest[:end])
        if name in names:
            return names.index(name), list(rest[end:])
    if (
        rest[0].isascii()
        and rest[0].isdigit()
        and len(rest[0]) < 8
        and 1 <= int(rest[0]) <= len(here)
    ):
        return int(rest[0]) - 1, list(rest[1:])
    known = [n for n in names if isinstance(n, str)]
    hint = did_you_mean(rest[0], known) or f"known here: {', '.join(plain(n) for n in known[:12])}"
    raise _nowhere(override, rest, "is not in the list", hint)


def _free(around: Entry | None) -> bool:
    """Whether any key may stand in a table, as in a strategy's parameters."""
    return around is not None and bool(around.types) and not around.models


def _leaf(entry: Entry | None) -> bool:
    return entry is None or not entry.models


def _nowhere(
    override: Override, rest: Sequence[str], message: str, hint: str = ""
) -> BadInputError:  # fmt: skip
    """Return the error for a path of which `rest` is left; it shows all before and one step."""
    typed = override.dotted.split(".")
    label = plain(".".join(typed[: len(typed) - len(rest) + 1]))
    return BadInputError([
        Problem("W113", f"`{label}` {message}", file=override.option, field=label, hint=hint)
    ])  # fmt: skip
