"""The spec of a market: what the economy is, as data.

Demand is in `demand`, supply in `supply`; here they meet: the mechanism, the platform, what
buyers know, what happens when, and how long to simulate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .auctions import Procurement, ScoringAuction
from .demand import TaskClass
from .distributions import Recorded
from .fields import Many, Name, Number, Seconds, Spec, Text, Whole, field, instance, word
from .negotiation import Negotiation
from .supply import HIGHEST_PRICE, Seller
from .trading import DOUBLE, CallMarket, ContinuousAuction, KDouble

_MOST_EPOCHS = 1_000_000


class PostedPrice(Spec):
    """Sellers post prices; each buyer takes the offer with the highest expected utility."""

    kind: Literal["posted_price"] = "posted_price"


_Mechanism = Annotated[
    PostedPrice
    | Procurement
    | ScoringAuction
    | Negotiation
    | KDouble
    | CallMarket
    | ContinuousAuction,
    Field(discriminator="kind"),
]
Mechanism = Annotated[
    _Mechanism | Callable[..., Any], BeforeValidator(word), BeforeValidator(instance)
]


class Platform(Spec):
    """The marketplace's own terms: what it keeps, what it shows, what looking costs."""

    commission: Number = field(0.0, doc="share of each payment kept by the platform",
                               unit="ratio", ge=0, lt=1)  # fmt: skip
    ranking: Literal["price", "accuracy", "random", "rating", "sponsored"] = field(
        "price", doc="order in which offers are shown to buyers that consider only a few: "
        "cheapest, most accurate by claim, drawn, best rated, or by what sellers bid for position "
        "(`sponsor`)",
    )  # fmt: skip
    rerank_every: Seconds = field(
        3600.0, doc="time between two rankings by rating; the other rankings follow every change "
        "at once", unit="s", ge=1e-6,
    )  # fmt: skip
    rating_prior: Number = field(
        10.0, doc="weight of the claimed accuracy in a rating, in answers: a rating is (prior · "
        "claim + right answers) / (prior + answers)", unit="answers", ge=0, le=1e9,
        source="posterior mean of a Bernoulli probability under a beta prior",
    )  # fmt: skip
    search_cost: Number = field(
        0.0, doc="cost of each offer that a buyer looks at; it looks at them one by one and stops "
        "when that is best", unit="USD", ge=0, le=1e9, source="Weitzman 1979",
    )  # fmt: skip
    contract_period: Seconds = field(
        "30 d", doc="time for which a contract is chosen, and after which its fee is due again",
        unit="s", ge=1e-6,
    )  # fmt: skip


class Quotes(Spec):
    """What a buyer knows about an offer when it chooses."""

    price: Literal["expected", "exact"] = field(
        "expected", doc="price over the class's mean tokens, or of this very task"
    )
    latency: Literal["observed", "average", "promised"] = field(
        "observed", doc="from the queue as it stands, from past answers, or as promised"
    )
    accuracy: Literal["true", "claimed", "rated"] = field(
        "true", doc="the class's true accuracy, the advertised one, or what past buyers say "
        "(`platform.rating_prior`)",
    )  # fmt: skip
    memory: Seconds = field(
        3600.0, doc="memory of average quotes: an answer's weight falls to 1/e in this time",
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
                          unit="USD/Mtok or USD/task", ge=0, le=HIGHEST_PRICE)  # fmt: skip


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


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def _check_search(tasks: Iterable[TaskClass], mechanism: object) -> None:
    """Refuse a search cost where there is no rule for optimal search."""
    what = "platform.search_cost is above 0"
    if not isinstance(mechanism, PostedPrice):
        raise ValueError(
            f"{what}, but buyers search among posted prices only; set it to 0 or leave the "
            "mechanism at posted_price"
        )
    for task in tasks:
        if callable(task.choice):
            raise ValueError(f'{what}, but tasks "{task.name}" choose by a Python rule')
        if getattr(task.choice, "nest", 1.0) < 1:
            raise ValueError(
                f"{what}, which needs tastes that are independent between offers: tasks "
                f'"{task.name}" have a nest below 1'
            )


