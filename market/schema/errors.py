"""What is wrong with a spec or a scenario file, said the way a compiler says it.

Codes never change their meaning; new ones are added at the end. W208, a warm-up as long as the
run, has become an error of kind W106.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

CODES = {
    "W100": "the file cannot be read",
    "W101": "unknown key",
    "W102": "a value of the wrong type",
    "W103": "a number out of range",
    "W104": "something required is missing",
    "W105": "not one of the choices",
    "W106": "fields that contradict each other",
    "W107": "not TOML",
    "W108": "a number that is not finite",
    "W109": "a name that is not allowed",
    "W110": "a trace is not there",
    "W111": "a trace lacks a column",
    "W112": "unknown catalogue or model",
    "W113": "an override that fits nothing",
    "W114": "too large or nested too deep",
    "W115": "a text or list of the wrong length",
    "W116": "unknown strategy",
    "W201": "a dominated offer",
    "W202": "a deadline that no offer can meet",
    "W203": "a task class that no seller serves",
    "W204": "a captive load beyond capacity",
    "W205": "a total load beyond capacity",
    "W206": "a memory of quotes shorter than the queue's relaxation time",
    "W207": "a warm-up shorter than the queue's relaxation time",
    "W209": "a price below unit cost",
    "W210": "a horizon with too few tasks",
    "W211": "more offers considered than there are",
    "W212": "an epoch longer than the run",
    "W213": "a seller that can never sell",
    "W214": "priorities that no seller honours",
    "W215": "more tasks than can be simulated",
    "W216": "an event or an entry after the end of the run",
    "W217": "a catalogue that is not here",
    "W218": "more price decisions than can be simulated",
    "W219": "a penalty without a promise to break",
    "W220": "a promise beyond any deadline",
    "W221": "a session that most bids don't live to see",
    "W222": "a quality tier that no offer reaches",
    "W223": "quotes that can never meet",
    "W224": "a captive class in a double auction",
    "W225": "refunds and penalties that no ask covers",
    "W226": "a list of offers in a double auction",
    "W227": "more sessions than can be simulated",
    "W228": "more bids than can trade",
    "W231": "a contract that nobody gains by",
    "W232": "customers without a contract to choose",
    "W233": "a run that is no whole number of contract periods",
    "W234": "an asynchronous tier that is served in line",
    "W235": "a contract that nobody can use",
    "W236": "a contract's time that no answer meets",
    "W237": "a contract period with less than a task a customer",
    "W238": "more contract periods than can be simulated",
    "W241": "a ranking that no buyer notices",
    "W242": "a bid for position where none is sold",
    "W243": "a bid for position above what a sale earns",
    "W244": "a search cost at which nobody looks",
    "W245": "a ranking by rating that is never renewed",
    "W246": "more rankings than can be simulated",
    "W247": "a rating that one answer can ruin",
    "W251": "talks that last longer than any deadline",
    "W261": "a price that moves and that nobody reads",
    "W262": "equilibrium bids without private costs",
    "W263": "a number of bidders that is not there",
    "W264": "a call that lasts longer than any deadline",
    "W265": "a call that ends before the seller's bid is there",
    "W266": "a reserve that no bid meets",
    "W267": "a reserve that never binds",
    "W268": "an announced score that no bid brings above doing without",
    "W269": "a promise that costs nothing to break, in an auction",
}
"""Every code and what it is about: W1xx are errors, W2xx warnings."""

_LONGEST = 60


@dataclass(frozen=True)
class Problem:
    """One error or warning.

    Attributes:
        code: a key of `CODES`.
        message: what is wrong, in one line.
        file: the file, or the option (`--set ...`) it comes from.
        line: line in the file, from 1; None where there is none.
        field: dotted place in the scenario, e.g. `tasks.chat.value`; empty for the whole file.
        unit: unit of the field in words; empty if it has none.
        allowed: allowed range or choices in words; empty if anything goes.
        example: something that could stand there, as TOML.
        hint: what to do, e.g. "did you mean `deadline`?".
    """

    code: str
    message: str
    file: str = ""
    line: int | None = None
    field: str = ""
    unit: str = ""
    allowed: str = ""
    example: str = ""
    hint: str = ""

    @property
    def severity(self) -> str:
        """`error` or `warning`."""
        return "warning" if self.code >= "W2" else "error"

    @property
    def notes(self) -> list[str]:
        """The lines below the message: hint, then field, unit, range and example."""
        facts = [("field", self.field), ("unit", self.unit), ("allowed", self.allowed),
                 ("example", self.example)]  # fmt: skip
        told = "; ".join(f"{name}: {text}" for name, text in facts if text)
        return [note for note in (self.hint, told if self.severity == "error" else "") if note]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for `--json`."""
        return {"severity": self.severity, **asdict(self)}


class BadInputError(ValueError):
    r"""Input that cannot be used; `problems` holds all errors at once.

    Example:
        >>> error = BadInputError([Problem("W100", "no such file", file="my.toml")])
        >>> str(error)
        'error[W100]: no such file\n  --> my.toml'
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        # The argument is what made it: SimPy and pickle make errors anew from their arguments.
        super().__init__(self.problems)

    def __str__(self) -> str:
        return render(self.problems)


def errors_in(problems: Iterable[Problem]) -> list[Problem]:
    """Return only the errors among problems."""
    return [p for p in problems if p.severity == "error"]


def shown(value: object) -> str:
    r"""Return a value as it may be printed: on one line, short, without control characters.

    Texts come from files of unknown origin: an escape sequence must not reach the terminal.

    Example:
        >>> shown("red\x1b[31m"), shown(10**30)
        ('"red\\x1b[31m"', '1e+30')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**16 else _large(value)
    if isinstance(value, str):
        return f'"{plain(value)}"'
    if isinstance(value, (dict, list, tuple)):
        return "a table" if isinstance(value, dict) else "a list"
    return f"{value:g}" if isinstance(value, float) else plain(repr(value))


def _large(value: int) -> str:
    if value.bit_length() > 1000:
        return "a number of hundreds of digits"
    return f"{float(value):.3g}"


def plain(text: str, longest: int = _LONGEST) -> str:
    """Return a text cut to at most 60 characters, everything unprintable escaped."""
    return _escaped(text if len(text) <= longest else text[: longest - 1] + "…")


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return "did you mean `deadline`?", or the empty text if nothing is close.

    Example:
        >>> did_you_mean("dedline", ["deadline", "value"])
        'did you mean `deadline`?'
    """
    if not isinstance(word, str) or len(word) > _LONGEST:
        return ""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean `{plain(names[close[0]])}`?" if close else ""


def render(problems: Iterable[Problem]) -> str:
    """Return problems as text, errors first, in the order of the file."""
    return "\n".join("".join(text for text, _ in styled(p)) for p in ordered(problems))


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems: errors before warnings, then by file and line."""
    return sorted(problems, key=lambda p: (p.code >= "W2", p.file, p.line or 0, p.code))


def styled(problem: Problem) -> list[tuple[str, str]]:
    """Return one problem as pieces of text with the style of each, for terminals with colours."""
    style = "bold red" if problem.severity == "error" else "bold yellow"
    pieces = [(f"{problem.severity}[{problem.code}]", style), (f": {problem.message}", "bold")]
    if problem.file:
        where = plain(problem.file) + (f":{problem.line}" if problem.line else "")
        pieces += [("\n  --> ", "blue"), (where, "")]
    for note in problem.notes:
        pieces += [("\n   = ", "blue"), (note, "")]
    return [(text[:1] + _escaped(text[1:]), look) for text, look in pieces]
