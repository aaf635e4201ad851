"""What a page asks for: a scenario, what is changed in it, and how to draw it.

It comes from outside, so every part of it is checked; its texts are those of the command line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...market.schema.errors import BadInputError, Problem, did_you_mean, plain
from ...market.schema.market import Market
from ...scenarios.load import Loaded, read
from ...scenarios.overrides import parse
from ..equilibrium.response import at_prices, reasoners

FACTORS = (0.1, 10.0)
"""Least and greatest factor on the prices of sellers of thinking."""
_MOST, _LONGEST = 200, 2_000  # changes, and letters of each
_HIGHEST = 2**63 - 1  # seed


@dataclass(frozen=True)
class Asked:
    """What a page shows.

    Attributes:
        scenario: its name, one of those that the dashboard was started with.
        changes: what is changed in it, each as `--set` takes it.
        reasoning: factor on the prices of all sellers who let buyers pay for thinking.
        seed: of the event market.
        task: name of the task class that the maps show; the first one when empty.
        dark: whether the page is dark.
    """

    scenario: str
    changes: tuple[str, ...] = ()
    reasoning: float = 1.0
    seed: int = 0
    task: str = ""
    dark: bool = False

    @property
    def market(self) -> tuple[str, tuple[str, ...], float, int]:
        """What the event market hangs on: it starts anew when this changes."""
        return self.scenario, self.changes, self.reasoning, self.seed


def asked_of(message: Mapping[str, Any], known: Sequence[str]) -> Asked:
    """Read what a page asks for.

    Args:
        message: `scenario`, `set`, `reasoning`, `seed`, `task`, `dark`; all but the first may be
            absent.
        known: the scenarios there are.

    Raises:
        BadInputError: something of it is not what it must be.

    Example:
        >>> asked_of({"scenario": "mm1", "set": ["run.until=2 h"]}, ["mm1"]).changes
        ('run.until=2 h',)
    """
    scenario, task = (_text(message.get(name, ""), name) for name in ("scenario", "task"))
    if scenario not in known:
        raise _wrong("scenario", f'no scenario here is called "{plain(scenario)}"',
                     did_you_mean(scenario, known))  # fmt: skip
    changes = message.get("set", [])
    if not isinstance(changes, list) or len(changes) > _MOST:
        raise _wrong("set", f"give at most {_MOST} changes, each a text")
    reasoning = _number(message.get("reasoning", 1.0), "reasoning", *FACTORS)
    seed = str(message.get("seed", "0"))  # as text: a page's numbers do not hold all of them
    if not re.fullmatch(r"[0-9]{1,19}", seed) or int(seed) > _HIGHEST:
        raise _wrong("seed", f"give a whole number from 0 to {_HIGHEST:,}")
    return Asked(
        scenario, tuple(_change(c) for c in changes), reasoning, int(seed), task,
        message.get("dark", False) is True,
    )  # fmt: skip


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise _wrong(name, f"give a text of at most {_LONGEST:,} letters")
    return value


def _number(value: Any, name: str, low: float, high: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise _wrong(name, f"give a number from {low:g} to {high:g}")
    return float(value)


def _change(value: Any) -> str:
    """Return one change; which files are read is not for a page to say."""
    text = _text(value, "set")
    found = parse(text)
    if found.dotted.rpartition(".")[2].strip('"') == "file" or _names_file(found.value):
        raise _wrong(found.dotted, "a page cannot name the file of a trace; write it in a scenario")
    return text


def _names_file(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "file" in value or any(_names_file(v) for v in value.values())
    return isinstance(value, list) and any(_names_file(v) for v in value)


def _wrong(field: str, message: str, hint: str = "") -> BadInputError:
    return BadInputError([Problem("W105", message, field=plain(field), hint=hint)])


def stamp(target: str) -> str:
    """Return a text that changes with a scenario's file; none for those of the library."""
    try:
        found = Path(target).stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_mtime_ns} {found.st_size}"


def loaded(target: str, changes: tuple[str, ...]) -> Loaded:
    """Return a scenario's file with changes, as `read` does; the last ones are kept."""
    return _loaded(target, changes, stamp(target))


@lru_cache(maxsize=16)
def _loaded(target: str, changes: tuple[str, ...], _stamp: str) -> Loaded:
    return read(target, changes)


def market_of(asked: Asked, targets: Mapping[str, str]) -> Market:
    """Return the market that is asked for.

    Args:
        asked: what a page shows.
        targets: file, or name in the library, of each scenario.

    Raises:
        BadInputError: all that is wrong with it.
    """
    market = loaded(targets[asked.scenario], asked.changes).require()
    return market if asked.reasoning == 1.0 else at_prices(market, asked.reasoning)


def options(asked: Asked, market: Market) -> list[str]:
    """Return the options with which `walras run` simulates what is asked for.

    The price of reasoning is written out, seller by seller.

    Example:
        >>> options(Asked("mm1", ("run.until=2 h",), seed=3), None)
        ['--set', 'run.until=2 h', '--seed', '3']
    """
    listed = [*asked.changes]
    if asked.reasoning != 1.0:
        names = set(reasoners(market))
        for seller in market.sellers:
            if seller.name in names:
                price = seller.price
                parts = {"input": price.input, "output": price.output} if price.by_token else {
                    "task": price.task}  # fmt: skip
                listed += [
                    f"sellers.{seller.name}.price.{part}={value:.10g}"
                    for part, value in parts.items() if value
                ]  # fmt: skip
    told = [x for change in listed for x in ("--set", change)]
    return [*told, "--seed", str(asked.seed)] if asked.seed else told
