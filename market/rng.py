"""Keyed randomness: every draw is a hash of what it is for, so draw order means nothing.

The generator is SplitMix64 (Steele, Lea, Flood 2014) used as a counter-based hash: the key is
a task's id, the counter is what the draw is for. Adding a seller, a retry or a worker process
changes no other draw.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from .jit import compiled

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)
_ONE = np.uint64(1)

# What a draw is for (the counter). Values are part of the digest: never renumber.
INPUT = np.uint64(1)
OUTPUT = np.uint64(2)
VALUE = np.uint64(3)
DELAY_COST = np.uint64(4)
DEADLINE = np.uint64(5)
PATIENCE = np.uint64(6)
DIFFICULTY = np.uint64(7)
GAP = np.uint64(8)
THIN = np.uint64(9)
BATCH = np.uint64(10)
PHASE = np.uint64(11)
THINK = np.uint64(12)
TASTE = np.uint64(13)
SHOWN = np.uint64(17)
USER = np.uint64(18)
ROW = np.uint64(19)
SUBMIT = np.uint64(20)
WHO = np.uint64(31)
USAGE = np.uint64(32)
SHOUT = np.uint64(40)
QUOTE = np.uint64(41)
ADAPT = np.uint64(42)


def name_key(*names: str) -> np.uint64:
    """Return the 64-bit key of a name, the same in every process and on every machine.

    Example:
        >>> int(name_key("chat"))
        3221391009418557940
    """
    text = b"\0".join(name.encode("utf-8", "surrogatepass") for name in names)
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


@compiled
def hash2(key: np.uint64, counter: np.uint64) -> np.uint64:
    """Return a 64-bit hash of (key, counter): one step of SplitMix64 at that counter."""
    x = key + GOLDEN * (counter + _ONE)
    x = (x ^ (x >> _S30)) * _MIX1
    x = (x ^ (x >> _S27)) * _MIX2
    return x ^ (x >> _S31)


def hashed(key: int | np.uint64, *counters: int | np.uint64) -> np.uint64:
    """Return `hash2` applied along counters, for callers outside compiled code.

    Compiled functions hand 64-bit numbers back as Python ints, which the next call would take for
    signed: this keeps them unsigned.

    Example:
        >>> int(hashed(1, 2, 3)) == int(
        ...     hash2(np.uint64(hash2(np.uint64(1), np.uint64(2))), np.uint64(3))
        ... )
        True
    """
    state = np.uint64(key)
    with np.errstate(over="ignore"):
        for counter in counters:
            state = np.uint64(hash2(state, np.uint64(counter)))
    return state


@compiled
def uniform(bits: np.uint64) -> float:
    """Return a uniform number strictly inside (0, 1) from 64 random bits."""
    return (float(bits >> _S12) + 0.5) * 2.220446049250313e-16


@compiled
def normal_quantile(p: float) -> float:
    """Return the standard normal quantile, relative error below 1e-15 (Wichura 1988, AS 241).

    Example:
        >>> round(normal_quantile(0.975), 12)
        1.95996398454
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = (((((((2509.0809287301226727 * r + 33430.575583588128105) * r
                    + 67265.770927008700853) * r + 45921.953931549871457) * r
                  + 13731.693765509461125) * r + 1971.5909503065514427) * r
                + 133.14166789178437745) * r + 3.387132872796366608)  # fmt: skip
        den = (((((((5226.495278852545925 * r + 28729.085735721942674) * r
                    + 39307.89580009271061) * r + 21213.794301586595867) * r
                  + 5394.1960214247511077) * r + 687.1870074920579083) * r
                + 42.313330701600911252) * r + 1.0)  # fmt: skip
        return q * num / den
    r = p if q < 0.0 else 1.0 - p
    r = math.sqrt(-math.log(r))
    if r <= 5.0:
        r -= 1.6
        num = (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r
                    + 0.24178072517745061177) * r + 1.27045825245236838258) * r
                  + 3.64784832476320460504) * r + 5.7694972214606914055) * r
                + 4.6303378461565452959) * r + 1.42343711074968357734)  # fmt: skip
        den = (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r
                    + 0.0151986665636164571966) * r + 0.14810397642748007459) * r
                  + 0.68976733498510000455) * r + 1.6763848301838038494) * r
                + 2.05319162663775882187) * r + 1.0)  # fmt: skip
    else:
        r -= 5.0
        num = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                    + 0.0012426609473880784386) * r + 0.026532189526576123093) * r
                  + 0.29656057182850489123) * r + 1.7848265399172913358) * r
                + 5.4637849111641143699) * r + 6.6579046435011037772)  # fmt: skip
        den = (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r
                    + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4) * r
                  + 0.0148753612908506148525) * r + 0.13692988092273580531) * r
                + 0.59983220655588793769) * r + 1.0)  # fmt: skip
    x = num / den
    return -x if q < 0.0 else x
