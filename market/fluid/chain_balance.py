"""The stationary law of queues that grow and shrink one task at a time, by sparse elimination.

State n = (n₁, ..., n_S); seller s gains a task at rate up_s(n) and loses one at rate down_s(n_s).
The balance equations π·Q = 0 are solved with one probability fixed and its own equation left out:
what remains is an M-matrix, which is eliminated in an order of minimum degree without pivoting and
loses no digits (Funderlic & Plemmons 1981).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

Floats = NDArray[np.float64]
_RARE = 1e-6
"""A state is no good to measure others by if it is so much rarer than the commonest."""


def generator(up: list[Floats], down: list[Floats]) -> sparse.csc_array:
    """Return the transpose of Q, shape [states, states], states in C order.

    Args:
        up: by seller, arrivals in each state, tasks/s, the shape of the lattice. Those at the far
            end of the seller's axis have nowhere to go and don't count.
        down: by seller, departures with 0, 1, ... tasks there, tasks/s, shape [levels].
    """
    shape = np.broadcast_shapes(*(u.shape for u in up))
    states = np.arange(int(np.prod(shape))).reshape(shape)
    rows, columns, rates = [], [], []
    for axis, (gain, loss) in enumerate(zip(up, down, strict=True)):
        low = np.delete(states, -1, axis=axis)
        high = np.delete(states, 0, axis=axis)
        along = np.moveaxis(np.broadcast_to(loss[1:], np.moveaxis(low, axis, -1).shape), -1, axis)
        rows += [high.ravel(), low.ravel()]
        columns += [low.ravel(), high.ravel()]
        rates += [np.delete(gain, -1, axis=axis).ravel(), along.ravel()]
    where = np.concatenate(rows), np.concatenate(columns)
    flows = sparse.coo_array((np.concatenate(rates), where), shape=(states.size, states.size))
    out: Floats = np.asarray(flows.sum(axis=0)).ravel()
    return sparse.csc_array(flows - sparse.diags_array(out))


def stationary(up: list[Floats], down: list[Floats], start: int = 0) -> tuple[Floats, float]:
    """Return (π, residual): probabilities, shape of the lattice, and how well they balance.

    The residual is Σ|π·Q| over the largest rate of leaving a state. `start` is a state, in C order,
    that is not rare.

    Example:
        >>> law, residual = stationary([np.array([1.0, 1.0, 1.0])], [np.array([0.0, 2.0, 2.0])])
        >>> law.round(12).tolist(), residual < 1e-15
        ([0.571428571429, 0.285714285714, 0.142857142857], True)
    """
    flows = generator(up, down)
    law = _relative(flows, start)
    common = int(law.argmax())
    if law[start] < _RARE * law[common]:
        law = _relative(flows, common)
    law /= law.sum()
    fastest = float(np.abs(flows.diagonal()).max(initial=0.0)) or 1.0
    return law.reshape(up[0].shape), float(np.abs(flows @ law).sum()) / fastest


def _relative(flows: sparse.csc_array, start: int) -> Floats:
    """Return the probabilities of all states over that of one."""
    law = np.ones(flows.shape[0])
    if len(law) == 1:
        return law
    others = np.delete(np.arange(len(law)), start)
    known = -flows[:, [start]].toarray().ravel()[others]
    matrix = sparse.csc_array(flows[:, others][others])
    factors = splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    law[others] = np.maximum(factors.solve(known), 0.0)
    return law
