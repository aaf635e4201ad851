"""Demand: a class of tasks, what an answer is worth to its buyers, and how they choose.

Every field carries its unit, default, allowed range, meaning and, where it is a modelling
choice, its source. Times are seconds, money is USD.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from .arrivals import Arrivals, Closed, Replay
from .distributions import (
    Constant,
    DelayCost,
    Distribution,
    Duration,
    Patience,
    Recorded,
    SizeLaw,
    ValueLaw,
)
from .fields import Name, Number, Seconds, Spec, Whole, field, instance, word


class Hard(Spec):
    """A late answer is worth nothing: δ = 1{x = 0}, x seconds late."""

    kind: Literal["hard"] = "hard"


class Linear(Spec):
    """Value falls linearly over the grace time: δ = max(0, 1 − x/grace)."""

    kind: Literal["linear"] = "linear"
    grace: Seconds = field(doc="lateness at which nothing is left", unit="s", gt=0)


class HalfLife(Spec):
    """Value halves with every half-life of lateness: δ = 2^(−x/half_life)."""

    kind: Literal["halflife"] = "halflife"
    half_life: Seconds = field(doc="lateness that halves the value", unit="s", gt=0)


class Argmax(Spec):
    """The buyer takes the best offer; exact ties are settled by a coin of the task's own."""

    kind: Literal["argmax"] = "argmax"


class Logit(Spec):
    """Random utility with mean-zero taste shocks, nested by seller when nest < 1."""

    kind: Literal["logit"] = "logit"
    scale: Number = field(
        doc="scale μ of the taste shocks (their standard deviation is 1.28 μ)",
        unit="USD",
        gt=0,
        le=1e9,
    )
    nest: Number = field(
        1.0, doc="nesting parameter ν: 1 is plain logit; towards 0 the offers of one seller "
        "become perfect substitutes in taste", unit="ratio", gt=0, le=1,
        source="McFadden 1978; positive stable draws after Kanter 1975",
    )  # fmt: skip


class Difficulty(Spec):
    """How hard a task is, on the logit ability scale; buyers know the class, not the task."""

    mean: Number = field(0.0, doc="mean difficulty", unit="logits", ge=-50, le=50)
    sd: Number = field(0.0, doc="standard deviation of difficulty", unit="logits", ge=0, le=20)


_Lateness = Annotated[Hard | Linear | HalfLife, Field(discriminator="kind")]
Lateness = Annotated[_Lateness, BeforeValidator(word)]
_Choice = Annotated[Argmax | Logit, Field(discriminator="kind")]
Choice = Annotated[_Choice | Callable[..., Any], BeforeValidator(word), BeforeValidator(instance)]


class TaskClass(Spec):
    """A class of tasks that buyers bring: how many, how large, worth what, due when.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> TaskClass("chat", arrivals=Poisson(2.0), value=0.02, deadline="10 s").deadline.mean
        10.0
    """

    name: Name = field(doc="name of the task class")
    arrivals: Arrivals = field(doc="when tasks come")
    input_tokens: SizeLaw = field(0.0, doc="tokens a seller must read", unit="tokens")
    output_tokens: SizeLaw = field(1.0, doc="tokens of the answer", unit="tokens")
    value: ValueLaw = field(0.0, doc="worth of a right answer in time, drawn per task",
                            unit="USD")  # fmt: skip
    loss: Number = field(
        0.0, doc="lost when a wrong answer is used; one that comes too late to be used costs "
        "nothing", unit="USD", ge=0, le=1e9,
    )  # fmt: skip
    delay_cost: DelayCost = field(
        0.0, doc="cost of each second from asking to the answer, or to leaving", unit="USD/s"
    )
    deadline: Duration | None = field(
        None, doc="time after arrival when the answer is due", unit="s"
    )
    lateness: Lateness = field(
        "hard", doc="what a late answer is still worth: hard, linear(grace), halflife(half_life)"
    )
    patience: Patience = field(
        "none", doc="how long a waiting task stays in the queue; one in service stays", unit="s"
    )
    skill: Name = field("general", doc="which ability of a seller counts")
    difficulty: Difficulty = field({}, doc="law of a task's difficulty")
    choice: Choice = field(
        {"kind": "argmax"}, doc="how a buyer chooses: argmax, logit, or a Python function"
    )
    consideration: Whole | None = field(
        None, doc="how many offers the platform shows a buyer; all when absent", unit="offers", ge=1
    )
    outside_option: StrictBool = field(
        True, doc="may a buyer do without (utility 0)? False makes the class captive"
    )
    priority: Whole = field(
        0, doc="queue level at sellers that honour it; 0 is served first", unit="level", ge=0, le=7
    )
    customers: Whole = field(
        1, doc="how many customers bring the tasks; each holds at most one contract at a time; of "
        "a closed population each user is one", unit="customers", ge=1, le=1_000_000,
    )  # fmt: skip
    usage: Distribution = field(
        1.0, doc="law of how much one customer brings; only its ratio to the mean counts",
        unit="ratio",
    )  # fmt: skip

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.patience.kind == "deadline" and self.deadline is None:
            raise ValueError('patience "deadline" needs a deadline')
        if self.lateness.kind != "hard" and self.deadline is None:
            raise ValueError(f'lateness "{self.lateness.kind}" needs a deadline')
        if isinstance(self.arrivals, Closed) and {"customers", "usage"} & self.model_fields_set:
            alike = self.customers == 1 and isinstance(self.usage, Constant)
            if not alike:
                raise ValueError("customers and usage are those of its users in a closed class")
        if self.usage.mean <= 0:
            raise ValueError("usage must have a mean above 0")
        recorded = [
            name for name in ("input_tokens", "output_tokens")
            if isinstance(getattr(self, name), Recorded)
        ]  # fmt: skip
        if recorded and not isinstance(self.arrivals, Replay):
            raise ValueError('sizes "replay" need arrivals of kind replay')
        if isinstance(self.value, Recorded):
            listed = self.arrivals.values if isinstance(self.arrivals, Replay) else None
            if listed is None:
                raise ValueError("value is replayed but arrivals list no values")
        if isinstance(self.arrivals, Replay) and self.arrivals.times is not None:
            for name in recorded:
                if getattr(self.arrivals, name) is None:
                    raise ValueError(f"{name} is replayed but arrivals list no {name}")
        return self

    @property
    def mean_value(self) -> float:
        """Mean worth of a right answer in time, USD; of the listed values where it is replayed."""
        if not isinstance(self.value, Recorded):
            return self.value.mean
        listed = self.arrivals.values if isinstance(self.arrivals, Replay) else None
        return math.fsum(listed or (0.0,)) / len(listed or (0.0,))

    @property
    def no_tokens(self) -> bool:
        """Whether its tasks are known to have no tokens, in or out."""
        sizes = (self.input_tokens, self.output_tokens)
        listed = (getattr(self.arrivals, n, None) for n in ("input_tokens", "output_tokens"))
        return all(
            s.mean == 0 if not isinstance(s, Recorded) else seen is not None and max(seen) == 0
            for s, seen in zip(sizes, listed, strict=True)
        )
