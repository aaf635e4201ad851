"""The spec of a market: what the economy is, as data.

Every field carries its unit, default, allowed range, meaning and, where it is a modelling
choice, its source. Prices are USD per million tokens or per task; times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, field_validator, model_validator

from .arrivals import Arrivals, Replay
from .distributions import (
    DelayCost,
    Distribution,
    Duration,
    Patience,
    Recorded,
    SizeLaw,
)
from .fields import Name, Number, Seconds, Spec, Unlimited, Whole, field

# --- demand ------------------------------------------------------------------------------------


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
        doc="scale μ of the taste shocks (their standard deviation is 1.28 μ)", unit="USD", gt=0
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


def _word(value: object) -> object:
    """Let a bare word stand for `{kind = word}`."""
    return {"kind": value} if isinstance(value, str) else value


_Lateness = Annotated[Hard | Linear | HalfLife, Field(discriminator="kind")]
Lateness = Annotated[_Lateness, BeforeValidator(_word)]
_Choice = Annotated[Argmax | Logit, Field(discriminator="kind")]
Choice = Annotated[_Choice | Callable[..., Any], BeforeValidator(_word)]


class TaskClass(Spec):
    """A class of tasks that buyers bring: how many, how large, worth what, due when.

    Example:
        >>> from walras.market.arrivals import Poisson
        >>> TaskClass("chat", arrivals=Poisson(2.0), value=0.02, deadline="10 s").deadline.mean
        10.0
    """

    name: Name = field(doc="name of the task class")
    arrivals: Arrivals = field(doc="when tasks come")
    input_tokens: SizeLaw = field(0.0, doc="tokens a seller must read", unit="tokens")
    output_tokens: SizeLaw = field(1.0, doc="tokens of the answer", unit="tokens")
    value: Distribution = field(0.0, doc="worth of a right answer in time, drawn per task",
                                unit="USD")  # fmt: skip
    loss: Number = field(
        0.0, doc="lost when a wrong answer is used; one that comes too late to be used costs "
        "nothing", unit="USD", ge=0,
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

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.patience.kind == "deadline" and self.deadline is None:
            raise ValueError('patience "deadline" needs a deadline')
        if self.lateness.kind != "hard" and self.deadline is None:
            raise ValueError(f'lateness "{self.lateness.kind}" needs a deadline')
        recorded = [
            name for name in ("input_tokens", "output_tokens")
            if isinstance(getattr(self, name), Recorded)
        ]  # fmt: skip
        if recorded and not isinstance(self.arrivals, Replay):
            raise ValueError('sizes "replay" need arrivals of kind replay')
        if isinstance(self.arrivals, Replay) and self.arrivals.times is not None:
            for name in recorded:
                if getattr(self.arrivals, name) is None:
                    raise ValueError(f"{name} is replayed but arrivals list no {name}")
        return self


# --- supply ------------------------------------------------------------------------------------


class Rates(Spec):
    """Money per million input and output tokens, or per task, or both."""

    input: Number = field(0.0, doc="per million input tokens", unit="USD/Mtok", ge=0, le=1e6)
    output: Number = field(0.0, doc="per million output tokens, thinking included",
                           unit="USD/Mtok", ge=0, le=1e6)  # fmt: skip
    task: Number = field(0.0, doc="per task", unit="USD/task", ge=0, le=1e6)

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

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ceiling < self.floor:
            raise ValueError(f"ceiling {self.ceiling:g} is below floor {self.floor:g}")
        return self


class Named(Spec):
    """A strategy by name and parameters, so that a spec stays data."""

    name: Name = field(doc="name of the strategy")
    params: dict[str, Any] = field({}, doc="its parameters")


def _strategy(value: object) -> object:
    """Turn a built-in strategy object or a bare name into `Named`; leave functions alone."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Spec) and not isinstance(value, Named):
        name = getattr(value, "strategy", None)
        if name is None:
            raise ValueError(f"{type(value).__name__} is not a strategy")
        return {"name": name, "params": value.model_dump(exclude_unset=True)}
    return value


