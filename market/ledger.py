"""The ledger: every payment is two postings of one integer, so accounts always sum to zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import compiled
from .rules import share_of

LIMIT = 1 << 62
"""Largest balance in nano-dollars (4.6e9 USD); beyond it the run stops with an error."""


@compiled
def post(accounts: NDArray[np.int64], payer: int, payee: int, amount: int) -> None:
    """Move an amount of nano-dollars; the last cell of `accounts` is raised on overflow."""
    if amount > LIMIT or amount < -LIMIT:
        accounts[len(accounts) - 1] = 1
        return
    accounts[payer] -= amount
    accounts[payee] += amount
    if abs(accounts[payer]) > LIMIT or abs(accounts[payee]) > LIMIT:
        accounts[len(accounts) - 1] = 1


@compiled
def settle(
    accounts: NDArray[np.int64], buyer: int, seller: int, platform: int, supplies: int,
    price: int, refund: int, penalty: int, cost: int, commission: float,
) -> tuple[int, int]:  # fmt: skip
    """Post one served task and return (commission, commission given back), nano-dollars.

    The buyer pays the price; the platform keeps round(rate · price), the seller the remainder.
    A refund reverses both in proportion; a penalty goes from seller to buyer, cost to suppliers.

    Example:
        >>> books = np.zeros(5, dtype=np.int64)
        >>> settle(books, 0, 1, 2, 3, 1000, 500, 0, 100, 0.2)
        (200, 100)
        >>> books.tolist()
        [-500, 300, 100, 100, 0]
    """
    kept = share_of(price, commission)
    post(accounts, buyer, platform, kept)
    post(accounts, buyer, seller, price - kept)
    back = share_of(refund, commission)
    if refund > 0:
        post(accounts, platform, buyer, back)
        post(accounts, seller, buyer, refund - back)
    if penalty > 0:
        post(accounts, seller, buyer, penalty)
    post(accounts, seller, supplies, cost)
    return kept, back
