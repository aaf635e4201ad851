"""The rules of the economy, each once: scalar functions that kernel, fluid model and hooks share.

Units: seconds, tokens, USD. Every function is compiled by the one decorator of `jit` and runs
as plain Python too, with the same bits.
"""

from __future__ import annotations

import math

from .jit import compiled

HARD, LINEAR, HALFLIFE = range(3)
LN2 = math.log(2.0)


@compiled
def service_rate(speed: float, kappa: float, running: int) -> float:
    """Return the rate of each of n streams, tokens/s: r(n) = r₁·κ / (κ + n − 1).

    κ = ∞ gives independent servers, κ = 1 processor sharing; total throughput saturates at r₁κ.

    Example:
        >>> service_rate(100.0, 4.0, 5), service_rate(100.0, math.inf, 5)
        (50.0, 100.0)
    """
    if math.isinf(kappa) or running <= 1:
        return speed
    return speed * kappa / (kappa + running - 1.0)


@compiled
def work_tokens(
    tokens_in: float, tokens_out: float, thinking: float, prefill: float, verbosity: float
) -> float:
    """Return the work of a task in output-token equivalents.

    input · r₁/prefill_rate + output · verbosity + thinking; `prefill` is r₁/prefill_rate.

    Example:
        >>> work_tokens(1000.0, 50.0, 0.0, 0.02, 1.0)
        70.0
    """
    return tokens_in * prefill + tokens_out * verbosity + thinking


@compiled
def logistic(x: float) -> float:
    """Return 1/(1 + e^(−x)) without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@compiled
def ability(theta: float, beta: float, tau: float, thinking: float, e0: float) -> float:
    """Return ability on the logit scale: θ + β·ln(1 + e/e₀) + τ (Birnbaum 1968, with effort)."""
    return theta + beta * math.log1p(thinking / e0) + tau


@compiled
def accuracy(floor: float, ceiling: float, skill: float, difficulty: float) -> float:
    """Return Pr(right | difficulty) = floor + (ceiling − floor)·logistic(ability − b).

    The four-parameter logistic of item response theory (Barton & Lord 1981).

    Example:
        >>> accuracy(0.25, 1.0, 0.0, 0.0)
        0.625
    """
    return floor + (ceiling - floor) * logistic(skill - difficulty)


@compiled
def lateness(rule: int, parameter: float, late: float) -> float:
    """Return δ, the share of value left `late` seconds after the deadline.

    hard 1{x = 0}; linear max(0, 1 − x/grace); half-life 2^(−x/h); x = max(late, 0).

    Example:
        >>> lateness(LINEAR, 10.0, 2.5), lateness(HARD, 0.0, -1.0)
        (0.75, 1.0)
    """
    if late <= 0.0:
        return 1.0
    if rule == HARD:
        return 0.0
    if rule == LINEAR:
        return max(0.0, 1.0 - late / parameter)
    return math.exp(-LN2 * late / parameter)


@compiled
def overdue(now: float, arrival: float, outside: float, limit: float) -> float:
    """Return how many seconds an answer is past its limit, 0 if it is not.

    Times are rounded at the size of the clock; an answer due to the last bit is not late, so
    what lies within a few units in the last place of the clock is no delay.

    Example:
        >>> overdue(100000.1, 100000.0, 0.0, 0.1), overdue(3.0, 1.0, 0.5, 2.0)
        (0.0, 0.5)
    """
    late = now - arrival + outside - limit
    return late if late > 1e-15 * (now + limit) else 0.0


@compiled
def price_of(
    per_task: float, per_input: float, per_output: float, tokens_in: float, billed_out: float
) -> float:
    """Return the price of a task, USD; rates in USD per token, thinking billed as output."""
    return per_task + per_input * tokens_in + per_output * billed_out


@compiled
def wait_ahead(in_service: float, ahead: float, slots: float, rate: float) -> float:
    """Return the observed wait, s: (S̄ + Σ work ahead) / slots, work served at `rate`.

    `in_service` is the mean class work of the tasks in service, `ahead` the sum over the waiting
    tasks served before mine, both in tokens. With one class: S·(n − c + 1)/c.

    Example:
        >>> wait_ahead(60.0, 120.0, 2.0, 30.0)
        3.0
    """
    return (in_service + ahead) / (slots * rate)


@compiled
def refund_share(late: bool, right: bool, if_late: float, if_wrong: float) -> float:
    """Return the share of the price paid back: the larger of the two promises that apply."""
    share = if_late if late else 0.0
    if not right and if_wrong > share:
        share = if_wrong
    return share


@compiled
def expected_share(right: float, late: bool, if_late: float, if_wrong: float) -> float:
    """Return the expectation of `refund_share` over correctness.

    Example:
        >>> expected_share(0.75, True, 0.5, 1.0), expected_share(0.75, False, 0.5, 1.0)
        (0.625, 0.25)
    """
    return right * refund_share(late, True, if_late, if_wrong) + (1.0 - right) * refund_share(
        late, False, if_late, if_wrong
    )


@compiled
def expected_refund(
    served: float, timely: float, right: float, if_late: float, if_wrong: float
) -> float:
    """Return the expectation of `refund_share` over lateness and correctness, independent."""
    late = (served - timely) * expected_share(right, True, if_late, if_wrong)
    return late + timely * expected_share(right, False, if_late, if_wrong)


@compiled
def expected_utility(
    value: float, loss: float, delay_cost: float, right: float,
    delta: float, used: float, time: float, paid: float,
) -> float:  # fmt: skip
    """Return U, the expectation of `realised_utility` under a quote, USD, taste apart.

    U = A·V·E[δ] − (1 − A)·loss·Pr(δ > 0) − c·E[T] − E[paid], with δ = 0 when never served.

    Example:
        >>> expected_utility(1.0, 0.5, 0.25, 0.5, 1.0, 1.0, 0.5, 0.0625)
        0.0625
    """
    return right * value * delta - (1.0 - right) * loss * used - delay_cost * time - paid


@compiled
def realised_utility(
    value: float, loss: float, delay_cost: float, right: bool,
    delta: float, time: float, paid: float,
) -> float:  # fmt: skip
    """Return u of a served task, USD, taste apart: right·V·δ − wrong·loss·1{δ > 0} − c·T − paid."""
    worth = value * delta if right else (-loss if delta > 0.0 else 0.0)
    return worth - delay_cost * time - paid


@compiled
def round_half_even(x: float) -> float:
    """Return x rounded to a whole number, halves to the even one, without the C library."""
    low = math.floor(x)
    rest = x - low
    if rest > 0.5 or (rest == 0.5 and low - 2.0 * math.floor(low / 2.0) == 1.0):
        return low + 1.0
    return float(low)


@compiled
def nano(usd: float) -> int:
    """Return an amount in nano-dollars, rounded half-even once.

    Beyond 5e9 USD either way it is taken as that much, which no account can hold: the ledger
    stops the run instead of an integer wrapping around.

    Example:
        >>> nano(0.0000000025), nano(1.5), nano(1e300)
        (2, 1500000000, 5000000000000000000)
    """
    return int(round_half_even(min(max(usd, -5e9), 5e9) * 1e9))


@compiled
def share_of(amount: int, share: float) -> int:
    """Return a share of an amount of nano-dollars, rounded half-even once.

    Example:
        >>> share_of(1_000_000_001, 0.5)
        500000000
    """
    return int(round_half_even(amount * share))
