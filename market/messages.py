"""What agents and the market tell each other: tasks and their outcomes, quotes and awards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

CHANGEABLE = ("input", "output", "value", "deadline", "patience", "delay_cost", "difficulty")
"""Fields of a submitted task that may be set directly."""


@dataclass(frozen=True)
class Task:
    """A task that a process submits: a class, and what differs from the class's own draws.

    Its id is a hash of (parent, child), so other tasks' draws never change. A child of a task
    that is to be the same question again takes the parent's sizes, value and difficulty with
    `same=True`; its taste and the correctness of its answer are its own.
    """

    kind: str
    child: int
    parent: int = 0
    same: bool = False
    offer: str | None = None
    changes: dict[str, float] = field(default_factory=dict)
    """`CHANGEABLE` set directly: input, output (tokens), value (USD), deadline, patience (s),
    delay_cost (USD/s), difficulty (logits)."""


@dataclass(frozen=True)
class Outcome:
    """How a submitted task ended. Times in seconds, money in USD; NaN where not reached."""

    id: int
    status: str
    """served, balked, reneged or failed."""
    offer: str | None
    arrival: float
    answer: float
    sojourn: float
    wait: float
    right: bool
    late: bool
    paid: float
    surplus: float


@dataclass(frozen=True)
class Quote:
    """What a Python rule sees of one offer: the buyer's expectations, and what is asked.

    `ask` and `utility` (taste included) in USD, `time` in seconds, the rest probabilities.
    """

    offer: str
    seller: str
    owner: str
    effort: str
    ask: float
    utility: float
    taste: float
    accuracy: float
    on_time: float
    served: float
    time: float


@dataclass(frozen=True)
class Award:
    """A Python rule's decision: an offer and, unless it is the posted price, the price in USD."""

    offer: str
    price: float | None = None


@dataclass(frozen=True)
class Ask:
    """The task that a Python rule decides about. Times in s, sizes in tokens, money in USD."""

    id: int
    kind: str
    time: float
    input: float
    output: float
    value: float
    loss: float
    delay_cost: float
    deadline: float


Rule = Callable[[Ask, list[Quote]], "Award | str | None"]
"""A mechanism or a buyer's choice in Python; with None the buyer does without."""
