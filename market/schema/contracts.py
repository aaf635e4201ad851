"""Contracts: terms between one customer and one seller for a period, beside the posted price.

One table of terms covers a subscription (fee and quota), a two-part tariff (fee and a rate below
1), a priority tier (a level and a rate above 1), an asynchronous tier (a time within which the
answer comes, half price, the last level) and pay-on-success.
"""

from __future__ import annotations

from pydantic import StrictBool

from .fields import Number, Seconds, Spec, Unlimited, Whole, field

LAST_LEVEL = 7
"""The queue level that is served after all others."""


class Contract(Spec):
    """What a customer agrees with a seller for a period.

    A task of n tokens (input and billed output) that meets q tokens of quota still left costs
    rate · posted price · max(n − q, 0) / n: two-part tariffs and quotas after Oi (1971), priority
    after Cobham (1954).

    Example:
        >>> Contract(fee=20.0, quota=1e6).rate
        1.0
        >>> Contract(rate=0.5, within="24 h").within
        86400.0
    """

    fee: Number = field(0.0, doc="paid at the start of each period", unit="USD/period",
                        ge=0, le=1e6)  # fmt: skip
    quota: Unlimited = field(
        0.0, doc="tokens of each period, input and billed output, that cost nothing more",
        unit="tokens/period", ge=0,
    )  # fmt: skip
    rate: Number = field(
        1.0, doc="what the quota does not cover costs this many times the posted price: below 1 "
        "a discount, above 1 a surcharge", unit="ratio", ge=0, le=1000, source="Oi 1971",
    )  # fmt: skip
    level: Whole | None = field(
        None, doc="queue level at this seller in place of the class's own; 0 is served first; "
        "when absent the class's own, or 7 under `within` if the seller honours levels",
        unit="level", ge=0, le=LAST_LEVEL,
    )  # fmt: skip
    within: Seconds | None = field(
        None, doc="asynchronous: the answer comes within this time, with which the buyer reckons; "
        "a later one is not billed", unit="s", gt=0,
    )  # fmt: skip
    on_success: StrictBool = field(False, doc="is a wrong answer free?")

    def level_at(self, discipline: str) -> int:
        """Return the queue level of its tasks under a discipline, −1 for the class's own.

        Example:
            >>> Contract(within=60.0).level_at("priority"), Contract().level_at("priority")
            (7, -1)
        """
        if self.level is not None:
            return self.level
        return LAST_LEVEL if self.within is not None and discipline != "fcfs" else -1
