"""Supply: a seller, what it can do, how fast, at what price and cost.

Every field carries its unit, default, allowed range and meaning. Prices and costs are USD per
million tokens or per task; times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, field_validator, model_validator

from .bidding import Bidding
from .contracts import Contract
from .distributions import Factor
from .fields import Name, Number, Seconds, Spec, Table, Text, Unlimited, field, instance

HIGHEST_PRICE = 1e6
"""Highest price per million tokens or per task, USD: in a spec, of a strategy, of a rule."""


class Rates(Spec):
    """Money per million input and output tokens, or per task, or both."""

    input: Number = field(
        0.0, doc="per million input tokens", unit="USD/Mtok", ge=0, le=HIGHEST_PRICE
    )
    output: Number = field(0.0, doc="per million output tokens, thinking included",
                           unit="USD/Mtok", ge=0, le=HIGHEST_PRICE)  # fmt: skip
    task: Number = field(0.0, doc="per task", unit="USD/task", ge=0, le=HIGHEST_PRICE)

    @property
    def lever(self) -> float:
        """The one number strategies move: the output price, or the per-task price, USD."""
        return self.output if self.by_token else self.task

    @property
    def by_token(self) -> bool:
        """Whether the lever is the output-token price (then input moves in proportion)."""
        return self.output > 0


class Ability(Spec):
    """Item response of a seller in one skill.

    a(e | b) = floor + (ceiling − floor) · logistic(theta + beta·ln(1 + e/e0) + tau − b).
    """

    theta: Number = field(doc="ability without thinking", unit="logits", ge=-50, le=50)
    beta: Number = field(
        0.0, doc="gain per unit of ln(1 + thinking/e0)", unit="logits", ge=-5, le=10
    )
    tau: Number = field(0.0, doc="gain from tools", unit="logits", ge=-50, le=50)
    floor: Number = field(0.0, doc="accuracy of guessing", unit="probability", ge=0, le=1)
    ceiling: Number = field(
        1.0, doc="accuracy that no ability exceeds", unit="probability", ge=0, le=1
    )
    error: Number = field(
        0.0, doc="standard error of theta where it is an estimate that stands in for a missing "
        "score; 0 where there is one (information only)", unit="logits", ge=0, le=50,
    )  # fmt: skip

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ceiling < self.floor:
            raise ValueError(f"ceiling {self.ceiling:g} is below floor {self.floor:g}")
        return self


class Named(Spec):
    """A strategy by name and parameters, so that a spec stays data."""

    name: Name = field(doc="name of the strategy")
    params: Table[str, Any] = field({}, doc="its parameters")


def _strategy(value: object) -> object:
    """Turn a built-in strategy object or a bare name into `Named`; leave functions alone."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Spec) and hasattr(value, "strategy"):
        return {"name": value.strategy, "params": value.model_dump(exclude_unset=True)}
    if value is None or isinstance(value, (Named, dict)) or callable(value):
        return instance(value)
    raise ValueError(
        "not a strategy; give its name, a table of name and params or, in Python, a function"
    )


