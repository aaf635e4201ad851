"""What a catalogue holds: models, benchmarks, assumptions, and where each figure comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from .fit import Fit, Scale

Kind = Literal["measured", "derived", "assumed", "estimated"]
Ids = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]


class Record(BaseModel):
    """Data that nobody changes after it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(Record):
    """Where a figure comes from: its kind, ids of its sources, arithmetic or argument."""

    kind: Kind = "measured"
    source: Ids = ()
    how: str = ""


class Fact(Sourced):
    """One figure: its value, ids of its sources, and the arithmetic or argument behind it."""

    value: float | str

    @property
    def number(self) -> float:
        """The value as a number; inf means unlimited."""
        return float(self.value)


class Rate(Sourced):
    """USD per million input and output tokens."""

    input: float
    output: float


class Assumption(Record):
    """A modelling assumption, stated once, with its argument."""

    value: float
    unit: str
    source: Ids = ()
    how: str


class Skill(Record):
    """The benchmark that measures a skill, its guessing rate and the slope of thinking in it."""

    benchmark: str
    source: Ids
    why: str
    floor: float
    slope: Fact


class Model(Record):
    """A model (or a professional) on sale: terms, service, and what it can do."""

    name: str
    owner: str
    maker: str = ""
    service: str
    open: bool
    licence: str = ""
    released: Fact | None = None
    price: Rate
    cost: Rate
    speed: Fact
    startup_time: Fact
    slots: Fact
    kappa: Fact
    prefill_rate: Fact
    network_time: Fact
    verbosity: Fact
    e0: Fact
    effort: dict[str, Fact]
    scores: dict[str, dict[str, Fact]]

    @property
    def thinking(self) -> dict[str, float]:
        """Thinking tokens of each effort."""
        return {name: fact.number for name, fact in self.effort.items()}


class Catalogue(Record):
    """Models on sale at a date, with their abilities.

    Attributes:
        fits: what was fitted to scores, by model and skill.
        estimates: what stands in for missing scores, by model and skill.
    """

    name: str
    date: str
    version: str
    sources: dict[str, str]
    assumptions: dict[str, Assumption]
    skills: dict[str, Skill]
    models: dict[str, Model]
    fits: dict[str, dict[str, Fit]] = {}
    estimates: dict[str, dict[str, Fit]] = {}

    def scale(self, model: str, skill: str) -> Scale:
        """What turns scores of a model in a skill into logits."""
        ceiling, sd = self.assumptions["ceiling"].value, self.assumptions["sd_skill"].value
        at, of = self.models[model].e0.number, self.skills[skill]
        return Scale(of.floor, ceiling, sd, at, of.slope.number)


UNITS = {
    "released": "", "price": "USD/Mtok", "cost": "USD/Mtok", "speed": "tokens/s",
    "startup_time": "s", "slots": "slots", "kappa": "streams", "prefill_rate": "tokens/s",
    "network_time": "s", "verbosity": "ratio", "e0": "tokens",
}  # fmt: skip
