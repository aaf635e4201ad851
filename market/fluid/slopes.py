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
        by_utility: ∂flow/∂U, shape [J, O, O].
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
    by_state = response.expected_slopes(state, idle, later, _matters(response, flow, choices))
    plain = response.quoted(np.zeros_like(idle))
    moved = [response.quoted(change) for change in by_state]  # linear but for a constant
    lines = [(m.gain - plain.gain, m.time - plain.time, m.base - plain.base) for m in moved]
    by_utility = np.zeros((*flow.shape, flow.shape[1]))
    answer = np.zeros((*flow.shape, len(state), len(by_state)))
    for _, together, on in response.groups():
        moves = np.array([response.arrivals[j] * choices[j].moves for j in together])
        by_utility[together[:, None, None], on[:, None], on] = moves[:, 0]
        member = (st.seller_of[on][:, None] == np.arange(len(state))).astype(np.float64)
        at = together[:, None], on
        for i, each in enumerate(lines):
            gain, time, base = (x[at][:, None, :] for x in each)
            effect = moves[:, 1] * gain - moves[:, 2] * time - moves[:, 0] * base
            answer[*at, :, i] = effect @ member
    places = np.arange(flow.size).reshape(flow.shape)
    ends = [*response.starts[1:], flow.shape[1]]
    return Slopes(
        by_utility, by_state, answer.reshape(flow.size, -1),
        response.state_slopes(*response.loads(flow)),
        [places[:, a:b].ravel() for a, b in zip(response.starts, ends, strict=True)],
    )  # fmt: skip


def _matters(response: Response, flow: Floats, choices: list[Choices]) -> Flags:
    """Return which offers some of a kind's buyers take or choose, shape [J, O].

    What is taken and no longer chosen is left only as fast as its delays fall.
    """
    out = flow > _NEGLIGIBLE * response.arrivals[:, None]
    for j, choice in enumerate(choices):
        out[j, response.on_show[j]] |= choice.share[:-1] > _NEGLIGIBLE
    return out
