"""Each rule against its equation, at the edges, and compiled against plain Python bit for bit."""

from __future__ import annotations

import inspect
import math
import struct
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from walras.market import rules
from walras.market.rules import (
    HALFLIFE,
    HARD,
    LINEAR,
    ability,
    accuracy,
    expected_refund,
    expected_utility,
    lateness,
    logistic,
    nano,
    price_of,
    realised_utility,
    refund_share,
    round_half_even,
    service_rate,
    share_of,
    wait_ahead,
    work_tokens,
)

steady = settings(deadline=None, derandomize=True)
INF = math.inf
unit = st.floats(0.0, 1.0)
money = st.floats(0.0, 1e6)
time = st.floats(0.0, 1e6)
real = st.floats(-1e6, 1e6)


# --- service -----------------------------------------------------------------------------------


@steady
@given(speed=st.floats(1e-3, 1e6), kappa=st.floats(1.0, 1e6), n=st.integers(1, 10_000))
def test_service_rate(speed: float, kappa: float, n: int) -> None:
    """r(n) = r₁κ/(κ + n − 1): falls with n, total throughput rises and stays below r₁κ."""
    rate = service_rate(speed, kappa, n)
    assert rate == pytest.approx(
        float(Fraction(speed) * Fraction(kappa) / (Fraction(kappa) + n - 1))
    )
    more = service_rate(speed, kappa, n + 1)
    assert more < rate
    assert n * rate <= (n + 1) * more * (1 + 1e-12)
    assert n * rate <= speed * kappa * (1 + 1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_service_rate_at_the_ends(n: int) -> None:
    """κ = ∞: independent servers; κ = 1: processor sharing; alone, or none, at full speed."""
    assert service_rate(70.0, INF, n) == 70.0
    assert service_rate(70.0, 1.0, n) == 70.0 / max(n, 1)
    assert service_rate(70.0, 5.0, min(n, 1)) == 70.0


def test_work_by_hand() -> None:
    """Input at the ratio of speed to prefill rate, output times verbosity, and thinking."""
    assert work_tokens(1000.0, 50.0, 300.0, 0.25, 2.0) == 250.0 + 100.0 + 300.0
    assert work_tokens(1000.0, 50.0, 0.0, 0.0, 1.0) == 50.0


@steady
@given(in_service=time, ahead=time, slots=st.integers(1, 1000), rate=st.floats(0.1, 1e4))
def test_wait_ahead(in_service: float, ahead: float, slots: int, rate: float) -> None:
    """(S̄ + Σ work ahead)/slots at the rate; with one class S·(n − c + 1)/c."""
    exact = (Fraction(in_service) + Fraction(ahead)) / (slots * Fraction(rate))
    assert wait_ahead(in_service, ahead, float(slots), rate) == pytest.approx(float(exact))
    for n in (slots, slots + 3):  # n in system, c = slots in service
        same = wait_ahead(7.0, (n - slots) * 7.0, float(slots), 1.0)
        assert same == pytest.approx(7.0 * (n - slots + 1) / slots)


# --- answers -----------------------------------------------------------------------------------


@steady
@given(x=st.floats(allow_nan=False))
def test_logistic(x: float) -> None:
    """In [0, 1], 1/(1 + e^(−x)), mirrored about 0, finite even at infinity."""
    y = logistic(x)
    assert 0.0 <= y <= 1.0
    assert y + logistic(-x) == pytest.approx(1.0, abs=1e-15)
    if abs(x) < 700:
        assert y == pytest.approx(1.0 / (1.0 + math.exp(-x)), rel=1e-14)


def test_logistic_at_the_ends() -> None:
    """No overflow: infinite ability is always right."""
    assert [logistic(x) for x in (-INF, -1e4, 0.0, 1e4, INF)] == [0.0, 0.0, 0.5, 1.0, 1.0]


@steady
@given(
    theta=real, beta=st.floats(-5, 10), tau=real, thinking=st.floats(0, 1e9), e0=st.floats(1, 1e6)
)
def test_ability(theta: float, beta: float, tau: float, thinking: float, e0: float) -> None:
    """θ + β·ln(1 + e/e₀) + τ; without thinking the slope does not count."""
    exact = theta + beta * np.log1p(thinking / e0) + tau
    assert ability(theta, beta, tau, thinking, e0) == pytest.approx(exact, rel=1e-12, abs=1e-9)
    assert ability(theta, beta, tau, 0.0, e0) == theta + 0.0 + tau


@steady
@given(
    floor=unit, span=unit, skill=st.floats(-60, 60), b=st.floats(-60, 60), easier=st.floats(0, 5)
)
def test_accuracy(floor: float, span: float, skill: float, b: float, easier: float) -> None:
    """Between floor and ceiling, halfway where ability meets difficulty, better if easier."""
    ceiling = floor + span * (1.0 - floor)
    a = accuracy(floor, ceiling, skill, b)
    assert floor - 1e-15 <= a <= ceiling + 1e-15
    assert accuracy(floor, ceiling, skill, b - easier) >= a
    assert accuracy(floor, ceiling, b, b) == pytest.approx((floor + ceiling) / 2)


# --- lateness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [HARD, LINEAR, HALFLIFE])
def test_nothing_is_lost_up_to_the_deadline(rule: int) -> None:
    """On the dot is on time; without a deadline (−∞ late) nothing is ever lost."""
    for late in (0.0, -0.0, -1e-300, -5.0, -INF):
        assert lateness(rule, 4.0, late) == 1.0


def test_lateness_by_hand() -> None:
    """Hard drops at once; linear reaches 0 at the grace and stays; half-life halves."""
    assert lateness(HARD, 0.0, 5e-324) == 0.0
    assert [lateness(LINEAR, 4.0, x) for x in (1.0, 2.0, 4.0, 4.1, INF)] == [0.75, 0.5, 0, 0, 0]
    assert [lateness(HALFLIFE, 4.0, x) for x in (4.0, 8.0)] == pytest.approx([0.5, 0.25])
    assert lateness(HALFLIFE, 4.0, INF) == 0.0


@steady
@given(rule=st.sampled_from([HARD, LINEAR, HALFLIFE]), parameter=st.floats(1e-3, 1e6),
       late=real, more=st.floats(0, 1e6))  # fmt: skip
def test_later_is_never_better(rule: int, parameter: float, late: float, more: float) -> None:
    """δ is in [0, 1] and does not rise with lateness."""
    delta = lateness(rule, parameter, late)
    assert 0.0 <= lateness(rule, parameter, late + more) <= delta <= 1.0


# --- money -------------------------------------------------------------------------------------


def test_price_by_hand() -> None:
    """Per task, plus input and billed output tokens."""
    assert price_of(0.5, 0.25, 2.0, 8.0, 3.0) == 0.5 + 2.0 + 6.0


@pytest.mark.parametrize(("late", "right"), list(product([False, True], repeat=2)))
def test_refund_is_the_larger_of_the_promises_that_apply(late: bool, right: bool) -> None:
    """By hand over both orders of the two shares."""
    for if_late, if_wrong in ((0.5, 0.75), (0.75, 0.5), (0.0, 1.0), (0.3, 0.3)):
        due = [share for share, owed in ((if_late, late), (if_wrong, not right)) if owed]
        assert refund_share(late, right, if_late, if_wrong) == max(due, default=0.0)


@steady
@given(served=unit, on_time=unit, right=unit, if_late=unit, if_wrong=unit)
def test_expected_refund(
    served: float, on_time: float, right: float, if_late: float, if_wrong: float
) -> None:
    """The expectation of the refund over lateness and correctness; nothing if never served."""
    timely = served * on_time
    exact = sum(
        weight * (right if good else 1.0 - right) * refund_share(late, good, if_late, if_wrong)
        for late, weight in ((True, served - timely), (False, timely))
        for good in (True, False)
    )
    got = expected_refund(served, timely, right, if_late, if_wrong)
    assert got == pytest.approx(exact, abs=1e-12)
    assert -1e-15 <= got <= served + 1e-15


@steady
@given(value=money, loss=money, cost=unit, right=unit, time_=time, paid=real,
       late=st.lists(st.floats(-5, 20), min_size=1, max_size=8),
       rule=st.sampled_from([HARD, LINEAR, HALFLIFE]))  # fmt: skip
def test_expected_utility_is_the_expectation_of_the_realised(
    value: float, loss: float, cost: float, right: float, time_: float, paid: float,
    late: list[float], rule: int,
) -> None:  # fmt: skip
    """Over a law of lateness and correctness, with the same time and payment."""
    deltas = [lateness(rule, 3.0, x) for x in late]
    each = 1.0 / len(late)
    exact = sum(
        each * (right if good else 1 - right)
        * realised_utility(value, loss, cost, good, d, time_, paid)
        for d in deltas for good in (True, False)
    )  # fmt: skip
    delta, used = sum(deltas) * each, sum(d > 0 for d in deltas) * each
    got = expected_utility(value, loss, cost, right, delta, used, time_, paid)
    assert got == pytest.approx(exact, rel=1e-9, abs=1e-6)


def test_realised_utility_by_hand() -> None:
    """A right answer is worth V·δ; a wrong one loses, unless it comes too late to be used."""
    assert realised_utility(8.0, 3.0, 0.5, True, 0.5, 2.0, 1.0) == 4.0 - 1.0 - 1.0
    assert realised_utility(8.0, 3.0, 0.5, False, 0.5, 2.0, 1.0) == -3.0 - 1.0 - 1.0
    assert realised_utility(8.0, 3.0, 0.5, False, 0.0, 2.0, 1.0) == -1.0 - 1.0
    assert realised_utility(8.0, 3.0, 0.5, True, 0.0, 2.0, -1.0) == -1.0 + 1.0


# --- rounding ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "whole"),
    [(0.5, 0), (1.5, 2), (2.5, 2), (3.5, 4), (-0.5, 0), (-1.5, -2), (-2.5, -2), (-3.5, -4),
     (0.49999999999999994, 0), (-0.49999999999999994, 0), (1e-320, 0), (-1e-320, 0),
     (2.0**52 - 0.5, 2**52), (2.0**52 - 1.5, 2**52 - 2), (2.0**52 + 1, 2**52 + 1),
     (2.0**53, 2**53), (2.0**53 + 2, 2**53 + 2), (-(2.0**53), -(2**53)),
     (-(2.0**52) + 0.5, -(2**52)), (4.6e18, 4_600_000_000_000_000_000)],
)  # fmt: skip
def test_halves_go_to_the_even_number(x: float, whole: int) -> None:
    """Ties of both signs and parities; beyond 2⁵² every float is whole already."""
    assert int(round_half_even(x)) == whole == round(Fraction(x))


