"""Double auctions for commodity capacity, and how their traders quote, as they stand in a spec.

The commodity is tokens of a quality tier: input and output tokens of a task, answered by any offer
of the tier. Prices are USD per million of them. A unit is the service of one task; sellers sell
their free slots.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .fields import Number, Seconds, Spec, field, word

HIGHEST_QUOTE = 1e9
_PRICE: dict[str, Any] = {"unit": "USD/Mtok", "ge": 0, "le": HIGHEST_QUOTE}


class TruthfulTrader(Spec):
    """Quotes its limit: what the unit is worth to it, or what it costs."""

    kind: Literal["truthful"] = "truthful"


class LinearTrader(Spec):
    """Quotes slope · limit + intercept, but never at a loss.

    In the k-double auction with k = 1/2 of one buyer and one seller, worth and cost uniform on
    [0, 1], slope 2/3 with intercepts 1/12 (buyer) and 1/4 (seller) is an equilibrium (Chatterjee &
    Samuelson 1983).
    """

    kind: Literal["linear"] = "linear"
    slope: Number = field(2 / 3, doc="share of the limit price that is quoted", unit="ratio",
                          ge=0, le=1000)  # fmt: skip
    intercept: Number = field(0.0, doc="what is added", unit="USD/Mtok", ge=-HIGHEST_QUOTE,
                              le=HIGHEST_QUOTE)  # fmt: skip


class _Range(Spec):
    kind: str
    low: Number = field(0.0, doc="lowest quote", **_PRICE)
    high: Number = field(doc="highest quote", **_PRICE)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high {self.high:g} is below low {self.low:g}")
        return self


class ZIUTrader(_Range):
    """Zero intelligence, unconstrained: any price in the range, even at a loss (Gode & Sunder)."""

    kind: Literal["zi_u"] = "zi_u"


class ZICTrader(_Range):
    """Zero intelligence, constrained: any price in the range that makes no loss (Gode & Sunder)."""

    kind: Literal["zi_c"] = "zi_c"


class ZIPTrader(Spec):
    """Zero intelligence plus: learns a margin from every shout (Cliff 1997)."""

    kind: Literal["zip"] = "zip"
    step: Number = field(
        0.05, doc="largest absolute step of a target price beyond the price heard", **_PRICE,
        source="Cliff 1997, whose prices are about 2",
    )  # fmt: skip


_Rule = Annotated[
    TruthfulTrader | LinearTrader | ZIUTrader | ZICTrader | ZIPTrader, Field(discriminator="kind")
]
Rule = Annotated[_Rule, BeforeValidator(word)]
"""A quoting rule; a bare word stands for one with its defaults."""


class _Commodity(Spec):
    kind: str
    least_accuracy: Number = field(
        0.0, doc="quality tier: the least accuracy, as quoted, that an offer must have in every "
        "task class to deliver", unit="probability", ge=0, le=1,
    )  # fmt: skip
    buyers: Rule = field({"kind": "truthful"}, doc="how task classes quote")
    sellers: Rule = field({"kind": "truthful"}, doc="how owners quote")


class KDouble(_Commodity):
    """k-double auction: each task at once meets all owners' asks (Chatterjee & Samuelson 1983)."""

    kind: Literal["k_double"] = "k_double"
    k: Number = field(0.5, doc="where the price lies between the lowest (0) and the highest (1) "
                      "that clears the market", unit="ratio", ge=0, le=1)  # fmt: skip


class CallMarket(_Commodity):
    """Call market: waiting bids and asks are crossed every period, at one price for all."""

    kind: Literal["call_market"] = "call_market"
    k: Number = field(0.5, doc="where the price lies between the lowest (0) and the highest (1) "
                      "that clears the market", unit="ratio", ge=0, le=1)  # fmt: skip
    period: Seconds = field(1.0, doc="time between two sessions", unit="s", ge=1e-6)


class ContinuousAuction(_Commodity):
    """Continuous double auction: a quote that meets a standing order trades at its price."""

    kind: Literal["continuous"] = "continuous"
    shouts: Number = field(1.0, doc="quotes made, at regular steps", unit="1/s", gt=0, le=1e6)
    book: Literal["full", "best"] = field(
        "full", doc="full: every trader's last order stands; best: only the best bid and ask "
        "stand, only a better one replaces them, and a trade clears the book",
    )  # fmt: skip


DOUBLE = (KDouble, CallMarket, ContinuousAuction)
"""The double auctions."""