def _shared(value: object) -> object:
    """A single accuracy holds for every skill."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"*": value}
    return value


_Probability = Annotated[Number, Field(ge=0, le=1)]
_BySkill = Annotated[Table[str, _Probability], BeforeValidator(_shared)]


class Seller(Spec):
    """A model on sale: what it can do, how fast, how much of it there is, at what price.

    Each entry of the effort menu is an offer of its own.

    Example:
        >>> Seller("fast", accuracy=0.9, speed=120.0, price={"input": 0.1, "output": 0.4}).offers
        ['fast/default']
    """

    name: Name = field(doc="name of the seller")
    owner: Text = field("", doc="who owns it; the seller itself when empty", max_length=64)
    accuracy: _BySkill = field(
        {}, doc="probability of a right answer per skill, stated directly; one number means "
        "every skill", unit="probability",
    )  # fmt: skip
    ability: Table[str, Ability] = field({}, doc="item response per skill, instead of accuracy")
    claimed: _BySkill = field(
        {}, doc="accuracy per skill as advertised, where it differs from the truth",
        unit="probability",
    )  # fmt: skip
    effort: Table[Name, Annotated[Number, Field(ge=0, le=1e9)]] = field(
        {"default": 0.0}, doc="effort menu: thinking tokens of each level", unit="tokens",
        min_length=1, max_length=32,
    )  # fmt: skip
    e0: Number = field(1000.0, doc="thinking tokens at which thinking starts to count",
                       unit="tokens", gt=0)  # fmt: skip
    speed: Number = field(1.0, doc="tokens per second of one stream alone, r₁", unit="tokens/s",
                          gt=0, le=1e9)  # fmt: skip
    kappa: Unlimited = field(
        "unlimited", doc="batching: n streams run at r₁·κ/(κ + n − 1) each; unlimited means "
        "independent servers, 1 with unlimited slots is processor sharing", unit="streams", ge=1,
    )  # fmt: skip
    slots: Unlimited = field(
        1, doc="streams served at once, at most 1,000,000, or unlimited", unit="slots", ge=1
    )
    discipline: Literal["fcfs", "priority", "priority_preemptive"] = field(
        "fcfs", doc="who is served first among the waiting"
    )
    prefill_rate: Unlimited = field(
        "unlimited", doc="input tokens read per second by one stream alone", unit="tokens/s", gt=0
    )
    startup_time: Seconds = field(0.0, doc="fixed time to the first token, outside the slot",
                                  unit="s", ge=0)  # fmt: skip
    network_time: Seconds = field(0.0, doc="network round trip", unit="s", ge=0)
    verbosity: Number = field(1.0, doc="answer tokens written per token asked for", unit="ratio",
                              gt=0, le=1000)  # fmt: skip
    price: Rates = field({}, doc="posted price")
    cost: Rates = field({}, doc="marginal cost of serving")
    cost_factor: Factor = field(
        1.0, doc="what the marginal cost of a task is multiplied by, drawn per task and owner and "
        "known to the owner alone", unit="ratio",
    )  # fmt: skip
    rent: Number = field(0.0, doc="fixed cost of each slot (GPU rent)", unit="USD/slot-hour",
                         ge=0, le=1e6)  # fmt: skip
    fixed_cost: Number = field(
        0.0,
        doc="fixed cost of being in the market (pre-training amortised)",
        unit="USD/h",
        ge=0,
        le=1e9,
    )
    refund_late: _Probability = field(0.0, doc="share of the price paid back when late",
                                      unit="ratio")  # fmt: skip
    refund_wrong: _Probability = field(0.0, doc="share of the price paid back when wrong",
                                       unit="ratio")  # fmt: skip
    promise: Seconds | None = field(None, doc="promised time to the answer", unit="s", ge=0)
    penalty: Number = field(0.0, doc="paid to the buyer when the promise is broken",
                            unit="USD/task", ge=0, le=1e6)  # fmt: skip
    bidding: Bidding | None = field(
        None, doc="how it bids in an auction; as the mechanism says when absent"
    )
    bid_time: Seconds | None = field(
        None, doc="time to make a bid; as the mechanism says when absent", unit="s", ge=0
    )
    pricing: Annotated[Named | Callable[..., Any] | None, BeforeValidator(_strategy)] = field(
        None, doc="pricing strategy; the posted price stays when absent"
    )
    reprice_every: Seconds = field(600.0, doc="time between two decisions of the strategy",
                                   unit="s", ge=1e-6)  # fmt: skip
    tick: Number | None = field(
        None, doc="smallest price step, in the unit of the lever; 1% of the price when absent",
        unit="USD/Mtok or USD/task", gt=0,
    )  # fmt: skip
    enters: Seconds = field(0.0, doc="time when the seller opens", unit="s", ge=0)
    sponsor: Number = field(
        0.0, doc="bid for position where `platform.ranking` is sponsored, for all its offers; a "
        "sale costs the bid of the next seller in the order", unit="USD/task", ge=0,
        le=HIGHEST_PRICE, source="Edelman, Ostrovsky & Schwarz 2007; Varian 2007",
    )  # fmt: skip
    open: StrictBool = field(False, doc="are the weights open? (information only)")
    contracts: Table[Name, Contract] = field(
        {}, doc="contracts that customers may choose for a period, beside the posted price",
        max_length=32,
    )  # fmt: skip

    @field_validator("slots")
    @classmethod
    def _whole_slots(cls, value: float) -> float:
        if not math.isinf(value) and (value != int(value) or value > 1_000_000):
            raise ValueError(f"slots {value:.10g} is no whole number up to 1,000,000")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = sorted(set(self.accuracy) & set(self.ability))
        if "*" in self.accuracy and self.ability:
            both = sorted(self.ability)
        if both:
            raise ValueError(f"both accuracy and ability are given for {', '.join(both)}")
        if self.rent > 0 and math.isinf(self.slots):
            raise ValueError("rent per slot-hour needs a finite number of slots")
        tiers = [name for name, c in self.contracts.items() if c.level is not None]
        if tiers and self.discipline == "fcfs":
            raise ValueError(
                f'contract "{tiers[0]}" has a level, which discipline "fcfs" does not honour; '
                'make it "priority" or "priority_preemptive"'
            )
        return self

    @property
    def owned_by(self) -> str:
        """The owner, or the seller itself."""
        return self.owner or self.name

    @property
    def offers(self) -> list[str]:
        """Names of the seller's offers, `seller/effort`."""
        return [f"{self.name}/{effort}" for effort in self.effort]

    def serves(self, skill: str) -> bool:
        """Whether any accuracy is known for the skill."""
        return skill in self.ability or skill in self.accuracy or "*" in self.accuracy
