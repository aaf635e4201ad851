"""Makes malformed scenarios out of sound ones, the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from walras.scenarios import library

CORPUS = Path(__file__).parent / "corpus"

VALUES = [
    "0", "-1", "-0.0", "1", "2.5", "1e308", "-1e308", "1e999", "5e-324", "nan", "-nan", "inf",
    "-inf",
    "true", "false", '""', '"x"', '"5 min"', '"5 parsecs"', '"1e999 h"', '"unlimited"', '"none"',
    '"deadline"', '"replay"', '"\\u0000"', '"\\u001b[31m"', '"café 💥"', '"a/../b"', "[]", "{}",
    "[1]",
    "[1, -1]", '["a"]', "[[1]]", "{x = 1}", '{kind = "constant", value = 1}',
    '{kind = "lognormal"}',
    '{kind = "nonsense"}', "{kind = 3}", '{kind = "exponential", mean = -1}', "9223372036854775807",
    "9223372036854775808", "1" + "0" * 400, "0x" + "f" * 500, "1979-05-27", "07:32:00",
    "1979-05-27T07:32:00Z", '"' + "x" * 500 + '"', '{kind = "gamma", mean = "3 h", cv = 1e300}',
    '{kind = "quantiles", probabilities = [0, 1], values = [1, 0]}', "[0, 1, 2, 3]", "1_000",
    "0b11",
    '{kind = "uniform", low = 2, high = 1}', '{kind = "uniform", low = 0, high = 1e-9}',
    '{kind = "share_of_value", per_second = 1}', '{kind = "quantiles", probabilities = [0, 1], '
    "values = [0, 1e-6]}", '{kind = "quantiles", probabilities = [0.5, 1], values = [0, 1]}',
    '{kind = "quantiles", probabilities = [0, 1], values = [0]}', '{kind = "logit", scale = 1}',
    '{kind = "linear", grace = 1}', '{kind = "replay", file = "no.csv", get_from = "there"}',
    '{kind = "replay"}', '{kind = "replay", times = [1, 0]}', '{kind = "replay", times = [0, 1]}',
    '{kind = "replay", times = [0, 1], input_tokens = [1], output_tokens = [1]}',
    '{kind = "replay", times = [0, 1], output_tokens = [1, -1]}', '{kind = "poisson", rate = 1000}',
    '{kind = "poisson", rate = 1e-9}', '{kind = "mmpp", rates = [-1, 2], dwell = [1, 1]}',
    '{kind = "mmpp", rates = [1, 2], dwell = [1, 0]}',
    '{kind = "mmpp", rates = [1, 2], dwell = [1]}',
    '{kind = "closed", users = 3, think_time = 0}', '{kind = "replay", file = "bad/trace.csv"}',
    '{kind = "replay", file = "good.csv"}', '{kind = "replay", file = "broken.csv"}',
    '{kind = "replay", file = "good.csv", columns = ["a", 3, "c"]}', '{name = "undercut"}',
    '{name = "cost_plus", params = {markup = "x"}}', '{name = "cost_plus", params = {mark = 1}}',
    '{name = "undrct"}', "{name = 3}", '{name = "march-2025"}', '{name = "march-2026"}',
    '{name = "march-2025", models = ["o1", "o1", "o3"]}', '{models = "all", x = 1}',
    '{name = "march-2025", models = 3}', '"march-2025"', '"second_score"', '"average"',
    '"promised"',
    '"claimed"', '"priority"', '"fcfs"', '{kind = "second_score", bid = "cost"}',
    "{input = 1, output = 2}", "{task = 1e5}", "{general = 0.5}", "{theta = 1}",
    "{maths = {theta = 1}}",
]  # fmt: skip
"""Things that may stand where something else stood."""

KEYS = [
    "kind", "name", "value", "mean", "rate", "deadline", "patience", "lateness", "choice", "skill",
    "accuracy", "ability", "effort", "price", "cost", "slots", "kappa", "arrivals", "pricing",
    "rent",
    "loss", "delay_cost", "consideration", "outside_option", "priority", "difficulty", "catalogue",
    "mechanism", "quotes", "run", "platform", "events", "tasks", "sellers", "refund_wrong", "tick",
    "dedline", "x", '"\\u0007"', '"a b"', '"é"', "a.b.c", "promise", "penalty", "enters", "memory",
    "epoch", "warmup", "until", "output_tokens", "input_tokens", "latency", "discipline",
]  # fmt: skip
HEADERS = [
    "[run]", "[quotes]", "[platform]", "[mechanism]", "[catalogue]", "[[tasks]]", "[[sellers]]",
    "[[events]]", "[x.y]", "[tasks]", "[run.x]", "[[a" + ".a" * 40 + "]]", "[sellers.ability.x]",
    "[",
]  # fmt: skip
TWISTS = [
    'latency = "average"', 'latency = "promised"', 'mechanism = "second_score"', "epoch = 1e8",
    'discipline = "fcfs"', "priority = 3", "refund_late = 0.9", "memory = 1e-3", "warmup = 1e9",
    'arrivals = {kind = "closed", users = 3, think_time = 0}', "enters = 5", 'skill = "none"',
    'arrivals = {kind = "replay", times = [0, 1], input_tokens = [1], output_tokens = [1, 1]}',
    'catalogue = {name = "march-2025", models = ["o1", "o1"]}', "until = 10", "deadline = 1e-3",
    'catalogue = {name = "march-2025", models = 3}', 'effort = {"a b" = 1}', "consideration = 99",
    'pricing = {name = "cost_plus", params = 3}', "value = 1e-9", "slots = 1", "speed = 0.1",
    'catalogue = {names = "march-2025"}', "price = {output = 0.01}", "rate = 50.0",
    'catalogue = {name = "march-2025", missing = {a = 1}}',
    'price = {input = 0.1, output = 99}', "cost = {output = 500}", "accuracy = 0.01",
]  # fmt: skip
"""Lines that are fine somewhere and change what the rest means."""
_VALUE = re.compile(r'(?<=[=\[,] )("[^"]*"|-?[0-9][0-9_.e+-]*|true|false)')
_UNITS = [
    '"{} ms"',
    '"{} h"',
    '"{} weeks"',
    '"{} USD"',
    "{}e6",
    "-{}",
    "{}.5",
    "[{}]",
    '"{}"',
    "{{x={}}}",
]

Mutation = Callable[[list[str], random.Random], None]


def delete(rows: list[str], rng: random.Random) -> None:
    """Leave a few lines out."""
    start = rng.randrange(len(rows))
    del rows[start : start + rng.choice([1, 1, 1, 2, 8])]


def duplicate(rows: list[str], rng: random.Random) -> None:
    """Repeat some lines, there or elsewhere."""
    start = rng.randrange(len(rows))
    some = rows[start : start + rng.choice([1, 1, 5, 12])]
    at = rng.choice([start, rng.randrange(len(rows))])
    rows[at:at] = some


def swap(rows: list[str], rng: random.Random) -> None:
    """Exchange two lines."""
    i, j = rng.randrange(len(rows)), rng.randrange(len(rows))
    rows[i], rows[j] = rows[j], rows[i]


def replace(rows: list[str], rng: random.Random) -> None:
    """Put another value after a key."""
    i = _some_pair(rows, rng)
    rows[i] = rows[i].partition("=")[0] + "= " + rng.choice(VALUES)


def rewrite(rows: list[str], rng: random.Random) -> None:
    """Change one value in a line: another value, or the same in another unit or type."""
    i = _some_pair(rows, rng)
    found = list(_VALUE.finditer(rows[i]))
    if not found:
        replace(rows, rng)
        return
    one = rng.choice(found)
    plain = one[0].strip('"')
    new = rng.choice(_UNITS).format(plain) if rng.random() < 0.5 else rng.choice(VALUES)
    rows[i] = rows[i][: one.start()] + new + rows[i][one.end() :]


def rename(rows: list[str], rng: random.Random) -> None:
    """Give a value another key: misspelt or of elsewhere."""
    i = _some_pair(rows, rng)
    key, equals, value = rows[i].partition(" =")
    at = rng.randrange(len(key) + 1)
    new = rng.choice([key[:at] + key[at + 1 :], key[:at] + "é" + key[at:], *rng.choices(KEYS, k=3)])
    rows[i] = new + equals + value


def insert(rows: list[str], rng: random.Random) -> None:
    """Add a key or a table."""
    row = (
        rng.choice(HEADERS) if rng.random() < 0.2 else f"{rng.choice(KEYS)} = {rng.choice(VALUES)}"
    )
    rows.insert(rng.randrange(len(rows) + 1), row)


def twist(rows: list[str], rng: random.Random) -> None:
    """Say something else where the same key, or nothing, stood."""
    row = rng.choice(TWISTS)
    same = [i for i, old in enumerate(rows) if old.partition(" =")[0] == row.partition(" =")[0]]
    if same:
        rows[rng.choice(same)] = row
    else:
        rows.insert(0 if row.startswith(("mech", "cata")) else rng.randrange(len(rows) + 1), row)


def break_text(rows: list[str], rng: random.Random) -> None:
    """Put odd characters anywhere, or cut the line."""
    i = rng.randrange(len(rows))
    at = rng.randrange(len(rows[i]) + 1)
    odd = rng.choice(
        ["\0", '"', "[", "]", "{", "}", "=", "#", "'", "\\", "\u202e", "\ufeff", "é", "\x1b"]
    )
    rows[i] = rows[i][:at] + (odd + rows[i][at:] if rng.random() < 0.8 else "")


def _some_pair(rows: list[str], rng: random.Random) -> int:
    pairs = [i for i, row in enumerate(rows) if " = " in row]
    return rng.choice(pairs)


MUTATIONS: list[Mutation] = [
    delete, duplicate, swap, replace, replace, replace, rewrite, rewrite, rename, insert, insert,
    twist, twist, twist, break_text,
]  # fmt: skip


def bases() -> list[str]:
    """Return the sound scenarios that are mutated."""
    own = [CORPUS / "everything.toml", CORPUS / "small.toml"] * 8 + [CORPUS / "catalogue.toml"] * 2
    return [path.read_text("utf-8") for path in (*own, *library.files())]


def mutants(seed: int, count: int) -> Iterator[str]:
    """Yield mutants with one to three mutations each."""
    rng = random.Random(seed)  # noqa: S311 - no secrets here
    sources = bases()
    for _ in range(count):
        rows = rng.choice(sources).splitlines()
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            rng.choice(MUTATIONS)(rows, rng)
            if not any(" = " in row for row in rows):
                break
        yield "\n".join(rows) + "\n"