@steady
@given(
    x=st.one_of(st.floats(-(2.0**62), 2.0**62), st.integers(-(2**53), 2**53).map(lambda i: i / 2))
)
def test_rounding_is_pythons(x: float) -> None:
    """Equal to Python's own half-even rounding of the exact number."""
    assert int(round_half_even(x)) == round(Fraction(x))


@steady
@given(usd=st.floats(-4e9, 4e9))
def test_nano_rounds_the_product_once(usd: float) -> None:
    """The float product rounded half-even, as a whole number; odd in its argument."""
    assert nano(usd) == round(Fraction(usd * 1e9))
    assert nano(-usd) == -nano(usd)


@steady
@given(amount=st.integers(0, 2**53), share=unit)
def test_shares_are_whole_and_leave_a_remainder(amount: int, share: float) -> None:
    """0 ≤ round(share·amount) ≤ amount; all of it at 1, nothing at 0; monotone in the amount."""
    part = share_of(amount, share)
    assert part == round(Fraction(float(amount) * share))
    assert 0 <= part <= amount
    assert (share_of(amount, 0.0), share_of(amount, 1.0)) == (0, amount)
    assert share_of(amount // 2, share) <= part


# --- compiled and plain ------------------------------------------------------------------------

_SCALARS = {
    "running": st.integers(0, 2**40), "rule": st.sampled_from([HARD, LINEAR, HALFLIFE]),
    "amount": st.integers(0, 2**62),
    "kappa": st.one_of(st.floats(1.0, 1e9), st.just(INF)), "parameter": st.floats(1e-9, 1e9),
    "e0": st.floats(1e-6, 1e9), "thinking": st.floats(0.0, 1e9), "slots": st.floats(1.0, 1e6),
    "rate": st.floats(1e-9, 1e9), "usd": st.floats(-4e9, 4e9), "share": unit,
    "x": st.floats(-(2.0**62), 2.0**62),
}  # fmt: skip
_FUNCTIONS = [f for n, f in vars(rules).items() if hasattr(f, "py_func") and n != "compiled"]


def test_every_rule_is_compared() -> None:
    """The comparison below knows all seventeen rules (none when compilation is off)."""
    assert len(_FUNCTIONS) in (0, 17)


@pytest.mark.parametrize("rule", _FUNCTIONS, ids=lambda f: str(f.__name__))
@steady
@given(data=st.data())
def test_compiled_equals_plain_bit_for_bit(rule: Any, data: st.DataObject) -> None:
    """Any arguments give the same bits both ways."""
    arguments: list[float] = []
    for name, parameter in inspect.signature(rule.py_func).parameters.items():
        if parameter.annotation == "bool":
            arguments.append(data.draw(st.booleans()))
        else:
            arguments.append(data.draw(_SCALARS.get(name, real)))
    assert bits(rule(*arguments)) == bits(rule.py_func(*arguments))


def bits(value: float) -> tuple[type, bytes]:
    """Return type and bits of a number; the sign of a zero counts."""
    if isinstance(value, int):
        return int, value.to_bytes(16, "little", signed=True)
    return float, struct.pack("<d", value)
