"""A study: a question, the sweep that answers it, and how the answer is read off its runs."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ...market.schema.fields import Many, Number, Spec, Text, field
from .spec import Design


class Verdict(Spec):
    """One thing that a study decides.

    What it concludes is in its own words, one for each way it may come out; plain ones stand in
    where a study has none.
    """

    kind: Literal["difference", "crossing"] = field(
        "difference",
        doc="difference: what a measure changes by from the first setting of levers to the last, "
        "paired by replication; crossing: at which value of the lever it crosses a threshold",
        source="Law 2015, section 11.2",
    )
    metric: Text = field(doc="the measure, such as welfare")
    task: Text = field("all", doc='task class, or "all"')
    offer: Text = field("all", doc='offer such as fast/high, a seller, or "all"')
    less: Text = field("", doc="offer whose measure is taken off, if any")
    what: Text = field("", doc="the measure in words; its name when absent", max_length=200)
    threshold: Number = field(0.0, doc="level that a crossing is of, in the unit of the measure")
    negligible: Number = field(
        0.0, doc="difference that does not matter, as a share of the first setting's mean",
        ge=0,
    )  # fmt: skip
    rises: Text = field("", doc="what it means if the measure rises", max_length=300)
    falls: Text = field("", doc="what it means if it falls", max_length=300)
    same: Text = field("", doc="what it means if it changes by less than matters", max_length=300)
    unknown: Text = field("", doc="what is said if nothing can be told", max_length=300)


class Study(Design):
    """A sweep with a question that its runs answer.

    Example:
        >>> asked = {"levers": {"tasks.chat.value": [1.0, 2.0]}, "verdicts": [{"metric": "price"}]}
        >>> Study(**asked).verdicts[0].kind
        'difference'
    """

    figure: Text = field("F6", doc="the figure of sweeps that shows the answer")
    verdicts: Many[Verdict] = field(doc="what is decided, the answer to the question first")

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if not self.verdicts:
            raise ValueError("verdicts are none; a study decides one thing at least")
        if max(map(len, self.levers.values()), default=0) < 2:
            raise ValueError("a study compares settings: give a lever two values at least")
        if any(v.kind == "crossing" for v in self.verdicts):
            values = next(iter(self.levers.values()))
            alone = len(self.levers) == 1 or self.together
            numbers = all(type(v) in (int, float) for v in values)
            if not (alone and numbers and list(values) == sorted(set(values))):
                raise ValueError(
                    "a crossing is along one lever (or several together), numbers that rise"
                )
        return self