def _shared(value: object) -> object:
    """A single accuracy holds for every skill."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"*": value}
    return value


_Probability = Annotated[Number, Field(ge=0, le=1)]
_BySkill = Annotated[dict[str, _Probability], BeforeValidator(_shared)]


class Seller(Spec):
    """A model on sale: what it can do, how fast, how much of it there is, at what price.

    Each entry of the effort menu is an offer of its own.

    Example:
        >>> Seller("fast", accuracy=0.9, speed=120.0, price={"input": 0.1, "output": 0.4}).offers
        ['fast/default']
    """

    name: Name = field(doc="name of the seller")
    owner: str = field("", doc="who owns it; the seller itself when empty", max_length=64)
    accuracy: _BySkill = field(
        {}, doc="probability of a right answer per skill, stated directly; one number means "
        "every skill", unit="probability",
    )  # fmt: skip
    ability: dict[str, Ability] = field({}, doc="item response per skill, instead of accuracy")
    claimed: _BySkill = field(
        {}, doc="accuracy per skill as advertised, where it differs from the truth",
        unit="probability",
    )  # fmt: skip
    effort: dict[Name, Annotated[Number, Field(ge=0, le=1e9)]] = field(
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
    slots: Unlimited = field(1, doc="streams served at once, or unlimited", unit="slots", ge=1)
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
    rent: Number = field(0.0, doc="fixed cost of each slot (GPU rent)", unit="USD/slot-hour", ge=0)
    fixed_cost: Number = field(
        0.0, doc="fixed cost of being in the market (pre-training amortised)", unit="USD/h", ge=0
    )
    refund_late: _Probability = field(0.0, doc="share of the price paid back when late",
                                      unit="ratio")  # fmt: skip
    refund_wrong: _Probability = field(0.0, doc="share of the price paid back when wrong",
                                       unit="ratio")  # fmt: skip
    promise: Seconds | None = field(None, doc="promised time to the answer", unit="s", ge=0)
    penalty: Number = field(0.0, doc="paid to the buyer when the promise is broken",
                            unit="USD/task", ge=0)  # fmt: skip
    pricing: Annotated[Named | Callable[..., Any] | None, BeforeValidator(_strategy)] = field(
        None, doc="pricing strategy; the posted price stays when absent"
    )
    reprice_every: Seconds = field(600.0, doc="time between two decisions of the strategy",
                                   unit="s", gt=0)  # fmt: skip
    tick: Number | None = field(
        None, doc="smallest price step, in the unit of the lever; 1% of the price when absent",
        unit="USD/Mtok or USD/task", gt=0,
    )  # fmt: skip
    enters: Seconds = field(0.0, doc="time when the seller opens", unit="s", ge=0)
    open: StrictBool = field(False, doc="are the weights open? (information only)")

    @field_validator("slots")
    @classmethod
    def _whole_slots(cls, value: float) -> float:
        if not math.isinf(value) and (value != int(value) or value > 1_000_000):
            raise ValueError("slots must be a whole number up to 1,000,000, or unlimited")
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


# --- the market --------------------------------------------------------------------------------


class PostedPrice(Spec):
    """Sellers post prices; each buyer takes the offer with the highest expected utility."""

    kind: Literal["posted_price"] = "posted_price"


class ScoringAuction(Spec):
    """Reverse auction in which a buyer's score is its expected utility (Che 1993).

    Every owner enters its best-scoring offer; the winner is paid so much that its score equals
    the score to beat: that of the best other owner, the reserve, or the outside option.
    """

    kind: Literal["second_score"] = "second_score"
    bid: Literal["cost", "price"] = field(
        "cost", doc="what sellers bid: their expected marginal cost (truthful) or the posted price"
    )
    reserve: Number | None = field(
        None,
        doc="least score the buyer accepts, besides its outside option",
        unit="USD",
        ge=-1e9,
        le=1e9,
    )

    def __init__(self, kind: str = "second_score", **fields: Any) -> None:
        """Take the rule's name first, as in `ScoringAuction("second_score")`."""
        super().__init__(kind=kind, **fields)


_Mechanism = Annotated[PostedPrice | ScoringAuction, Field(discriminator="kind")]
Mechanism = Annotated[_Mechanism | Callable[..., Any], BeforeValidator(_word)]


class Platform(Spec):
    """The marketplace's own terms."""

    commission: Number = field(0.0, doc="share of each payment kept by the platform",
                               unit="ratio", ge=0, lt=1)  # fmt: skip
    ranking: Literal["price", "accuracy", "random"] = field(
        "price", doc="order in which offers are shown to buyers that consider only a few"
    )


class Quotes(Spec):
    """What a buyer knows about an offer when it chooses."""

    price: Literal["expected", "exact"] = field(
        "expected", doc="price over the class's mean tokens, or of this very task"
    )
    latency: Literal["observed", "average", "promised"] = field(
        "observed", doc="from the queue as it stands, from past answers, or as promised"
    )
    accuracy: Literal["true", "claimed"] = field(
        "true", doc="the class's true accuracy, or the advertised one"
    )
    memory: Seconds = field(
        3600.0, doc="memory of average quotes: an answer's weight falls by 1/e in this time",
        unit="s", gt=0,
    )  # fmt: skip


class Run(Spec):
    """How long to simulate and how finely to record."""

    until: Seconds = field(3600.0, doc="simulated time", unit="s", gt=0, le=1e9)
    warmup: Seconds = field(
        0.0, doc="time at the start left out of every mean; rounded up to whole epochs", unit="s",
        ge=0,
    )  # fmt: skip
    epoch: Seconds | None = field(
        None, doc="length of a record of `epochs`; a 400th of the run when absent", unit="s",
        gt=0,
    )  # fmt: skip


