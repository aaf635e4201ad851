"""Derivatives of buyers' and sellers' response, and flows after all delays have followed.

With flows f = X(y(f)), A = ∂X/∂y and B = ∂y/∂f, a push of the flows settles at (I − A·B)⁻¹·push,
which Woodbury's identity solves through the few columns of A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .choice import Choices
from .population import Floats
from .response import Response
from .setting import Flags

_NEGLIGIBLE = 1e-14
"""Share of a kind's tasks below which it does not matter how an offer's delays change."""


@dataclass(frozen=True)
class Slopes:
    """Derivatives at a point; a seller's state has the length W.

    Attributes:
        by_utility: ∂flow/∂U and its means of v and c, shape [3, J, O, O].
        expected: ∂expected/∂y, shape [W, J, O, PARTS].
        answer: A = ∂flow/∂y, shape [J·O, S·W].
        cause: B = ∂y/∂flow: of each seller by its own flows, shape [W, J·n].
        at: places of those flows among all J·O, shape [J·n].
    """

    by_utility: Floats
    expected: Floats
    answer: Floats
    cause: list[Floats]
    at: list[NDArray[np.int64]]

    def settle(self, push: Floats) -> Floats:
        """Return (I − A·B)⁻¹·push, shape [J·O, ...]: flows after all delays have followed."""
        small = np.eye(self.answer.shape[1]) - self.follow(self.answer)
        return np.asarray(push + self.answer @ np.linalg.solve(small, self.follow(push)))

    def follow(self, flow: Floats) -> Floats:
        """Return B·flow, [S·W, ...], for changes of flows [J·O, ...]: a seller at a time."""
        return np.concatenate([
            cause @ flow[at] for cause, at in zip(self.cause, self.at, strict=True)
        ])  # fmt: skip


def slopes_at(
    response: Response, flow: Floats, state: Floats, idle: Floats, later: Floats,
    choices: list[Choices],
) -> Slopes:  # fmt: skip
    """Return the derivatives of a response; `choices` must come with theirs."""
    st = response.setting
    by_utility = response.moves(choices)
    by_state = response.expected_slopes(state, idle, later, _matters(response, flow, choices))
    plain, answer = response.quoted(np.zeros_like(idle)), []
    for change in by_state:  # `quoted` is linear in what is expected, but for its constant
        moved = response.quoted(change)
        gain, time, base = moved.gain - plain.gain, moved.time - plain.time, moved.base - plain.base
        effect = (
            by_utility[1] * gain[:, None, :] - by_utility[2] * time[:, None, :]
            - by_utility[0] * base[:, None, :]
        )  # fmt: skip
        answer.append(np.add.reduceat(effect, response.starts, axis=2))
    places = np.arange(flow.size).reshape(flow.shape)
    return Slopes(
        by_utility, by_state, np.stack(answer, axis=-1).reshape(flow.size, -1),
        response.state_slopes(*response.loads(flow)),
        [places[:, st.seller_of == s].ravel() for s in range(len(st.market.sellers))],
    )  # fmt: skip


def _matters(response: Response, flow: Floats, choices: list[Choices]) -> Flags:
    """Return which offers some of a kind's buyers take or choose, shape [J, O].

    What is taken and no longer chosen is left only as fast as its delays fall.
    """
    out = flow > _NEGLIGIBLE * response.arrivals[:, None]
    for j, choice in enumerate(choices):
        out[j, response.on_show[j]] |= choice.share[:-1] > _NEGLIGIBLE
    return out
