"""Posted price: the buyer takes the offer with the highest expected utility net of its price.

The clearing rule of random-utility and discrete-choice markets (Anderson, de Palma & Thisse
1992); the winner is paid the posted price of the tokens it bills.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from ..rng import hash2


@compiled
def pick(
    score: NDArray[np.float64], shown: NDArray[np.int64], count: int, outside: float,
    id_: np.uint64, offers: Any,
) -> int:  # fmt: skip
    """Return the winning offer's place in `shown`, or −1 if nothing beats the outside option.

    `score[j]` is the expected utility of the offer `shown[j]` net of price, for j below `count`.
    Equal scores are settled by a coin of the task's own, so that low numbers don't win.
    """
    winner = -1
    best = outside
    for j in range(count):
        if score[j] < best:
            continue
        if score[j] > best or (winner < 0 and best > -np.inf):
            winner, best = j, score[j]
        elif winner >= 0:
            mine = hash2(id_, offers[shown[j]]["tie_key"])
            if mine > hash2(id_, offers[shown[winner]]["tie_key"]):
                winner = j
    return winner