class PriceChange(Spec):
    """A seller changes its price at a set time."""

    kind: Literal["price"] = "price"
    at: Seconds = field(doc="when", unit="s", ge=0)
    seller: Name = field(doc="who")
    price: Number = field(doc="new price, in the unit of the seller's lever",
                          unit="USD/Mtok or USD/task", ge=0, le=1e6)  # fmt: skip


class Exit(Spec):
    """A seller closes: it takes no new tasks and finishes those it has."""

    kind: Literal["exit"] = "exit"
    at: Seconds = field(doc="when", unit="s", ge=0)
    seller: Name = field(doc="who")


class Enter(Spec):
    """A closed seller opens (again)."""

    kind: Literal["enter"] = "enter"
    at: Seconds = field(doc="when", unit="s", ge=0)
    seller: Name = field(doc="who")


class Outage(Spec):
    """A seller stops serving and takes no tasks until it is repaired; its queue keeps waiting."""

    kind: Literal["outage"] = "outage"
    at: Seconds = field(doc="when", unit="s", ge=0)
    seller: Name = field(doc="who")
    duration: Seconds = field(doc="time to repair", unit="s", gt=0)
    in_service: Literal["resume", "requeue", "fail"] = field(
        "resume", doc="what happens to tasks in service: go on after the repair, start again "
        "from the head of the queue, or fail",
    )  # fmt: skip


class AddSlots(Spec):
    """A seller orders capacity, which arrives after a lead time."""

    kind: Literal["add_slots"] = "add_slots"
    at: Seconds = field(doc="when it is ordered", unit="s", ge=0)
    seller: Name = field(doc="who")
    slots: Whole = field(doc="slots added", unit="slots", ge=1, le=1_000_000)
    lead_time: Seconds = field(0.0, doc="time from order to use", unit="s", ge=0)


Event = Annotated[PriceChange | Exit | Enter | Outage | AddSlots, Field(discriminator="kind")]


def _repeated(names: Iterator[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({n for n in names if n in seen or seen.add(n)})  # type: ignore[func-returns-value]


class Market(Spec):
    """A market: tasks, sellers, a mechanism, and what buyers know.

    Example:
        >>> from walras.market.arrivals import Poisson
        >>> ask = TaskClass("chat", arrivals=Poisson(0.5), value=1.0)
        >>> market = Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)])
        >>> market.mechanism.kind, market.offers
        ('posted_price', ['one/default'])
    """

    name: Name = field("market", doc="name of the scenario")
    question: str = field("", doc="the question it answers", max_length=400)
    catalogue: str = field("", doc="catalogue of models it draws sellers from", max_length=64)
    run: Run = field({}, doc="how long to simulate, how finely to record")
    quotes: Quotes = field({}, doc="what buyers know")
    platform: Platform = field({}, doc="the marketplace's own terms")
    mechanism: Mechanism = field(
        {"kind": "posted_price"}, doc="how tasks and sellers meet: posted_price, second_score, or "
        "a Python function",
    )  # fmt: skip
    tasks: list[TaskClass] = field(doc="the task classes", min_length=1, max_length=64)
    sellers: list[Seller] = field(doc="the sellers", min_length=1, max_length=1000)
    events: list[Event] = field([], doc="what happens at set times", max_length=10_000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, twice in (
            ("task", _repeated(task.name for task in self.tasks)),
            ("seller", _repeated(seller.name for seller in self.sellers)),
        ):
            if twice:
                raise ValueError(f"two {what}s are called {', '.join(twice)}")
        if self.run.warmup >= self.run.until:
            raise ValueError(
                f"run.warmup ({self.run.warmup:g} s) must be shorter than run.until "
                f"({self.run.until:g} s)"
            )
        known = {s.name: s for s in self.sellers}
        for event in self.events:
            if event.seller not in known:
                raise ValueError(f'an event names the unknown seller "{event.seller}"')
            if isinstance(event, AddSlots) and math.isinf(known[event.seller].slots):
                raise ValueError(f'seller "{event.seller}" has unlimited slots already')
        if self.quotes.latency == "promised":
            silent = [s.name for s in self.sellers if s.promise is None]
            if silent:
                raise ValueError(f"quotes are promised but {', '.join(silent[:5])} promise nothing")
        return self

    @property
    def offers(self) -> list[str]:
        """Names of all offers, `seller/effort`, in the kernel's order."""
        return [offer for seller in self.sellers for offer in seller.offers]

    @property
    def epoch(self) -> float:
        """Length of an epoch, seconds."""
        return self.run.epoch or self.run.until / 400

    def arrival_rate(self, task: TaskClass) -> float:
        """Long-run arrivals of a class, tasks/s (an upper bound for closed populations)."""
        return task.arrivals.mean_rate