class Market(Spec):
    """A market: tasks, sellers, a mechanism, and what buyers know.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> ask = TaskClass("chat", arrivals=Poisson(0.5), value=1.0)
        >>> market = Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)])
        >>> market.mechanism.kind, market.offers
        ('posted_price', ['one/default'])
    """

    name: Name = field("market", doc="name of the scenario")
    question: Text = field("", doc="the question it answers", max_length=400)
    catalogue: Text = field("", doc="catalogue of models it draws sellers from", max_length=64)
    run: Run = field({}, doc="how long to simulate, how finely to record")
    quotes: Quotes = field({}, doc="what buyers know")
    platform: Platform = field({}, doc="the marketplace's own terms")
    mechanism: Mechanism = field(
        {"kind": "posted_price"}, doc="how tasks and sellers meet: posted_price, first_price, "
        "vickrey, first_score, second_score, negotiation, k_double, call_market, continuous, or a "
        "Python function",
    )  # fmt: skip
    tasks: Many[TaskClass] = field(doc="the task classes", min_length=1, max_length=64)
    sellers: Many[Seller] = field(doc="the sellers", min_length=1, max_length=1000)
    events: Many[Event] = field((), doc="what happens at set times", max_length=10_000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, twice in (
            ("task", _repeated(task.name for task in self.tasks)),
            ("seller", _repeated(seller.name for seller in self.sellers)),
        ):
            if twice:
                raise ValueError(f"two {what}s are called {', '.join(twice)}")
        asked = [task.name for task in self.tasks if callable(task.choice)]
        if asked and not isinstance(self.mechanism, PostedPrice):
            raise ValueError(
                f'tasks "{asked[0]}": a Python choice rule chooses among posted prices; with '
                "another mechanism it is the mechanism that decides"
            )
        if self.platform.search_cost > 0:
            _check_search(self.tasks, self.mechanism)
        self._check_contracts()
        if self.run.warmup >= self.run.until:
            raise ValueError(
                f"run.warmup ({self.run.warmup:g} s) must be shorter than run.until "
                f"({self.run.until:g} s)"
            )
        last = math.ceil(self.run.warmup / self.epoch - 1e-9) * self.epoch
        if self.run.warmup > 0.0 and last >= self.run.until * (1.0 - 1e-9):
            raise ValueError(
                f"run.warmup ({self.run.warmup:g} s), rounded up to whole epochs of "
                f"{self.epoch:g} s, leaves nothing of run.until ({self.run.until:g} s) to measure"
            )
        if self.run.until > _MOST_EPOCHS * self.epoch:
            raise ValueError(
                f"run.epoch ({self.epoch:g} s) makes more than {_MOST_EPOCHS:,} epochs of "
                f"run.until ({self.run.until:g} s)"
            )
        known = {s.name: s for s in self.sellers}
        for event in self.events:
            if event.seller not in known:
                raise ValueError(f'an event names the unknown seller "{event.seller}"')
            if isinstance(event, AddSlots) and math.isinf(known[event.seller].slots):
                raise ValueError(f'seller "{event.seller}" has unlimited slots already')
        if isinstance(self.mechanism, DOUBLE):
            empty = [t.name for t in self.tasks if t.no_tokens]
            if empty:
                raise ValueError(
                    f"mechanism.kind {self.mechanism.kind} trades tokens, and tasks of class "
                    f'"{empty[0]}" have none'
                )
        bid = isinstance(self.mechanism, ScoringAuction) and self.mechanism.promise == "bid"
        if bid and self.quotes.latency != "promised":
            raise ValueError(
                f'mechanism.promise is "bid", but buyers don\'t go by promises: quotes.latency is '
                f'"{self.quotes.latency}"; it must be "promised"'
            )
        if self.quotes.latency == "promised" and not bid:
            silent = [s.name for s in self.sellers if s.promise is None]
            if silent:
                raise ValueError(f"quotes are promised but {', '.join(silent[:5])} promise nothing")
        return self

    def _check_contracts(self) -> None:
        under = [(s, n, c) for s in self.sellers for n, c in s.contracts.items()]
        if not under:
            return
        seller, name, _ = under[0]
        said = f'sellers "{seller.name}": contract "{name}"'
        if not isinstance(self.mechanism, PostedPrice):
            raise ValueError(f"{said} changes a posted price, and the mechanism is no posted price")
        asked = [task.name for task in self.tasks if callable(task.choice)]
        if asked:
            raise ValueError(
                f'tasks "{asked[0]}": a Python choice rule does not know contracts, and {said} '
                "is one; choose by argmax or logit"
            )
        listed = [task.name for task in self.tasks if isinstance(task.value, Recorded)]
        if listed:
            raise ValueError(
                f'tasks "{listed[0]}": customers expect bills by the law of a value, and {said} is '
                "for them; a value that is replayed has none"
            )
        if self.quotes.latency == "average":
            for seller, name, contract in under:
                if contract.level is not None and contract.within is None:
                    raise ValueError(
                        f'contract "{name}" of "{seller.name}" has a level of its own, and average '
                        "quotes tell no levels apart; make quotes observed or promised"
                    )

    @property
    def contracts(self) -> list[str]:
        """Names of all contracts, `seller/contract`, in the kernel's order."""
        return [f"{seller.name}/{name}" for seller in self.sellers for name in seller.contracts]

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
