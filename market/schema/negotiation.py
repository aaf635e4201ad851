"""Negotiation as data: who opens, how long a round takes, and how the two sides bargain."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictBool

from .fields import Number, Seconds, Spec, Whole, field, word

MOST_ROUNDS = 1000


class Rubinstein(Spec):
    """Alternating offers under complete information: the price of the subgame-perfect equilibrium.

    Each side knows what the task is worth to the buyer and costs the seller, and what a round of
    delay costs either.

    Example:
        >>> Rubinstein(rounds=3, buyer_discount=0.8).rounds
        3
    """

    kind: Literal["rubinstein"] = "rubinstein"
    rounds: Whole | None = field(
        None, doc="rounds after which there are no more talks; without end when absent",
        unit="rounds", ge=1, le=MOST_ROUNDS, source="Ståhl 1972",
    )  # fmt: skip
    buyer_discount: Number = field(
        0.9, doc="what is left to the buyer of a gain that comes one round later", unit="ratio",
        ge=0, lt=1, source="Rubinstein 1982",
    )  # fmt: skip
    seller_discount: Number = field(
        0.9, doc="what is left to the seller of a gain that comes one round later", unit="ratio",
        ge=0, lt=1, source="Rubinstein 1982",
    )  # fmt: skip


class Tactic(Spec):
    """How one side gives way with time: a share F(t) = k + (1 − k)·(t/T)^(1/β) of its range.

    Example:
        >>> Tactic(beta=0.2).rounds
        10
    """

    rounds: Whole = field(10, doc="rounds after which this side breaks off (T + 1)", unit="rounds",
                          ge=2, le=MOST_ROUNDS)  # fmt: skip
    beta: Number = field(
        1.0, doc="shape β: below 1 it holds out until its deadline (Boulware), above 1 it gives "
        "way at once (Conceder)", unit="ratio", ge=0.01, le=100,
        source="Faratin, Sierra & Jennings 1998",
    )  # fmt: skip
    opening: Number = field(
        0.0, doc="share k of its range that its first offer gives away", unit="ratio", ge=0, le=1,
        source="Faratin, Sierra & Jennings 1998",
    )  # fmt: skip
    tit_for_tat: StrictBool = field(
        False, doc="concede as much as the other side did last, once it has offered twice"
    )


class Concession(Spec):
    """Concession tactics under incomplete information: neither side knows the other's limit."""

    kind: Literal["concession"] = "concession"
    buyer: Tactic = field({}, doc="how the buyer gives way")
    seller: Tactic = field({}, doc="how the seller gives way")


_Bargaining = Annotated[Rubinstein | Concession, Field(discriminator="kind")]
Bargaining = Annotated[_Bargaining, BeforeValidator(word)]


class Negotiation(Spec):
    """A buyer talks to one owner after the other; offers alternate, and talking takes time.

    Example:
        >>> Negotiation(bargaining="concession").bargaining.buyer.beta
        1.0
    """

    kind: Literal["negotiation"] = "negotiation"
    bargaining: Bargaining = field(
        {"kind": "rubinstein"}, doc="how the sides bargain: rubinstein, or concession"
    )
    first: Literal["buyer", "seller"] = field("buyer", doc="who makes the first offer")
    round_time: Seconds = field(
        1.0, doc="time that an offer and its answer take", unit="s", ge=0, le=1e6
    )
