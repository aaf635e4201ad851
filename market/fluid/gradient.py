"""How profits change with levers once shares and delays have settled anew.

With flows f = X(y(f), p) the total derivative is df/dp = (I − A·B)⁻¹·∂X/∂p (`slopes.Slopes`), and
a profit π = Σ f·m, m what is earned by a task given to an offer, changes by

  dπ/dp = Σ m·df/dp + Σ f·(∂m/∂p + ∂m/∂y·B·df/dp):

more tasks, more earned by each, and more or fewer refunds and penalties as delays change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .expectations import KEPT, SERVED
from .population import Floats
from .response import Response
from .solve import Selection, slopes_of


@dataclass(frozen=True)
class Gradient:
    """Derivatives of an equilibrium by G levers; USD/s and tasks/s per unit of a lever.

    Attributes:
        profit: of each seller's profit, shape [S, G].
        direct: the part of it that flows unchanged would give, shape [S, G].
        through: what a unit of lever h's margin is worth through lever g's effect on flows:
            Σ over offers of h of df/dp_g · ∂m/∂p_h, shape [G, G].
        flow: of flows by class and offer, shape [K, O, G].
    """

    profit: Floats
    direct: Floats
    through: Floats
    flow: Floats


def gradient(selection: Selection, group: NDArray[np.int64]) -> Gradient:
    """Return the derivatives of profits and flows by levers.

    Args:
        selection: an equilibrium.
        group: number of the lever that moves each offer's price, −1 for none, shape [O].
    """
    st, count = selection.setting, int(group.max()) + 1
    sellers, classes = len(st.market.sellers), len(st.money)
    total = Gradient(
        np.zeros((sellers, count)), np.zeros((sellers, count)), np.zeros((count, count)),
        np.zeros((classes, len(group), count)),
    )  # fmt: skip
    moves = (group[:, None] == np.arange(count)).astype(np.float64)
    for i, weight in enumerate(selection.weights):
        part = _at_moment(selection, i, moves)
        for name in ("profit", "direct", "through"):
            getattr(total, name)[...] += weight * getattr(part, name)
        total.flow[...] += weight * selection.by_class(part.flow)
    return total


def _at_moment(selection: Selection, i: int, moves: Floats) -> Gradient:
    st, flows = selection.setting, selection.moments[i]
    response, accounts = selection.responses[i], selection.accounts[i]
    slopes = slopes_of(selection, i)
    k = st.class_of
    quoted = by_lever(response, response.believe(flows.expected), selection.charges.right[k])
    true = by_lever(response, flows.expected, st.right[k])
    push = -np.einsum("jop,jp,pg->jog", slopes.by_utility, quoted, moves, optimize=True)
    flow = slopes.settle(push.reshape(-1, moves.shape[1])).reshape(push.shape)
    earned = st.keep * true * flows.on_show  # ∂m/∂p of the offer's own lever
    direct = np.einsum("jo,jo,og->og", flows.flow, earned, moves, optimize=True)
    state = slopes.follow(flow.reshape(-1, moves.shape[1]))
    shifted = _by_state(response, slopes.expected, flows.flow)  # [2 + L, O]
    width = len(shifted)
    by_state = state.reshape(-1, width, moves.shape[1])[st.seller_of]  # [O, 2 + L, G]
    more = np.einsum("jo,jog->og", accounts.margin, flow, optimize=True)
    shift = np.einsum("co,ocg->og", shifted, by_state, optimize=True)
    through = np.einsum("jog,jo,oh->gh", flow, earned, moves, optimize=True)
    return Gradient(
        selection.by_seller((more + direct + shift).T).T, selection.by_seller(direct.T).T, through,
        flow,
    )  # fmt: skip


def by_lever(response: Response, expected: Floats, right: Floats) -> Floats:
    """Return ∂paid/∂lever of each offer's own lever at what is expected or believed, [J, O]."""
    st = response.setting
    billed, tilt = response.billed(expected, right)
    return np.asarray(st.unit[st.class_of] * billed + st.unit_slope[st.class_of] * tilt)


def _by_state(response: Response, slopes: Floats, flow: Floats) -> Floats:
    """Return Σ over kinds of flow · ∂margin/∂y by offer, shape [2 + L, O]."""
    st, charges = response.setting, response.charges
    k, out = st.class_of, []
    right, zero = st.right[k], np.zeros_like(slopes[0])
    constant = response.paid(zero, right)
    for change in slopes:
        paid = response.paid(change, right) - constant
        margin = st.keep * paid - st.cost[k] * change[..., SERVED]
        if charges.refunds:  # a penalty is borne by the seller alone
            penalty = st.state.sellers["penalty"][st.seller_of]
            margin -= (1.0 - st.keep) * penalty * (change[..., SERVED] - change[..., KEPT])
        margin -= st.state.cells["fee"][k] * change[..., SERVED]
        out.append((flow * margin).sum(axis=0))
    return np.array(out)
